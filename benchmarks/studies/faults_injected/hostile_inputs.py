"""Inputs that are wrong or meant to hurt: what the command line says to each, and what a browser does with reports of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

STEP = 12
"""Every payload stands in some field of each page; from page to page they move on by so many fields."""


def inputs() -> Mapping[str, Any]:
    """Name -> what writes it into a folder; all that the tests hold."""
    from tests.bad_inputs import DATA, DOCUMENTS, SPECS
    from tests.data.test_bad_input import BAD

    tables = {"general": BAD, "spec": SPECS, "data": DATA, "documents": DOCUMENTS}
    return {f"{table}: {name}": setup for table, rows in tables.items() for name, (setup, _) in rows.items()}


def said(write: Any) -> dict[str, Any]:
    """How `advisor check` ends on a task that was written so, and what it says."""
    from click.testing import CliRunner

    from advisor.cli import main

    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        done = CliRunner().invoke(main, ["check", str(Path(name) / "task.yaml")])
    return {
        "code": done.exit_code,
        "traceback": "Traceback" in done.stderr or not isinstance(done.exception, SystemExit | None),
        "stdout": len(done.stdout),
        "sentence": " ".join(done.stderr.split())[:300],
    }


def pages() -> Iterator[dict[str, Any]]:
    """What acted while reports were opened whose every field is a payload. Raises `RuntimeError` without a Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.hostile import PAYLOADS
    from tests.reports.test_hostile_reports import attacked, elements, twin
    from tests.reports.test_report_browser import ARGUMENTS, browser_program

    program = browser_program()
    if program is None:
        raise RuntimeError("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        harmless = elements(_opened(browser, twin())[0])
        for turn in range(0, len(PAYLOADS), STEP):
            page, seen = _opened(browser, attacked(turn))
            found = elements(page)
            yield {
                "turn": turn,
                "payloads": len(PAYLOADS),
                "requests": sum(not url.startswith("data:") for url in seen["request"]) - 1,
                "dialogs": len(seen["dialog"]),
                "errors": len(seen["console"]) + len(seen["pageerror"]),
                "elements": sum((found - harmless).values()) + sum((harmless - found).values()),
                "acted": int(page.evaluate("window.hit !== undefined || ({}).hit !== undefined")),
            }
            page.context.close()
        browser.close()


def _opened(browser: Any, story: Any) -> tuple[Any, dict[str, list[str]]]:
    """The page, moved over and tabbed through, and what happened by kind of event."""
    from advisor import reports

    seen: dict[str, list[str]] = {"request": [], "console": [], "pageerror": [], "dialog": []}
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.on("request", lambda request: seen["request"].append(request.url))
    for event in ("console", "pageerror", "dialog"):
        page.on(event, lambda what, event=event: seen[event].append(str(what)))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "report.html"
        file.write_text(reports.render(story, "html"), encoding="utf-8")
        page.goto(file.as_uri())
        page.wait_for_load_state("networkidle")
        page.mouse.move(400, 300)
        page.keyboard.press("Tab")
    return page, seen
