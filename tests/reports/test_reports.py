"""Every report format shows the whole story, lets no text of it act, and says nothing that the story does not say."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib import import_module, resources
from itertools import pairwise
from pathlib import Path, PurePosixPath
from pkgutil import iter_modules
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from advisor import reports
from advisor.cli.progress import LiveProgress, Progressed, RunEvents
from advisor.cli.shown import console, marked
from advisor.cli.terminal import main_table, show
from advisor.contract import ShownCases, Story, Verdict
from advisor.drawn import Picture, Point
from advisor.reports import markdown
from advisor.reports.drawing import draw
from advisor.reports.scales import cost_axis, cost_label
from advisor.reports.text import RECORDED, clean, cleaned
from benchmarks.contract import BadInput, Row, State
from benchmarks.costs.prices import TokenPrices
from benchmarks.running.plan import Unit
from benchmarks.storage.store import UnitResult
from strategies.contract import Prediction, Usage
from tests.stories import CHOICE, NAMES, empty_story, rich_story, shown_case, with_texts

FORMATS = reports.names()
STEERING = "\x1b[31m\x1b]0;title\x07\x9b2J\x00\x7f\u200b\u202e\u2066\ufeff\U000e0041"
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
HOSTILE = (
    "<script>window.hit=1</script><img src=x onerror=window.hit=2>\"'><svg onload=window.hit=3> "
    "[click](javascript:hit()) ![x](http://x.test/p.png) http://x.test @someone #12 `code` | pipe **bold** "
    "</details> {{ 7*7 }} ${7*7} [red]markup[/red] [link=http://x.test]l[/link] "
)


def hostile_story() -> Story:
    numbers = iter(range(10_000))
    return with_texts(rich_story(), lambda text: f"{HOSTILE}{STEERING}{text}{next(numbers)}")


# ---------------------------------------------------------------- every format


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("story", [rich_story(), empty_story()], ids=["rich", "empty"])
def test_a_format_renders_any_story_the_same_twice(name: str, story: Story) -> None:
    text = reports.render(story, name)
    assert text == reports.render(story, name)
    assert reports.suffix(name).startswith(".")
    assert story.task in text


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_when_a_run_is_recorded_and_only_then(name: str) -> None:
    story = rich_story()
    assert RECORDED in reports.render(dataclasses.replace(story, recorded=True), name)
    assert RECORDED not in reports.render(story, name)


@pytest.mark.parametrize("name", FORMATS)
def test_every_text_of_the_story_reaches_every_format(name: str) -> None:
    """Texts are numbered words without anything to escape, so each can be looked for as it is."""
    numbers = iter(range(10_000))
    told = with_texts(rich_story(), lambda text: f"word{next(numbers):04}")
    shown = set(re.findall(r"word\d{4}", reports.render(told, name)))
    cases = told.cases if name in ("html", "json") else None
    wanted = set(re.findall(r"word\d{4}", repr(dataclasses.replace(told, facts={}, cases=cases))))
    # The choice stands in the headline and the verdict has its own words; formats of text show no picture. What a terminal has a
    # second table for stands in others.
    further = set(re.findall(r"word\d{4}", repr(told.probed_further)))
    elsewhere = {told.choice, told.verdict, told.picture.title, told.picture.cost_unit}
    assert wanted - shown <= elsewhere | _drawn(told) | further


def _drawn(story: Story) -> set[str]:
    """The texts of figures, which a format without drawings need not repeat."""
    figures = (story.volumes, story.winners, story.learning, story.apart, story.stable, story.searched)
    return {point.name for point in story.picture.points} | set(re.findall(r"word\d{4}", repr(figures)))


def test_the_page_says_what_each_figure_shows_and_holds_its_numbers() -> None:
    numbers = iter(range(10_000))
    told = with_texts(rich_story(), lambda text: f"word{next(numbers):04}")
    page = reports.render(told, "html")
    lines = [figure for figure in (told.volumes, told.learning, told.searched) if figure]
    forests = [figure for figure in (told.apart, told.stable) if figure]
    assert told.winners
    names = [each.name for figure in lines for each in figure.series]
    names += [each.name for figure in forests for each in figure.estimates]
    names += [each.text for figure in forests for each in figure.estimates]
    names += [cell.named for strip in told.winners.strips for cell in strip.cells if cell.named]
    tables = (told.volumes, told.winners, told.searched)
    cells = [cell for figure in tables if figure for row in figure.table.rows for cell in row]
    titles = [*(figure.title for figure in lines), *(figure.title for figure in forests), told.winners.title]
    for text in (*names, *cells, *titles):
        assert text in page


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_lets_no_steering_character_through(name: str) -> None:
    assert not INVISIBLE.search(reports.render(hostile_story(), name))
    module = import_module(f"advisor.reports.{name}")
    assert not INVISIBLE.search(module.render(hostile_story()))


def test_a_module_of_the_folder_is_a_whole_format_or_none() -> None:
    for module in iter_modules(reports.__path__):
        loaded = import_module(f"advisor.reports.{module.name}")
        is_format = hasattr(loaded, "SUFFIX")
        assert is_format == (module.name in FORMATS)
        assert is_format == callable(getattr(loaded, "render", None))


def test_an_unknown_format_is_refused_with_the_nearest_and_all_names() -> None:
    with pytest.raises(BadInput, match=r"`htm` is not a report format\. The nearest is `html`\. Allowed: .*json"):
        reports.render(rich_story(), "htm")


def test_another_package_brings_a_format_and_gets_a_cleaned_story(tmp_path: Path) -> None:
    (tmp_path / "plain_report.py").write_text("SUFFIX = '.txt'\ndef render(story):\n    return story.headline\n")
    info = tmp_path / "plain_report-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-report\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[finetune_advisor.reports]\nplain = plain_report\n")
    sys.path.insert(0, str(tmp_path))
    try:
        assert "plain" in reports.names()
        assert reports.suffix("plain") == ".txt"
        told = dataclasses.replace(rich_story(), headline=f"safe{STEERING} now")
        assert reports.render(told, "plain") == "safe2J now"
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("plain_report", None)


# ---------------------------------------------------------------- cleaning


@pytest.mark.parametrize(
    ("dirty", "wanted"),
    [
        ("a\x1b[1;31mb\x1b[0mc", "abc"),
        ("a\x1b]8;;http://x.test\x1b\\b\x1b]8;;\x07c", "abc"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("\x1b\u200b[31mred", "[31mred"),
        ("\x9b31mred", "31mred"),
        (
            "say \u00e2\x80\x9cyes\u00e2\x80\x9d: NOT \u00e2\x80\x98now\u00e2\x80\x99",
            "say \u00e2yes\u00e2: NOT \u00e2now\u00e2",
        ),
        ("\x1b]0;" + "words " * 500 + "\x07", "0;" + "words " * 500),
        ("pay\u202elrac\u202c\u2067x\u2069", "paylracx"),
        ("zero\u200bwidth\u200d\ufeff\u2060", "zerowidth"),
        ("tag\U000e0068\U000e0069\U000e007f", "tag"),
        ("soft\u00adhyphen", "softhyphen"),
        ("a\r\nb\rc\u2028d\te", "a\nb\nc\nd\te"),
        ("half \ud83d of one", "half \ufffd of one"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("na\u00efve \u2013 5 \u20ac", "na\u00efve \u2013 5 \u20ac"),
    ],
)
def test_cleaning_takes_what_steers_and_leaves_words(dirty: str, wanted: str) -> None:
    assert clean(dirty) == wanted


@pytest.mark.parametrize("begun", ["\x90", "\x9b", "\x1b]", "\x1b[0", "\x1b"])
def test_cleaning_takes_no_longer_than_a_text_is_long(begun: str) -> None:
    started = time.process_time()
    assert len(clean(begun * 100_000)) <= 100_000
    assert time.process_time() - started < 5


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("\x1b[]0;mP\\\x07\x9b\x9c\u200b\u200d\u202e\U000e0041ab \n\r\u00e9"), max_size=24))
def test_cleaning_twice_is_cleaning_once_and_leaves_no_escape(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not INVISIBLE.search(once)


def test_keys_that_look_the_same_once_cleaned_keep_both_entries() -> None:
    case = shown_case("i", "one", {"lora": "one", "lo\u200bra": "two"})
    told = cleaned(dataclasses.replace(rich_story(), cases=ShownCases(approaches=(), cases=(case,), total=1)))
    assert told.cases is not None
    assert {name: answer.text.text for name, answer in told.cases.cases[0].answers.items()} == {
        "lora": "one",
        "lora (2)": "two",
    }


# ---------------------------------------------------------------- junit


@pytest.mark.parametrize(
    ("verdict", "seen", "outcome"),
    [
        ("choose", False, None),
        ("choose", True, "skipped"),
        ("safe but cheaper undecided", False, None),
        ("safe but cheaper undecided", True, "skipped"),
        ("undecided", False, "skipped"),
        ("compared", False, "skipped"),
        ("nothing meets", False, "failure"),
        ("nothing meets", True, "failure"),
    ],
)
def test_a_build_server_sees_one_test_for_the_verdict(verdict: str, seen: bool, outcome: str | None) -> None:
    story = dataclasses.replace(rich_story(), verdict=verdict, development=seen)
    root = ET.fromstring(reports.render(story, "junit"))
    (suite,) = root
    first, *others = suite.iter("testcase")
    assert first.get("name") == "verdict"
    assert [child.tag for child in first if child.tag != "system-out"] == ([outcome] if outcome else [])
    assert [case.get("name") for case in others] == [row[0] for row in rich_story().main.rows]
    assert not any(case.find("failure") is not None for case in others)
    counted = {kind: sum(case.find(tag) is not None for case in suite) for kind, tag in _KINDS.items()}
    assert {kind: int(suite.get(kind, "")) for kind in counted} == counted
    assert int(suite.get("tests", "")) == len(others) + 1


_KINDS = {"failures": "failure", "skipped": "skipped"}


def test_hostile_text_stays_text_in_junit() -> None:
    root = ET.fromstring(reports.render(hostile_story(), "junit"))
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "testcase", "skipped", "failure", "system-out")
    }


def test_a_notebook_shows_the_page_in_a_frame_that_can_reach_nothing() -> None:
    verdict = Verdict(recommendation=Any, evaluations=(), costs=(), story=hostile_story())  # type: ignore[arg-type]
    shown = verdict._repr_html_()
    elements = Elements(shown)
    assert dict(elements.tags) == {"iframe": 1}
    assert 'sandbox="allow-scripts"' in shown


# ---------------------------------------------------------------- html


class Elements(HTMLParser):
    """Counts tags and attribute names, and keeps text and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if ("class", "whole") not in attrs:
            self.tags[tag] += 1
            self.attributes.update(name for name, _ in attrs)
            self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href", "action")]


OWN_LINKS = {"data:,", "#results", "#costs", "#targets", "#risks", "#method", "#cases"}
"""The icon, and parts of the page."""


def test_hostile_text_makes_no_element_that_plain_text_does_not_make() -> None:
    plain, hostile = (Elements(reports.render(story, "html")) for story in (rich_story(), hostile_story()))
    # Longer names take more lines and leaders in the picture, and a status that is no status gets no mark.
    drawn = {"text", "line", "span", "th", "td", "g", "rect"}
    assert set(hostile.tags) <= set(plain.tags)
    assert {tag: n for tag, n in hostile.tags.items() if tag not in drawn} == {
        tag: n for tag, n in plain.tags.items() if tag not in drawn
    }
    assert not [name for name in hostile.attributes if name.startswith("on")]
    assert set(hostile.links) == set(plain.links) == OWN_LINKS
    assert "49" not in re.findall(r"\b49\b", reports.render(with_texts(empty_story(), lambda t: "{{ 7*7 }}"), "html"))


def test_the_page_holds_no_script_and_allows_none() -> None:
    page = reports.render(dataclasses.replace(rich_story(), cases=None), "html")
    assert "<script" not in page
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert not re.findall(r"(?:https?:)?//[a-z]", page)


def test_headings_and_tables_can_be_read_by_structure() -> None:
    elements = Elements(reports.render(rich_story(), "html"))
    assert elements.tags["h1"] == 1
    assert elements.tags["caption"] == elements.tags["table"] == 29
    assert elements.attributes["scope"] == elements.tags["th"]


def test_the_verdict_comes_before_the_table_and_the_table_before_the_rest() -> None:
    page = reports.render(rich_story(), "html")
    story = rich_story()
    order = [
        "Target met",
        "<h1>",
        "Measured on",
        "expected to win here",
        'id="a-month"',
        'id="next"',
        story.main.title,
        "<svg",
        'id="figure-volumes"',
        'id="costs"',
        'id="figure-winners"',
        'id="figure-apart"',
        'id="figure-learning"',
        'id="risks"',
        'id="figure-stable"',
        'id="data"',
        'id="method"',
        'id="figure-searched"',
        'id="cases"',
    ]
    places = [page.index(part) for part in order]
    assert places == sorted(places)


def _colours(scheme: str) -> Mapping[str, str]:
    css = (resources.files("advisor.reports") / "templates" / "report.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", part)) for part in css.split("@media", 1))
    return light if scheme == "light" else {**light, **dark}


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "wash", "chosen"])
def test_every_colour_of_text_reaches_the_contrast_of_wcag_aa(scheme: str, ground: str) -> None:
    colours = _colours(scheme)
    hues = ("one", "two", "three", "four", "five", "six", "seven", "eight") if ground == "paper" else ()
    for name in ("ink", "soft", "meets", "misses", "undecided", "other", *hues):
        low, high = sorted((_luminance(colours[name]), _luminance(colours[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{name} on {ground}"


# ---------------------------------------------------------------- markdown


def _tokens(text: str) -> Iterator[Any]:
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        yield token
        yield from token.children or ()


def test_hostile_text_makes_no_link_image_code_or_html_in_markdown() -> None:
    tokens = list(_tokens(reports.render(hostile_story(), "markdown")))
    kinds = Counter(token.type for token in tokens)
    assert not {"link_open", "image", "code_inline", "fence", "code_block", "em_open", "s_open"} & set(kinds)
    html = {token.content.strip() for token in tokens if token.type in ("html_block", "html_inline")}
    assert {re.sub("<summary>.*</summary>", "<summary></summary>", piece, flags=re.DOTALL) for piece in html} <= {
        "<!-- -->",
        "</details>",
        "<details>\n<summary></summary>",
    }
    assert not [piece for piece in html if re.search(r"<(?!/?(?:details|summary)>|!-- -->)", piece)]


@pytest.mark.parametrize("piece", ["| a | b |", "\n\n# x\n\n- y", "\\|", "```\nx", "> q", "</details>", "1. z", "a\tb"])
def test_markdown_keeps_its_tables_lists_and_headings_under_hostile_text(piece: str) -> None:
    kinds = (
        "table_open",
        "tr_open",
        "td_open",
        "th_open",
        "list_item_open",
        "heading_open",
        "blockquote_open",
        "html_block",
    )
    plain, hostile = (
        Counter(token.type for token in _tokens(reports.render(story, "markdown")))
        for story in (rich_story(), with_texts(rich_story(), lambda text: f"{piece} {text} {piece}"))
    )
    assert {kind: hostile[kind] for kind in kinds} == {kind: plain[kind] for kind in kinds}
    assert plain["td_open"] > 150


def test_markdown_shows_inputs_and_answers_of_a_few_cases() -> None:
    shown = rich_story().cases
    assert shown is not None
    many = dataclasses.replace(shown, cases=shown.cases * 20, total=90)
    text = reports.render(dataclasses.replace(rich_story(), cases=many), "markdown")
    assert "12 of these 90 cases stand here" in text
    assert text.count("why does it keep logging me out") == text.count("Can somebody correct it") == 6


def test_markdown_shows_literal_text_letter_by_letter() -> None:
    told = dataclasses.replace(
        empty_story(),
        headline="1. use *this* <b>, a_b | c @x #5 https://x.test :cry: :+1: :white_check_mark: 10:30:00 & more",
    )
    inline = [token for token in _tokens(reports.render(told, "markdown")) if token.type == "inline"]
    texts = ["".join(child.content for child in token.children if child.type != "html_inline") for token in inline]
    assert told.headline in texts
    source = reports.render(told, "markdown")
    assert not re.search(r"@x|#5|https://|:cry:|:\+1:|:white", source)
    assert "10:30:00" in source


def test_markdown_escapes_a_number_where_it_would_begin_a_list_and_nowhere_else() -> None:
    assert markdown.literal("1. first") == "&#49;. first"
    assert markdown.literal("9)") == "&#57;)"
    for figure in ("5.3 s", "0.0041", "<0.01/0.02 s", "1.5-2.5 points"):
        assert markdown.literal(figure) == figure.replace("<", "&lt;")
    for text in ("1. first", "9) ninth", "2.", "3.\tthird", "4.\u00a0fourth", "5.3 s", "6.seventh"):
        assert "ordered_list_open" not in [token.type for token in _tokens(markdown.literal(text))]


def test_markdown_of_a_huge_story_still_fits_a_comment() -> None:
    shown = rich_story().cases
    assert shown is not None
    many = dataclasses.replace(shown, cases=shown.cases * 250, total=500)
    told = dataclasses.replace(rich_story(), method=("word " * 400,) * 60, risks=("| " * 2000,) * 20, cases=many)
    text = reports.render(told, "markdown")
    assert len(text) <= 65_000
    assert "does not fit" in text
    assert text.count("<details>") == text.count("</details>")


# ---------------------------------------------------------------- json


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_json_holds_every_field_and_null_for_numbers_that_json_lacks() -> None:
    story = rich_story()
    document = json.loads(reports.render(story, "json"), parse_constant=_refuse)
    assert document["schema_version"] == 1
    assert {field.name for field in dataclasses.fields(Story)} <= set(document)
    assert document["facts"]["candidates"][0]["ahead"] is None
    assert document["facts"]["candidates"][1] == {"name": CHOICE, "figure": 0.84, "state": "meets", "upper": None}
    assert document["main"]["rows"][0][0] == NAMES[0]
    assert document["picture"]["points"][6]["cost"] is None
    answer = document["cases"]["cases"][0]["answers"][CHOICE]
    assert (answer["text"], answer["grade"]) == ({"text": "invoice_wrong", "left_out": 0}, "right")


def hostile_values() -> Story:
    """The hostile story, but for the noun of its map: that is one of the program's own words, not a text from outside."""
    hostile, winners = hostile_story(), rich_story().winners
    assert hostile.winners is not None
    assert winners is not None
    return dataclasses.replace(hostile, winners=dataclasses.replace(hostile.winners, noun=winners.noun))


@pytest.mark.parametrize("story", [rich_story(), empty_story(), hostile_values()], ids=["rich", "empty", "hostile"])
def test_json_follows_its_published_schema(story: Story) -> None:
    import jsonschema

    from advisor.reports.json import schema

    held = jsonschema.Draft202012Validator(schema())
    held.check_schema(held.schema)
    document = json.loads(reports.render(story, "json"))
    assert [error.message for error in held.iter_errors(document)] == []
    for broken in (
        {**document, "schema_version": 2},
        {**document, "reasons": "none"},
        {**document, "main": {"title": 3}},
    ):
        assert list(held.iter_errors(broken))


def test_the_stored_example_follows_the_published_schema() -> None:
    import jsonschema

    from advisor.experiments.example import opened
    from advisor.experiments.stored import reopen
    from advisor.reports.json import schema

    with opened() as folder:
        document = json.loads(reports.render(reopen(folder).story, "json"))
    jsonschema.Draft202012Validator(schema()).validate(document)


def test_json_refuses_what_is_not_plain_data_such_as_a_path() -> None:
    with pytest.raises(TypeError, match=r"story\.facts\.where holds a PurePosixPath"):
        reports.render(dataclasses.replace(rich_story(), facts={"where": PurePosixPath("/somewhere")}), "json")


# ---------------------------------------------------------------- picture


def _point(name: str, cost: float | None, figure: float = 0.8, state: State = State.MEETS) -> Point:
    return Point(name=name, cost=cost, figure=figure, lower=figure - 0.04, upper=figure + 0.04, state=state)


def _svg(*points: Point, unit: str = "machine time", target: float | None = 0.8, width: int = 820) -> ET.Element:
    picture = Picture(title="accuracy against cost", cost_unit=unit, points=points, target=target)
    return ET.fromstring(draw(picture, width, "p"))


def _texts(svg: ET.Element) -> list[str]:
    return [text.text or "" for text in svg.iter("text")]


def _x(svg: ET.Element, label: str) -> float:
    return next(float(text.get("x", "")) for text in svg.iter("text") if text.text == label)


def test_the_picture_says_in_words_what_it_shows() -> None:
    svg = _svg(_point("lora", 5400.0, 0.84), _point("hosted", None, 0.9, State.UNDECIDED))
    named = {element.get("id"): element.text for element in svg if element.get("id")}
    labelled = (svg.get("aria-labelledby") or "").split()
    words = " ".join(named[identifier] or "" for identifier in labelled)
    assert svg.get("role") == "img"
    assert "lora: 84 %, between 80 and 88 %; cost 90 min; meets." in words
    assert "hosted: 90 %, between 86 and 94 %; cost unknown; undecided." in words
    assert "target is 80 %" in words


def test_costs_that_differ_much_get_an_axis_of_factors_and_others_one_from_zero() -> None:
    far = _texts(_svg(_point("a", 60.0), _point("b", 360_000.0)))
    near = _texts(_svg(_point("a", 60.0), _point("b", 120.0)))
    assert "cost in machine time (log scale)" in far
    assert "cost in machine time" in near
    assert "0 s" in near
    assert "0 s" not in far


def test_unknown_costs_stand_right_of_the_axis_and_zero_left_of_a_log_axis() -> None:
    svg = _svg(_point("free", 0.0), _point("a", 60.0), _point("b", 360_000.0, 0.7), _point("hosted", None))
    circles = [float(circle.get("cx", "")) for circle in svg.iter("circle")][1:]
    free, cheap, dear, unknown = circles
    assert free < cheap < dear < unknown
    assert _x(svg, "0") == pytest.approx(free, abs=1)
    assert _x(svg, "cost unknown") == pytest.approx(unknown, abs=1)


def test_a_picture_without_points_is_empty_and_one_without_known_costs_is_not() -> None:
    nothing = Picture(title="t", cost_unit="unknown", points=(_point("a", 1.0, float("nan")),), target=0.8)
    assert draw(nothing, 820, "p") == ""
    assert "cost unknown" in _texts(_svg(_point("a", None), _point("b", float("inf"))))


def test_points_far_below_keep_the_axis_for_the_others_and_say_their_figure() -> None:
    svg = _svg(_point("majority", 1.0, 0.07, State.MISSES), _point("a", 2.0, 0.78), _point("b", 3.0, 0.85))
    texts = _texts(svg)
    assert "majority (7 %)" in texts
    assert "lower" in texts
    assert "20 %" not in texts


CROWDED = (
    ("majority", 0.0, 0.017, 0.003, 0.089),
    ("copy nearest", 2720.2, 0.300, 0.199, 0.425),
    ("linear head", 2824.7, 0.300, 0.199, 0.425),
    ("prompting", 19970.9, 0.250, 0.158, 0.372),
    ("prompting after copy nearest", 22688.9, 0.333, 0.227, 0.459),
    ("lora", 20164.0, 0.300, 0.199, 0.425),
    ("lora + retrieval", 20520.7, 0.317, 0.213, 0.442),
    ("retrieval (cheapest)", 43243.7, 0.333, 0.227, 0.459),
    ("retrieval", 96866.5, 0.383, 0.271, 0.510),
)
"""Name, cost, figure and interval of nine approaches, five of them at about the same cost, as a run had them."""


@pytest.mark.parametrize("width", [820, 360])
def test_a_number_that_the_key_explains_stands_in_the_plot(width: int) -> None:
    points = [
        Point(name=name, cost=cost, figure=figure, lower=lower, upper=upper, state=State.MISSES)
        for name, cost, figure, lower, upper in CROWDED
    ]
    svg = _svg(*points, target=0.6, width=width)
    numbers = [text for text in _texts(svg) if text.isdecimal() and text != "0"]
    assert numbers
    assert all(numbers.count(number) == 2 for number in numbers), numbers


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.just(0.0), st.floats(0.001, 1e9)),
            st.floats(0, 1),
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=80),
            st.sampled_from(list(State)),
        ),
        min_size=1,
        max_size=14,
    ),
    st.sampled_from([360, 820]),
    st.sampled_from(["machine time", "USD", "tokens"]),
)
def test_any_picture_can_be_drawn_inside_its_frame(drawn: list[Any], width: int, unit: str) -> None:
    points = [_point(name, cost, figure, state) for cost, figure, name, state in drawn]
    svg = _svg(*points, unit=unit, width=width)
    height = float((svg.get("viewBox") or "").split()[3])
    for element in svg.iter():
        for name, most in (
            ("x", width),
            ("x1", width),
            ("x2", width),
            ("cx", width),
            ("y", height),
            ("y1", height),
            ("cy", height),
        ):
            if element.get(name) is not None:
                assert -1 <= float(element.get(name, "")) <= most + 1


@pytest.mark.parametrize(
    ("value", "unit", "label"),
    [
        (60, "machine time", "1 min"),
        (345600, "machine s", "4 days"),
        (86400, "machine time", "1 day"),
        (0.5, "USD", "0.50"),
        (2000, "USD", "2,000"),
        (1_000_000, "tokens", "1,000,000"),
        (0, "machine time", "0 s"),
    ],
)
def test_labels_of_costs_are_round_and_carry_a_unit_of_time(value: float, unit: str, label: str) -> None:
    assert cost_label(value, unit) == label


def test_ticks_lie_inside_the_axis_and_keep_their_distance() -> None:
    axis, ticks = cost_axis([3.0, 90_000.0], "machine time", 0, 600, 76)
    places = [axis.at(value) for value, _ in ticks]
    assert len(ticks) >= 3
    assert min(places) >= 0
    assert max(places) <= 600
    assert min(second - first for first, second in pairwise(places)) >= 76


# ---------------------------------------------------------------- terminal


def _shown(story: Story, width: int, terminal: bool = False) -> str:
    stream = io.StringIO()
    show(
        story, Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    )
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_verdict_and_whole_cells_within_its_width(width: int) -> None:
    text = _shown(rich_story(), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "\u2026" not in text
    words = " ".join(text.replace("\u2502", " ").split())
    assert rich_story().headline in words
    assert all(reason in words for reason in rich_story().reasons[:3])
    assert text.index("Target met") < text.index("8 approaches on the same 300")
    for word in ("undecided", "ruled out", "USD 41.50", "96 %", "> LoRA"):
        assert word in text


def test_a_terminal_shows_what_looks_like_an_emoji_as_it_stands() -> None:
    story, stream = rich_story(), io.StringIO()
    row = (":thumbsup:", *story.main.rows[0][1:])
    to = console(stream, 100)
    to.print(f"[bold]advisor run {marked(':cry: [a]')}[/bold]")
    to.print(main_table(dataclasses.replace(story.main, rows=(row,)), 100))
    assert "advisor run :cry: [a]" in stream.getvalue()
    assert ":thumbsup:" in stream.getvalue()


@pytest.mark.parametrize("width", [24, 40, 50, 60, 66])
def test_in_a_narrow_terminal_names_and_states_stand_and_other_columns_go(width: int) -> None:
    story, stream = rich_story(), io.StringIO()
    Console(file=stream, width=width).print(main_table(story.main, width))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    words = [word for row in story.main.rows for word in (*row[0].split(), *row[-1].split())]
    assert all(word in text for word in words if len(word) <= (16 if width >= 40 else 4))
    told = text.rpartition("Left out, since there is no room: ")[2]
    (head,) = [line for line in lines if line.startswith(" approa")]
    assert "wait" in told
    assert "wait" not in head


def test_the_terminal_never_reads_a_story_as_markup_or_escape() -> None:
    assert "\x1b" not in _shown(hostile_story(), 100)
    coloured = _shown(hostile_story(), 100, terminal=True)
    assert "]8;" not in coloured
    assert "\x1b]" not in coloured
    assert "[red]markup[/red]" in coloured


def test_the_terminal_says_that_a_run_is_recorded() -> None:
    words = " ".join(_shown(dataclasses.replace(rich_story(), recorded=True), 80).replace("\u2502", " ").split())
    assert RECORDED in words
    assert "Recorded" not in _shown(rich_story(), 80)


# ---------------------------------------------------------------- progress


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def _progress_text(live: LiveProgress, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(live.shown(width))
    return stream.getvalue()


def test_progress_writes_nothing_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with LiveProgress(stream) as live:
        live.tell(Progressed(candidate="lora", what="answering", done=1, total=2))
    assert stream.getvalue() == ""


def test_progress_draws_on_a_terminal_and_leaves_it_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LiveProgress(stream) as live:
        live.tell(Progressed(candidate="lora \x1b]0;t\x07[red]x", what="answering", done=1, total=2))
    assert "lora [red]x" in stream.getvalue()
    assert "\x1b]0" not in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("\x1b[2K")


@pytest.mark.parametrize("width", [80, 120])
def test_progress_shows_count_rate_time_left_and_spend(width: int) -> None:
    now = [100.0]
    live = LiveProgress(io.StringIO(), clock=lambda: now[0])
    live.tell(Progressed(candidate=NAMES[5], what="LoRA: long trainings", done=40, total=300))
    now[0] += 10
    live.tell(
        Progressed(candidate=NAMES[5], what="LoRA: long trainings", done=60, total=300, tokens=81_000, seconds=95.0)
    )
    text = _progress_text(live, width)
    for part in ("60/300", "2.0/s", "120 s left", "long trainings", "95 s", "81,000 tokens"):
        assert part.replace("120 s", "2 min") in text.replace("120 s", "2 min")
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_progress_begins_a_new_rate_with_new_work_and_keeps_the_screen_short() -> None:
    now = [0.0]
    live = LiveProgress(io.StringIO(), clock=lambda: now[0])
    for number in range(30):
        live.tell(Progressed(candidate=f"c{number:02}", what="answering", done=0, total=9))
        now[0] += 1
        live.tell(Progressed(candidate=f"c{number:02}", what="answering", done=9, total=9, seconds=1.0))
        live.finished(f"c{number:02}")
    live.tell(Progressed(candidate="last", what="edits", done=0, total=50))
    text = _progress_text(live, 80)
    assert len(text.splitlines()) <= 14
    assert "c29" in text
    assert "c01" not in text
    assert "/s" not in text
    assert "30 s" in text


def test_pieces_that_several_workers_answer_at_once_are_one_count_and_one_rate() -> None:
    now = [0.0]
    live = LiveProgress(io.StringIO(), clock=lambda: now[0])
    events = RunEvents(live, {})
    first, second = (Unit(name=f"answer {part}", kind="answer", candidate="prompting", part=part) for part in (0, 1))
    events.started(first, 1, 2)
    now[0] = 60.0
    events.progress(first, 60, 128, "answering")
    events.started(second, 2, 2)
    for second_s in range(61, 91):
        now[0] = float(second_s)
        events.progress(second, second_s - 60, 128, "answering")
        events.progress(first, second_s, 128, "answering")
    text = _progress_text(live, 100)
    assert "120/256" in text
    assert "2.0/s" in text
    assert "68 s left" in text
    events.finished(first, UnitResult(unit=first.name, kind="answer", candidate="prompting"))
    assert "158/256" in _progress_text(live, 100)


def test_a_run_told_unit_by_unit_shows_the_spend_of_fitting_and_answers() -> None:
    live = LiveProgress(io.StringIO())
    price = TokenPrices(model="m", input=10.0, cached=1.0, output=100.0, source="a table")
    events = RunEvents(live, {"m": price, "unknown": None})
    fit, answer = (Unit(name=kind, kind=kind, candidate="lora") for kind in ("fit", "answer"))
    used = Usage(model="m", step="training", prompt_tokens=900, answer_tokens=100, seconds=60.0)
    row = Row(candidate="lora", purpose="heldout", key="k", outcome=Prediction(text="a", usage=(used,)), score=1.0)
    events.started(fit, 1, 8)
    assert "USD" not in _progress_text(live, 120)
    events.progress(fit, 2, 6, "lora: long trainings")
    assert "2/6" in _progress_text(live, 120)
    assert "best so far" not in _progress_text(live, 120)
    for name, score in (("lora", 0.724), ("majority", 0.3)):  # The worse one that comes later changes nothing.
        other = dataclasses.replace(fit, candidate=name)
        note = {"chosen": {"selection_score": score}}
        paid = (used,) if name == "lora" else ()
        events.finished(other, UnitResult(unit="fit", kind="fit", candidate=name, usage=paid, note=note))
    assert "best so far: lora, 72 % on selection cases" in _progress_text(live, 120)
    events.started(answer, 2, 8)
    unpriced = dataclasses.replace(used, model="unknown", prompt_tokens=0, answer_tokens=0, seconds=0.0)
    brought = UnitResult(unit="answer", kind="answer", candidate="lora", rows=(row,), usage=(used, unpriced))
    events.finished(answer, brought)
    text = _progress_text(live, 120)
    assert "2,000 tokens, USD 0.038" in text, "answers are not counted twice"
    assert "2 min" in text.replace("120 s", "2 min")
    assert "step 2 of 8" in text
