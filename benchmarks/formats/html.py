"""HTML pages as documents: what a reader sees, with headings and lists as lines; scripts and hidden parts are left out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_LINE_BYTES, Record, named_by, package

SUFFIXES = (".html", ".htm", ".xhtml")
_UNSEEN = ("script", "style", "template", "noscript", "svg", "head", "nav", "iframe", "object", "button")
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
_OTHERS = {"figcaption", "figure", "hr", "p", "pre"}
_MARKS = {**{f"h{level}": f"{'#' * level} " for level in range(1, 7)}, "li": "- "}
_BLOCKS = _GROUPS | _LISTS | _TABLES | _OTHERS | _MARKS.keys()
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
    """The day that the page states in its head."""
    for name in ("article:modified_time", "article:published_time", "date", "last-modified"):
        stated = page.find("meta", attrs={"property": name}) or page.find("meta", attrs={"name": name})
        if stated is not None:
            return str(stated.get("content") or "")[:10]
    return ""


def _lines(soups: Any, page: Any) -> str:
    """Blocks one below the other, an empty line between them but in lists and tables; cells of a row in one line."""
    blocks: list[str] = []
    last = ""
    words: list[str] = []

    def close(block: str = "") -> None:
        nonlocal last
        line = " ".join("".join(words).split())
        words.clear()
        if line:
            together = block in ("li", "tr") and last == block
            blocks.append(("" if not blocks else "\n" if together else "\n\n") + _MARKS.get(block, "") + line)
            last = block

    for kind, value in _walked(soups, page):
        if kind == "text":
            words.append(value)
        elif kind == "cell":
            words.append(" | " if "".join(words).strip() else "")
        elif kind == "open":
            close()
        else:
            close(value)
    close()
    return "".join(blocks)


def _walked(soups: Any, page: Any) -> Iterator[tuple[str, str]]:
    """What stands in the page from top to bottom, without recursion, since pages nest as deep as they like."""
    stack: list[Any] = [page]
    while stack:
        here = stack.pop()
        if isinstance(here, tuple):
            yield here
        elif isinstance(here, soups.Tag):
            name = here.name
            if name == "br":
                yield "close", ""
            if name in ("td", "th"):
                yield "cell", ""
            if name in _BLOCKS:
                yield "open", name
                stack.append(("close", name))
            stack.extend(reversed(list(here.children)))
        elif isinstance(here, soups.NavigableString) and not isinstance(here, soups.element.PreformattedString):
            yield "text", str(here)
