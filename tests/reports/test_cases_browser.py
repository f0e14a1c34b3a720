"""The browser of cases in a real page: it filters as Python does, needs no script to be read, and lets no text act."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from advisor.contract import Excerpt, Grade, ShownAnswer, ShownCase, ShownCases, ShownPassage, Story
from tests.reports.test_report_browser import LOOKS, WIDTHS, Opened, browser, opened  # noqa: F401
from tests.reports.test_reports import HOSTILE, STEERING
from tests.stories import rich_story

APPROACHES = ("linear head", "LoRA", "retrieval")
LABELS = ("cancel", "login", "refund")
WORDS = ("parcel", "Lamp", "invoice <b>", "STRASSE", "&amp;")
FILL = """([name, value]) => { const field = document.getElementById(`case-${name}`); field.value = value;
    field.dispatchEvent(new Event("input", {bubbles: true})); }"""


def some_cases(number: int = 60) -> ShownCases:
    """Cases with answers by lot: of three approaches, one of which was not asked all of them."""
    lot = random.Random(7)
    cases = []
    for place in range(number):
        asked = APPROACHES if lot.random() < 0.8 else APPROACHES[:2]
        answers = {
            name: ShownAnswer(
                text=Excerpt(text=f"{lot.choice(LABELS)} by lot"), grade=lot.choice(list(Grade)), score="0.50"
            )
            for name in asked
        }
        passage = ShownPassage(id=f"d{place}", where="", before=lot.choice(WORDS), approaches=("retrieval",))
        label = lot.choice(LABELS)
        cases.append(
            ShownCase(
                id=f"c{place}",
                input=Excerpt(text=f"{lot.choice(WORDS)} {place}"),
                wanted=Excerpt(text=label),
                label=label,
                heldout=lot.random() < 0.5,
                answers=answers,
                passages=(passage,) if lot.random() < 0.3 else (),
            )
        )
    return ShownCases(
        approaches=APPROACHES, labels=LABELS, graded=True, cases=tuple(cases), total=number, says=("Some.",)
    )


def story_of(cases: ShownCases | None = None) -> Story:
    return replace(rich_story(), cases=cases or some_cases())


def wanted(case: ShownCase, asked: dict[str, str]) -> bool:
    """What the filters ask, once more in Python."""
    mine = [APPROACHES[int(asked["approach"])]] if asked.get("approach") else list(APPROACHES)
    grades = {name: case.answers[name].grade for name in APPROACHES if name in case.answers}
    letter = {"r": Grade.RIGHT, "p": Grade.PARTLY, "w": Grade.WRONG}
    if not any(name in grades for name in mine):
        return False
    if asked.get("grade") and letter[asked["grade"]] not in [grades.get(name) for name in mine]:
        return False
    right = {name: grade is Grade.RIGHT for name, grade in grades.items()}
    against = asked.get("against", "")
    if against == "mixed" and len(set(right.values())) < 2:
        return False
    if against.isdigit():
        other = APPROACHES[int(against)]
        if not any(name in right and other in right and right[name] != right[other] for name in mine):
            return False
    if asked.get("label") and case.label != LABELS[int(asked["label"])]:
        return False
    if asked.get("part") and case.heldout != (asked["part"] == "1"):
        return False
    texts = [case.input.text, case.wanted.text, *(each.text.text for each in case.answers.values())]
    texts += [passage.before for passage in case.passages]
    return asked.get("text", "").strip().lower() in "\n".join(texts).lower()


def counted(page: Any) -> int:
    return int(page.locator("#case-count").inner_text().split(" of ")[0])


def test_every_filter_and_pairs_of_them_count_as_python_does(opened: Any) -> None:  # noqa: F811
    cases = some_cases()
    seen: Opened = opened(story_of(cases))
    values = {
        "approach": ["", "0", "2"],
        "grade": ["", "r", "p", "w"],
        "against": ["", "mixed", "0", "2"],
        "label": ["", "1"],
        "part": ["", "1", "0"],
        "text": ["", "lamp", " LOGIN by", "<b>", "nowhere at all"],
    }
    counts = set()
    for one, other in itertools.combinations(values, 2):
        for first, second in itertools.product(values[one], values[other]):
            asked = {one: first, other: second}
            for name, value in asked.items():
                seen.page.evaluate(FILL, [name, value])
            expected = sum(wanted(case, asked) for case in cases.cases)
            assert counted(seen.page) == expected, asked
            counts.add(expected)
        for name in (one, other):
            seen.page.evaluate(FILL, [name, ""])
    assert len(counts) > 20
    assert seen.errors == []


def test_only_what_matches_is_visible_a_step_at_a_time(opened: Any) -> None:  # noqa: F811
    page = opened(story_of()).page
    assert page.locator(".case:visible").count() == 20
    assert page.locator("#case-count").inner_text() == "60 of 60 cases; the first 20 are shown"
    page.get_by_role("button", name="Show more cases").click()
    assert page.locator(".case:visible").count() == 40
    focused = page.evaluate("document.activeElement.parentElement === document.querySelectorAll('.case')[20]")
    assert focused, "whoever uses the keyboard goes on where the new ones begin"
    page.get_by_label("Text", exact=True).fill("nowhere at all")
    assert page.locator(".case:visible").count() == 0
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_function("document.querySelectorAll('.case:not([hidden])').length === 20")
    assert page.locator("#case-further").is_visible()


def test_a_case_opens_by_keyboard_and_shows_what_it_holds(opened: Any) -> None:  # noqa: F811
    page = opened(rich_story()).page
    page.get_by_label("Text", exact=True).fill("logging me out")
    page.get_by_label("Text", exact=True).press("Enter")
    assert page.url.startswith("file://")
    assert page.get_by_role("status").last.inner_text() == "1 of 2 cases"
    case = page.locator(".case:visible")
    case.locator("summary").press("Enter")
    for text in (
        "right",
        "wrong",
        "mobile_app_crash",
        "(no answer)",
        "handbook-12",
        "ten minutes",
        "31 more characters",
    ):
        assert text in case.inner_text(), text
    assert case.locator("mark").inner_text() == "ten minutes"


def test_without_a_script_every_case_can_be_read(opened: Any) -> None:  # noqa: F811
    page = opened(story_of(), java_script_enabled=False).page
    assert not page.locator("#case-filters").is_visible()
    assert page.locator(".case:visible").count() == 20
    page.locator("#case-rest > summary").click()
    assert page.locator(".case:visible").count() == 60
    page.locator(".case > summary").last.click()
    assert page.locator(".case").last.get_by_text("Wanted").is_visible()


def test_open_cases_fit_every_width(opened: Any) -> None:  # noqa: F811
    page = opened(_hostile("x" * 300)).page
    page.locator(".case:visible > summary").first.click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def _hostile(text: str) -> Story:
    answer = ShownAnswer(text=Excerpt(text=text, left_out=3), grade=Grade.WRONG, score=text[:20], remark=text)
    passage = ShownPassage(
        id=text, where=text, before=text, quote=text, after=text, answer=text, gold=True, approaches=(text,)
    )
    case = ShownCase(
        id=text,
        input=Excerpt(text=text),
        wanted=Excerpt(text=text),
        also=text,
        label=text,
        heldout=True,
        answers={text: answer},
        passages=(passage,),
        gold=(text,),
        gold_missed=(text,),
    )
    cases = ShownCases(approaches=(text,), labels=(text,), cases=(case,) * 30, total=30, says=(text,), notes=(text,))
    return story_of(cases)


def test_hostile_texts_of_cases_make_no_element_and_do_nothing(opened: Any) -> None:  # noqa: F811
    seen: Opened = opened(_hostile(f"{HOSTILE}{STEERING}</details></script><b onclick=alert(1)>x</b>"))
    page = seen.page
    page.locator(".case:visible > summary").first.click()
    page.get_by_label("Text", exact=True).fill("<script>")
    assert page.locator("#case-count").inner_text().startswith("30 of 30")
    bad = page.locator(
        "img, iframe, object, embed, svg:not(.picture), a:not(.skip, .contents a), [onclick], [onerror], [onload]"
    )
    assert bad.count() == 0
    assert page.locator("script").count() == 1
    assert page.evaluate("window.hit") is None
    assert (seen.dialogs, seen.errors) == ([], [])
    assert seen.asked_for() == [page.url]
    assert "<script>window.hit=1</script>" in page.locator(".case .asked-for").first.inner_text()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_in_open_cases(opened: Any, width: int, scheme: str) -> None:  # noqa: F811
    """The rest of the page has been looked at (`test_report_browser.py`)."""
    from axe_playwright_python.sync_playwright import Axe

    page = opened(rich_story(), width, color_scheme=scheme).page
    for summary in page.locator(".case > summary").all():
        summary.click()
    found = Axe().run(page, context="#cases")
    assert found.violations_count == 0, found.generate_report()


def test_the_list_is_not_printed(opened: Any) -> None:  # noqa: F811
    page = opened(story_of()).page
    page.emulate_media(media="print")
    assert page.locator(".case:visible, #case-filters:visible").count() == 0
    assert page.get_by_text("Some.").is_visible(), "what was found is"
