"""The HTML report in a real browser: it opens from disk, asks for nothing, fits every screen, and lets no text act."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from advisor import reports
from advisor.contract import Story
from advisor.drawn import Picture, Point
from advisor.panel import Terms, WhatIf
from benchmarks.contract import State
from tests.reports.test_reports import HOSTILE, STEERING
from tests.stories import empty_story, rich_story, with_texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = (320, 400, 720, 1280, 1920)
LOOKS = [
    (400, "light"),
    (1280, "dark"),
    *(pytest.param(*look, marks=pytest.mark.nightly) for look in ((400, "dark"), (1280, "light"))),
]
"""Widths and colours of a page: each of them, and by night all pairs."""


def browser_program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = browser_program()
    if found is None:
        said = "no Chromium is installed (Debian: apt-get install chromium), so the page was not opened"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield started
        started.close()


@dataclasses.dataclass
class Opened:
    """A page that was opened from disk, and what happened meanwhile."""

    page: Page
    requests: list[str]
    errors: list[str]
    dialogs: list[str]

    def asked_for(self) -> list[str]:
        """What it asked for, once nothing more is on its way."""
        self.page.wait_for_load_state("networkidle")
        return [url for url in self.requests if not url.startswith("data:")]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    contexts = []

    def open_story(story: Story, width: int = 1280, **options: Any) -> Opened:
        file = tmp_path / "report.html"
        file.write_text(reports.render(story, "html"), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        seen = Opened(page=page, requests=[], errors=[], dialogs=[])
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.errors.append(message.text))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("dialog", lambda dialog: seen.dialogs.append(dialog.message))
        page.goto(file.as_uri())
        return seen

    yield open_story
    for context in contexts:
        context.close()


@pytest.mark.parametrize("story", [rich_story(), empty_story()], ids=["rich", "empty"])
def test_the_page_opens_from_disk_and_asks_for_nothing_else(opened: Any, story: Story) -> None:
    seen = opened(story)
    assert seen.asked_for() == [seen.page.url]
    assert seen.page.url.startswith("file://")
    assert seen.errors == []
    assert seen.page.locator("h1").count() == 1
    assert seen.page.locator("h1").is_visible()


def test_the_page_fits_every_width_and_shows_each_figure_once(opened: Any) -> None:
    page = opened(rich_story()).page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.picture:visible").count() == page.locator("figure").count() == 7
        box = page.locator("h1").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] < 400


@pytest.mark.parametrize("width", [400, 1280])
def test_hostile_text_makes_no_element_dialog_or_request(opened: Any, width: int) -> None:
    plain = dataclasses.replace(rich_story(), cases=None)
    story = with_texts(plain, lambda text: f"{HOSTILE}{STEERING}<b onclick=alert(1)>alert(1)</b> {text}")
    seen = opened(story, width)
    page = seen.page
    assert (
        page.locator(
            "script, img, iframe, object, embed, form, b, a:not(.skip, .contents a), [onerror], [onload]"
        ).count()
        == 0
    )
    assert page.evaluate("window.hit") is None
    assert seen.dialogs == []
    assert seen.asked_for() == [page.url]
    assert seen.errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "<script>window.hit=1</script>" in page.locator("h1").inner_text()


def _crowd() -> Story:
    """Fourteen approaches with long names, many of them at nearly the same place."""
    points = tuple(
        Point(
            name=f"approach number {number} with a name that is long @ smollm2-135m",
            cost=None if number % 7 == 6 else 1000.0 * (1 + number % 5),
            figure=0.76 + 0.01 * (number % 9),
            lower=0.72 + 0.01 * (number % 9),
            upper=0.80 + 0.01 * (number % 9),
            state=list(State)[number % 3],
        )
        for number in range(14)
    )
    picture = Picture(title="accuracy against cost", cost_unit="USD", points=points, target=0.8)
    return dataclasses.replace(rich_story(), picture=picture, choice=points[3].name)


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("story", [rich_story(), _crowd()], ids=["rich", "crowd"])
def test_no_text_of_a_figure_covers_another_or_leaves_it(opened: Any, story: Story, width: int) -> None:
    page = opened(story, width).page
    figures = page.locator("svg.picture:visible")
    assert figures.count() == 7
    for number in range(figures.count()):
        assert_apart(figures.nth(number), width)


def assert_apart(figure: Any, width: int) -> None:
    boxes = figure.locator("text").evaluate_all(
        "all => all.map(text => [text.textContent, text.getBoundingClientRect()])"
        ".map(([text, box]) => [text, box.left, box.top, box.right, box.bottom])"
    )
    assert len(boxes) > 6
    edge = figure.evaluate("svg => svg.getBoundingClientRect().right") + 2
    for index, (text, left, top, right, bottom) in enumerate(boxes):
        assert left >= 0, text
        assert right <= min(width, edge), text
        for other, *edges in boxes[index + 1 :]:
            apart = left >= edges[2] - 1 or edges[0] >= right - 1 or top >= edges[3] - 3 or edges[1] >= bottom - 3
            assert apart, f"{text!r} covers {other!r}"


def test_tables_and_picture_have_names_for_people_who_cannot_see_them(opened: Any) -> None:
    page = opened(rich_story(), 400).page
    for title in (rich_story().main.title, rich_story().costs.title):
        assert page.get_by_role("table", name=title, exact=True).count() == 1
    picture = page.get_by_role("img", name="Accuracy against the cost of 12 months")
    assert picture.count() == 1
    assert page.get_by_role("row").count() > 20
    assert page.get_by_role("rowheader").count() > 20


def test_the_page_follows_the_colour_scheme_and_prints_in_light(opened: Any) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    page = opened(rich_story(), 1280, color_scheme="dark").page
    dark = page.evaluate(ground)
    page.emulate_media(media="screen", color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(media="print", color_scheme="dark")
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(21, 24, 27)")
    assert page.evaluate(ground) == light
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 25, 28)"
    assert not page.locator(".skip").is_visible()
    assert len(page.pdf(format="A4")) > 20_000


SHEETS = {"A4": (210, 297), "Letter": (215.9, 279.4)}
"""Millimetres."""
SIDES, ENDS = 2 * 14, 2 * 13
"""Margins that the page asks for."""


@pytest.mark.parametrize("sheet", SHEETS)
def test_what_decides_fits_the_first_sheet_of_paper(opened: Any, sheet: str) -> None:
    from advisor.experiments.example import opened as example
    from advisor.experiments.stored import reopen

    wide, high = ((side - margin) / 25.4 * 96 for side, margin in zip(SHEETS[sheet], (SIDES, ENDS), strict=True))
    with example() as run:
        told = reopen(run).story
    steps = [step for step in rich_story().next_steps for _ in range(4)]
    full = dataclasses.replace(rich_story(), next_steps=tuple(steps), would_change=tuple(steps))
    for story in (told, rich_story(), full):
        page = opened(story, int(wide)).page
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('#results')).breakBefore") == "page"
        memo = page.locator("#next").bounding_box()
        assert page.locator("#a-month").is_visible()
        assert memo["y"] + memo["height"] <= high
        assert not page.locator(".contents").is_visible()


def test_paper_holds_the_numbers_that_a_screen_folds_away(opened: Any) -> None:
    page = opened(rich_story(), 1280).page
    assert not page.locator("#numbers-apart table").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#numbers-apart table").is_visible()


def test_a_reader_without_a_mouse_gets_to_every_part(opened: Any) -> None:
    page = opened(rich_story(), 1280).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for link in page.locator("nav.contents a").all():
        link.focus()
        page.keyboard.press("Enter")
        name = (link.get_attribute("href") or "").removeprefix("#")
        top = page.locator(f"[id='{name}']").bounding_box()["y"]
        bottom = page.evaluate("document.documentElement.scrollHeight - scrollY - innerHeight")
        assert abs(top) < 2 or bottom < 2, name


SCROLLING = """() => [...document.querySelectorAll(".scroll")].filter((each) =>
    getComputedStyle(each).overflowX !== "visible" && each.scrollWidth > each.clientWidth).length"""


def test_every_table_fits_and_only_one_that_does_not_is_a_stop_of_the_keyboard(opened: Any) -> None:
    page = opened(dataclasses.replace(rich_story(), what_if=some_panel()), 1280).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.locator(".scroll").count() > 20
    for width in (320, 744, 820, 1024, 1152, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(SCROLLING) == 0, width
    assert stops(page) == set()
    page.add_style_tag(content="#costs table { min-width: 200rem; }")
    assert page.evaluate(SCROLLING) == 1
    assert stops(page) == {"costs-caption"}


def stops(page: Any) -> set[str | None]:
    """Tables that the keyboard comes by on its way through the page, by the id of their caption."""
    found = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(page.locator("a, button, input, summary").count() + 5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.scroll')"):
            found.add(page.evaluate("document.activeElement.getAttribute('aria-labelledby')"))
    return found


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_that_keeps_people_out(opened: Any, width: int, scheme: str) -> None:
    """Names, contrast, order of headings, landmarks, keyboard: the rules of axe-core, its best practices included."""
    from axe_playwright_python.sync_playwright import Axe

    story = dataclasses.replace(rich_story(), what_if=some_panel())
    page = opened(story, width, color_scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def some_panel() -> WhatIf:
    free = (0.0, 0.0, 0.0)
    terms = [
        Terms(
            name=name, simplicity=place, states="m?x", fixed=(free, free), each=(free, (1.0, 0.9, 1.1)), at_least=(0, 0)
        )
        for place, name in enumerate(("one", "two"))
    ]
    goals = ("60 %", "80 %", "90 %")
    return WhatIf(
        noun="target", goals=goals, own=1, candidates=tuple(terms), unit="USD", machine_hour=0.4, volume=10_000
    )


def test_the_numbers_of_a_figure_open_by_keyboard_and_are_a_table(opened: Any) -> None:
    page = opened(rich_story(), 400, java_script_enabled=False).page
    summary = page.locator("#numbers-volumes summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#numbers-volumes table").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_page_needs_no_script(opened: Any) -> None:
    page = opened(rich_story(), 1280, java_script_enabled=False).page
    assert page.locator("h1").is_visible()
    for summary in page.locator("details > summary:visible").all():
        summary.click()
    assert page.locator("table:visible").count() == page.locator("table:not(#what-if table)").count() > 14
