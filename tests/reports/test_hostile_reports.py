"""Every payload of `tests/hostile.py` in every field of a report: none of them acts in any format, whatever shows it."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import re
import shutil
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow.parquet
import pytest
import yaml
from markdown_it import MarkdownIt
from pytest_httpserver import HTTPServer
from rich.console import Console
from werkzeug import Request, Response

from advisor import Wishes, advise, reports
from advisor.cli.terminal import show
from advisor.contract import Story
from advisor.deploy.export import export
from advisor.experiments.report_files import write_reports
from advisor.experiments.site import build
from advisor.experiments.stored import reopen, write_answers
from advisor.panel import Terms, WhatIf
from advisor.reports.text import clean
from benchmarks.review.sheets import as_cell
from tests.conftest import Folders
from tests.desk import call
from tests.hostile import GROUPS, PAYLOADS
from tests.reports.test_report_browser import browser, opened  # noqa: F401 - fixtures
from tests.reports.test_reports import INVISIBLE, OWN_LINKS, Elements
from tests.stories import rich_story, with_texts

TURNS = (0, 67, 139, 211)
"""By how many places payloads are moved on, so that each meets several kinds of field."""
OPENED = TURNS[::2]
"""Those that are opened in a browser, which takes seconds; all are parsed without one."""
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20\u2212]")
DRAWN = ("text", "line", "span", "path", "g", "rect")
"""Longer names take more lines, frames and leaders in a picture, and words get spans that keep them whole."""


def attacked(turn: int) -> Story:
    """Every text of the story is a payload with its number."""
    numbers = iter(range(10_000))

    def attack(_: str) -> str:
        number = next(numbers)
        return f"{PAYLOADS[(number + turn) % len(PAYLOADS)]} {number}"

    return with_texts(rich_story(), attack)


def twin() -> Story:
    """The same story with a harmless word in each place."""
    numbers = iter(range(10_000))
    return with_texts(rich_story(), lambda _: f"word {next(numbers)}")


def panel(story: Story, names: tuple[str, ...]) -> Story:
    """With the question of what if, about candidates of these names."""
    free = (0.0, 0.0, 0.0)
    terms = tuple(
        Terms(name=name, simplicity=place, states="m?x", fixed=(free, free), each=(free, free), at_least=(0, 0))
        for place, name in enumerate(names)
    )
    goals = ("60 %", "80 %", "90 %")
    asked = WhatIf(noun="target", goals=goals, own=1, candidates=terms, unit="USD", machine_hour=0.4, volume=10_000)
    return dataclasses.replace(story, what_if=asked)


def test_the_corpus_is_large_and_holds_nothing_twice() -> None:
    assert len(PAYLOADS) == len(set(PAYLOADS)) >= 150
    assert len(with_texts_counted()) > len(PAYLOADS), "each payload stands somewhere in each turn"


def with_texts_counted() -> list[str]:
    seen: list[str] = []
    with_texts(rich_story(), lambda text: seen.append(text) or text)  # type: ignore[func-returns-value]
    return seen


# ---------------------------------------------------------------- the page


def elements(page: Any) -> Counter[str]:
    """Tags of the page as the browser built it."""
    tags = page.evaluate("[...document.querySelectorAll('*')].map(each => each.tagName.toLowerCase())")
    return Counter(tag for tag in tags if tag not in DRAWN)


def assert_nothing_acted(seen: Any) -> None:
    page = seen.page
    assert page.evaluate("window.hit") is None
    assert page.evaluate("({}).hit") is None
    assert seen.asked_for() == [page.url]
    assert (seen.dialogs, seen.errors) == ([], [])
    assert len(page.context.pages) == 1
    attributes = page.evaluate("[...document.querySelectorAll('*')].flatMap(each => each.getAttributeNames())")
    assert not [name for name in set(attributes) if name.startswith("on") or name in ("ping", "srcdoc", "action")]
    links = page.evaluate("[...document.querySelectorAll('[href], [src]')].map(each => each.getAttribute('href'))")
    assert set(links) <= OWN_LINKS


def test_no_payload_acts_in_the_page_or_makes_an_element(opened: Any) -> None:  # noqa: F811
    harmless = elements(opened(twin()).page)
    for turn in OPENED:
        seen = opened(attacked(turn))
        seen.page.mouse.move(400, 300)
        seen.page.keyboard.press("Tab")
        assert_nothing_acted(seen)
        assert elements(seen.page) == harmless
        assert not INVISIBLE.search(seen.page.content())
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 1280, "a long word makes the page wider than the screen"


def test_no_payload_acts_in_the_script_of_the_page(opened: Any) -> None:  # noqa: F811
    harmless = opened(panel(twin(), tuple(f"name {number}" for number in range(len(PAYLOADS))))).page
    seen = opened(panel(attacked(0), PAYLOADS))
    for goal in ("0", "1", "2"):
        seen.page.locator("#what-if-goal").fill(goal)
    assert_nothing_acted(seen)
    assert elements(seen.page) == elements(harmless)
    shown = seen.page.locator("#what-if-rows th").all_text_contents()
    assert Counter(shown) == Counter(map(clean, PAYLOADS)), "each name stands there letter by letter"


# ---------------------------------------------------------------- every other format


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", reports.names())
def test_nothing_invisible_or_steering_stands_in_any_format(name: str, turn: int) -> None:
    text = reports.render(attacked(turn), name)
    assert not INVISIBLE.search(text)
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize("turn", TURNS)
def test_a_page_without_a_browser_has_the_elements_of_its_harmless_twin(turn: int) -> None:
    plain, hostile = (Elements(reports.render(story, "html")) for story in (twin(), attacked(turn)))
    assert {tag: n for tag, n in hostile.tags.items() if tag not in DRAWN} == {
        tag: n for tag, n in plain.tags.items() if tag not in DRAWN
    }
    assert set(hostile.attributes) == set(plain.attributes)


@pytest.mark.parametrize("turn", TURNS)
def test_junit_is_valid_xml_with_the_same_tests(turn: int) -> None:
    text = reports.render(attacked(turn), "junit")
    assert not NOT_IN_XML.search(text)
    assert "<!DOCTYPE" not in text
    plain, hostile = (ET.fromstring(reports.render(story, "junit")) for story in (twin(), attacked(turn)))
    assert [element.tag for element in hostile.iter()] == [element.tag for element in plain.iter()]


def kinds(text: str) -> Counter[str]:
    """Kinds of everything that Markdown makes of it."""
    return Counter(
        part.type
        for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
        for part in (token, *(token.children or ()))
        if part.type not in ("text", "softbreak", "html_inline", "inline")
    )


@pytest.mark.parametrize("turn", TURNS)
def test_markdown_has_the_structure_of_its_harmless_twin(turn: int) -> None:
    short = with_texts(attacked(turn), lambda text: text[:200] + text[-4:])
    plain, hostile = (reports.render(story, "markdown") for story in (twin(), short))
    assert "does not fit here" not in hostile
    assert kinds(hostile) == kinds(plain)
    assert not {"link_open", "image", "code_inline", "fence", "code_block", "em_open", "s_open"} & set(kinds(hostile))
    assert hostile.count("<!-- -->") == hostile.count("<!--") == hostile.count("-->")
    assert set(re.findall(r"</?[a-zA-Z!?][^>]*>", hostile.replace("<!-- -->", ""))) <= {
        *("<details>", "</details>", "<summary>", "</summary>")
    }


@pytest.mark.parametrize("turn", TURNS)
def test_json_is_one_document_that_holds_the_cleaned_texts(turn: int) -> None:
    document = json.loads(reports.render(attacked(turn), "json"))
    assert document["headline"] == clean(attacked(turn).headline)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("coloured", [False, True])
def test_the_terminal_gets_only_the_escapes_that_are_ours(turn: int, coloured: bool) -> None:
    stream = io.StringIO()
    colours = "standard" if coloured else None
    show(attacked(turn), Console(file=stream, width=100, force_terminal=coloured, color_system=colours))  # type: ignore[arg-type]
    text = stream.getvalue()
    ours = re.sub(r"\x1b\[[0-9;]*m", "", text) if coloured else text
    assert not INVISIBLE.search(ours)
    assert "\x1b[8m" not in text, "nothing is hidden"


@pytest.mark.parametrize("payload", GROUPS["formulas"], ids=ascii)
def test_no_cell_of_a_spreadsheet_is_a_formula(payload: str) -> None:
    cell = as_cell(payload)
    assert not FORMULA.match(visible(cell))
    assert cell.endswith(payload)


def visible(cell: str) -> str:
    """What a spreadsheet makes of the beginning: many drop what they cannot show."""
    return "".join(letter for letter in cell if unicodedata.category(letter) not in ("Cc", "Cf") or letter in "\t\r\n")


def test_words_stay_as_they_are_in_a_cell() -> None:
    for text in ("refund", "a = b", "5 - 3", "", "'quoted'", "mail@example.com"):
        assert as_cell(text) == text


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload)[:24])
def test_cleaning_leaves_nothing_that_is_cleaned_again(payload: str) -> None:
    once = clean(payload)
    assert clean(once) == once
    assert not INVISIBLE.search(once)
    assert not NOT_IN_XML.search(once)


# ---------------------------------------------------------------- a whole run

STEERING = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]")
"""What no line on a terminal and no cell of a table holds, line ends and tabs apart."""
MODELS = ("<img src=x onerror=window.hit=1>|[x](javascript:hit)", "=cmd|' C calc'!A0\u202e\x9b31m</script>")
"""Names of two models: they stand in the names of candidates."""
SLICE = "<svg onload=window.hit=1>`|=1"
NAME = "<script>window.hit=1</script> {{ 7*7 }} [x](javascript:hit) \u202e\x9b31m"


def readable(payload: str) -> str:
    """As a data file can hold it: half characters and NUL are refused there (`tests/data/test_bad_input.py`)."""
    return re.sub("[\x00\ud800-\udfff]", "?", payload)[:300]


def write_attack(desk: Path, address: str, embedder: Path) -> Path:
    """A task of questions about documents in which everything is a payload that a person or a data file can set."""
    texts = [readable(payload) for payload in PAYLOADS]
    rows = [
        {
            "id": f"{number} {text}"[:80],
            "input": f"{text} {number * 7919}",
            "output": f"{text} {number % 7}",
            SLICE: texts[number % 3],
            "document_ids": [f"{number % 40} {texts[number % 40]}"],
        }
        for number, text in enumerate(texts)
    ]
    documents = [
        {"id": f"{number} {text}", "title": text, "text": f"{text} {number}"} for number, text in enumerate(texts[:40])
    ]
    spec = {
        "name": NAME,
        "instruction": " ".join(texts[::25]),
        "kind": "qa",
        "examples": "rows.jsonl",
        "documents": "documents.jsonl",
        "target": 0.9,
        "slices": [SLICE],
        "models": [{"name": name, "model": "m", "endpoint": address, "concurrency": 1} for name in MODELS],
        "embedder": str(embedder),
    }
    desk.mkdir()
    for name, values in (("rows", rows), ("documents", documents)):
        (desk / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in values), encoding="utf-8")
    (desk / "task.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return desk / "task.yaml"


def hostile_server(server: HTTPServer) -> str:
    """Answers every request with the next payload, half characters and NUL among them."""
    turns = itertools.cycle(PAYLOADS)

    def answer(_: Request) -> Response:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": next(turns)}}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return Response(json.dumps(whole), content_type="application/json")

    server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(answer)
    return str(server.url_for("/v1"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    """A run whose every field is an attack, and whose servers answer with attacks."""
    desk = tmp_path_factory.mktemp("place") / "desk"
    approaches = ("majority", "copy nearest", f"prompting @ {MODELS[0]}", f"retrieval @ {MODELS[1]}")
    with HTTPServer() as server:
        task = write_attack(desk, hostile_server(server), model_folders.embedder)
        wishes = Wishes(approaches=approaches, effort="quick", probes="none", second_seed=False)
        found = advise(task, out=desk / "run", wishes=wishes).evaluations
    assert {each.candidate for each in found} == set(approaches)
    assert all(each.scores for each in found), [each.problem for each in found]
    return desk / "run"


def spelled_out(text: str) -> str:
    """Without any sign that could mean something; different texts stay different, since equal answers are shown together."""
    return re.sub(r"[^\w\s%.,:-]|_", lambda sign: f"x{ord(sign.group()):x}", clean(text))


def test_a_hostile_run_is_told_in_every_format_and_nothing_acts(
    run: Path,
    tmp_path: Path,
    opened: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = [part for name in reports.names() for part in ("--format", name)]
    answers = ("--answers", str(tmp_path / "answers.csv"))
    done = call(capsys, "report", str(run), "--cases", "all", "--out", str(tmp_path), "--explain", *wanted, *answers)
    assert done.code in (0, 100, 101), done.err
    assert not STEERING.search(done.out + done.err)
    files = {name: (tmp_path / f"report{reports.suffix(name)}").read_text(encoding="utf-8") for name in reports.names()}
    assert not [name for name, text in files.items() if INVISIBLE.search(text)]
    json.loads(files["json"])
    ET.fromstring(files["junit"])
    assert not {"link_open", "image", "code_inline", "fence"} & set(kinds(files["markdown"]))
    told = reopen(run, cases="all").story
    harmless = opened(with_texts(told, spelled_out)).page
    seen = opened(told)
    assert_nothing_acted(seen)
    assert told.cases is not None
    assert len(told.cases.cases) > 20
    assert elements(seen.page) == elements(harmless)


def test_the_answers_of_a_hostile_run_are_a_table_that_nothing_executes(run: Path, tmp_path: Path) -> None:
    count = write_answers(run, tmp_path / "answers.csv")
    write_answers(run, tmp_path / "answers.parquet")
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == count + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if STEERING.search(cell)]
    assert not [cell for cell in cells if FORMULA.match(visible(cell))]
    table = pyarrow.parquet.read_table(tmp_path / "answers.parquet")
    assert table.num_rows == count
    written = {text for column in ("candidate", "id", "input", "answer") for text in table.column(column).to_pylist()}
    assert not [text for text in written if STEERING.search(text)]
    assert any("HYPERLINK" in text for text in written)


COMMANDS = (
    ("check", "TASK"),
    ("check", "TASK", "--json"),
    ("ask", "TASK", "--volume", "10", "--facts-change", "never"),
    ("run", "TASK", "--dry-run"),
    ("run", "TASK", "--approach", "\x1b[31m\u202e<script>"),
    ("run", "\x1b[31m\u202e<script>"),
    ("runs", "DESK"),
    ("runs", "DESK", "--json"),
    ("report", "RUN", "--json"),
    ("report", "RUN", "--format", "\x1b[31m\u202e"),
    ("compare", "RUN", "RUN"),
    ("compare", "RUN", "RUN", "--json"),
    ("export", "RUN", "OUT", "--candidate", f"prompting @ {MODELS[0]}"),
    ("predict", "RUN", "TASK", "--candidate", "\x1b[31m\u202e"),
    ("price", "\x1b[31m\u202e"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda each: " ".join(each)[:30].encode("unicode_escape").decode())
def test_no_command_lets_a_text_of_a_hostile_run_steer_the_terminal(
    arguments: tuple[str, ...], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"TASK": run.parent / "task.yaml", "DESK": run.parent, "RUN": run, "OUT": tmp_path / "out"}
    done = call(capsys, *(str(places.get(each, each)) for each in arguments))
    assert done.code in (0, 2, 100, 101), done.err
    assert not STEERING.search(done.out + done.err)
    if "--json" in arguments:
        json.loads(done.out)


def test_pages_over_hostile_runs_have_the_elements_that_they_always_have(run: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for name in ("<img src=x onerror=window.hit=1>", "\x1b[31m\u202e&quot;"):
        shutil.copytree(run, runs / name)
        write_reports(reopen(run), runs / name)
    assert build(runs, tmp_path / "site") == 2
    for page in (tmp_path / "site").iterdir():
        text = page.read_text(encoding="utf-8")
        assert not INVISIBLE.search(text)
        found = Elements(text)
        assert not {"img", "iframe", "svg/onload", "base"} & set(found.tags)
        assert not [name for name in found.attributes if name.startswith("on")]
        assert all(link in OWN_LINKS or re.fullmatch(r"[\w-]+\.html", link) for link in found.links), found.links


def test_the_card_of_an_export_makes_nothing_of_the_texts(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "out", candidate=f"prompting @ {MODELS[0]}")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert not INVISIBLE.search(card)
    assert not {"link_open", "image", "html_block"} & set(kinds(card))
    assert kinds(card)["fence"] == 3
