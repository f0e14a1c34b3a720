"""PDF files as documents: the text of their pages, in order. Pictures of text hold none."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_LINE_BYTES, Record, named_by, package

SUFFIXES = (".pdf",)
_MOST_BYTES, _MOST_PAGES = 100_000_000, 2_000


def document(path: Path, name: str) -> Record:
    """The text of all pages, an empty line between them.

    Raises `BadInput` for a file that is damaged or locked by a password, for more than 2,000 pages or 10 MB of text, and
    where pypdf is not installed.
    """
    pypdf = package("pypdf", "PDF", name)
    if path.stat().st_size > _MOST_BYTES:
        raise BadInput(f"{name} is larger than 100 MB. Cut it into several documents.")
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        with path.open("rb") as file:
            pages = pypdf.PdfReader(file)
            if pages.is_encrypted and not pages.decrypt(""):
                raise BadInput(f"{name} is locked by a password. Save it without one.")
            if len(pages.pages) > _MOST_PAGES:
                raise BadInput(f"{name} has {len(pages.pages):,} pages; at most {_MOST_PAGES:,} are read. Cut it.")
            text = "\n\n".join(_texts(pages.pages, name))
            title = str(pages.metadata.title or "") if pages.metadata else ""
    except BadInput:
        raise
    except Exception as error:  # A damaged file ends in nearly any error of the library.
        said = type(error).__name__
        raise BadInput(f"{name} is not a readable PDF ({said}). Save it anew, or as text.") from None
    return Record(name, {"id": name, "title": title.strip() or named_by(path), "text": text, "date": ""})


def _texts(pages: Iterable[Any], name: str) -> Iterator[str]:
    """Of each page. What is drawn many times stands in the file once, so it is counted while a page is read, too."""
    room = MAX_LINE_BYTES

    def seen(text: str, *_: Any) -> None:
        nonlocal room
        room -= len(text)
        if room < 0:
            raise BadInput(f"{name} holds more than 10 MB of text. Cut it into several documents.")

    for page in pages:
        before = room
        text = page.extract_text(visitor_text=seen)
        room = before
        seen(text)
        yield text
