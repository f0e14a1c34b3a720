"""HTML pages as documents: what a reader sees, with headings and lists as lines; scripts and hidden parts are left out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_LINE_BYTES, Record, named_by, package
from strategies.retrieval.versions import day

SUFFIXES = (".html", ".htm", ".xhtml")
_UNSEEN = ("title", "script", "style", "template", "noscript", "svg", "nav", "iframe", "object")
"""Of a head no more than its parts: where its end is left out, as it may be, the parser puts the body into it."""
_GROUPS = {
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "div",
    "fieldset",
    "footer",
    "header",
    "html",
    "main",
    "section",
}
_LISTS = {"dd", "dl", "dt", "li", "ol", "ul"}
_TABLES = {"table", "tbody", "tfoot", "thead", "tr"}
_OTHERS = {"details", "figcaption", "figure", "hr", "p", "pre", "summary"}
_CELLS = ("td", "th")
_MARKS = {**{f"h{level}": f"{'#' * level} " for level in range(1, 7)}, "li": "- "}
_BLOCKS = _GROUPS | _LISTS | _TABLES | _OTHERS | _MARKS.keys()
_HEADINGS = {*_MARKS} - {"li"}
_NAMING = _HEADINGS | {"summary", "dt"}
"""A button in one of these opens what it is the title of; others are no text."""
_LAYOUT = [*_HEADINGS, *_TABLES, *_CELLS]
"""A cell with one of these lays out a page, or its end was left out: its lines are kept apart."""
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def document(path: Path, name: str) -> Record:
    """The visible text of the page. Raises `BadInput` for a page above 10 MB, or where Beautiful Soup is not installed."""
    soups = package("bs4", "HTML", name)
    if path.stat().st_size > MAX_LINE_BYTES:
        raise BadInput(f"{name} is larger than 10 MB. Cut it into several documents.")
    try:
        with warnings.catch_warnings():  # Of XHTML, and of texts that look like an address or a file name.
            warnings.simplefilter("ignore", soups.UnusualUsageWarning)
            page = soups.BeautifulSoup(path.read_bytes(), "html.parser")
        title = (page.title.get_text(" ", strip=True) if page.title else "") or _first_heading(page) or named_by(path)
        date = _date(page)
        for unseen in page(list(_UNSEEN)):
            unseen.decompose()
        for hidden in [each for each in page(True) if _is_hidden(each)]:
            hidden.decompose()
        text = _lines(soups, page)
    except (RecursionError, ValueError, AssertionError, soups.ParserRejectedMarkup):
        raise BadInput(f"{name} cannot be read as HTML. Save the page anew, or as text.") from None
    return Record(name, {"id": name, "title": title, "text": text, "date": date})


def _is_hidden(element: Any) -> bool:
    return not element.decomposed and (
        element.has_attr("hidden") or bool(_NOT_SHOWN.search(str(element.get("style") or "")))
    )


def _first_heading(page: Any) -> str:
    heading = page.find("h1")
    return heading.get_text(" ", strip=True) if heading else ""


def _date(page: Any) -> str:
    """The day that the page states in its head, as ISO 8601; as it is written where no whole day can be told from it."""
    for name in ("article:modified_time", "article:published_time", "date", "last-modified"):
        stated = page.find("meta", attrs={"property": name}) or page.find("meta", attrs={"name": name})
        if stated is not None:
            written = " ".join(str(stated.get("content") or "").split())
            return found if len(found := day(written)) == len("2026-03-01") else written
    return ""


def _lines(soups: Any, page: Any) -> str:
    """Blocks one below the other, an empty line between them but in lists and tables; cells of a row in one line.

    Paragraphs, lists and line breaks in a cell do not end that line, but in a row of one cell. An empty cell keeps its place, so
    that what stands behind it is still below its heading.
    """
    blocks: list[str] = []
    last = ""
    words: list[str] = []
    beside = False

    def close(block: str = "") -> None:
        nonlocal last, beside
        line = " ".join("".join(words).split())
        words.clear()
        if line.strip("| ") if beside else line:
            together = block in ("li", "tr") and last == block
            blocks.append(("" if not blocks else "\n" if together else "\n\n") + _MARKS.get(block, "") + line)
            last = block
        beside = False

    for kind, value in _walked(soups, page):
        if kind == "text":
            words.append(value)
        elif kind == "cell":
            words.append(" | " if beside or "".join(words).strip() else "")
            beside = True
        elif kind == "open":
            close()
        else:
            close(value)
    close()
    return "".join(blocks)


def _walked(soups: Any, page: Any) -> Iterator[tuple[str, str]]:
    """What stands in the page from top to bottom, without recursion, since pages nest as deep as they like."""
    stack: list[tuple[Any, bool, bool]] = [(page, False, False)]
    while stack:
        here, joined, naming = stack.pop()
        if isinstance(here, tuple):
            yield here
        elif isinstance(here, soups.Tag):
            name = here.name
            if name == "button" and not naming:
                continue
            joined, naming = joined or _is_one_line(here), naming or name in _NAMING
            if name == "br":
                yield ("text", " ") if joined else ("close", "")
            if name in _CELLS:
                yield "cell", ""
            if name in _BLOCKS:
                yield ("text", " ") if joined else ("open", name)
                stack.append((("text", " ") if joined else ("close", name), joined, naming))
            stack.extend((child, joined, naming) for child in reversed(list(here.children)))
        elif isinstance(here, soups.NavigableString) and not isinstance(here, soups.element.PreformattedString):
            yield "text", str(here)


def _is_one_line(element: Any) -> bool:
    """Whether it is a cell beside others whose paragraphs and list items belong to the line of its row."""
    if element.name not in _CELLS or element.find(_LAYOUT):
        return False
    return bool(element.find_next_sibling(_CELLS) or element.find_previous_sibling(_CELLS))
