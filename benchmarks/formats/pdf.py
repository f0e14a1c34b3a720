"""PDF files as documents: the text of their pages, in order. Pictures of text hold none."""

from __future__ import annotations

import logging
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import Record, named_by, package

SUFFIXES = (".pdf",)
_MOST_BYTES, _MOST_PAGES = 100_000_000, 2_000


def document(path: Path, name: str) -> Record:
    """The text of all pages, an empty line between them.

    Raises `BadInput` for a file that is damaged, locked by a password, or longer than 2,000 pages, or where pypdf is not
    installed.
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
            text = "\n\n".join(page.extract_text() for page in pages.pages)
            title = str(pages.metadata.title or "") if pages.metadata else ""
    except BadInput:
        raise
    except Exception as error:  # A damaged file ends in nearly any error of the library.
        said = type(error).__name__
        raise BadInput(f"{name} is not a readable PDF ({said}). Save it anew, or as text.") from None
    return Record(name, {"id": name, "title": title.strip() or named_by(path), "text": text, "date": ""})
