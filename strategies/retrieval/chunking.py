"""Cuts documents into passages that respect sentences and headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strategies.contract import Document

PASSAGE_WORDS = 130
"""A passage of this many words stays inside the 256 tokens that the default embedder reads."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Characters `start` to `end` of a document; `text` is what is shown, its title and date in front."""

    document_id: str
    text: str
    start: int
    end: int
    date: str = ""
    family: str = ""
    """What versions of one document have in common: the words of its title; empty without a date."""

    @property
    def heading(self) -> str:
        """Title and date, as they stand in front."""
        return self.text[: len(self.text) - (self.end - self.start)]


def cut(documents: Sequence[Document], words: int = PASSAGE_WORDS) -> list[Passage]:
    """Passages of at most `words` words, in document order."""
    import semchunk

    chunkerify: Any = semchunk.chunkerify  # type: ignore[attr-defined]  # its overloads hide the plain case
    chunker = chunkerify(lambda text: len(text.split()), words)
    passages = []
    for document in documents:
        chunks, offsets = chunker(document.text, offsets=True)
        for chunk, (start, _) in zip(chunks, offsets, strict=True):
            text = chunk.strip()
            first = start + chunk.index(text)
            passages.append(
                Passage(
                    document_id=document.id,
                    text=heading(document) + text,
                    start=first,
                    end=first + len(text),
                    date=document.date,
                    family=family(document),
                )
            )
    return passages


def family(document: Document) -> str:
    """The letters of a dated document's title: "Sick pay (2023)" and "Sick pay (2026)" are versions of one rule."""
    return " ".join(re.findall(r"[^\W\d_]+", document.title.casefold())) if document.date else ""


def heading(document: Document) -> str:
    """Title and date as they stand before a passage."""
    title = document.title.strip()
    if document.date:
        title = f"{title} ({document.date})" if title else document.date
    return f"{title}: " if title else ""
