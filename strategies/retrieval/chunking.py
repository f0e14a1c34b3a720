"""Cuts documents into passages that respect sentences and headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strategies.contract import Document
from strategies.standalone.reading import UNSPACED

PASSAGE_WORDS = 130
_TOKENS = 256
"""A passage of this many words stays inside the tokens that the default embedder reads."""

_LETTER = rf"[^\W\d_{UNSPACED}]"
_TOKEN = re.compile(rf"[{UNSPACED}]|(?<={_LETTER}{{10}}){_LETTER}{{1,2}}|{_LETTER}{{1,5}}|\d{{1,2}}|[^\w\s]|_")
"""What a tokenizer reads as one, about: a letter of these scripts, a piece of a word, of a number, or a sign. What is behind the
tenth letter of a word, such as a compound, is seldom known to it."""

SENTENCE_END = re.compile(r"(?<=[.!?])[\"'\u2019\u201d)\]]*\s+(?=[^\sa-z])|\n+|(?<=[\u3002\uff01\uff1f])")
"""Where a sentence ends: at a sign with space behind it, or with its line."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` of a document, which is not copied."""

    document: Document
    start: int
    end: int

    @property
    def document_id(self) -> str:
        return self.document.id

    @property
    def text(self) -> str:
        """What is shown: title and date in front."""
        return heading(self.document) + self.document.text[self.start : self.end]


def cut(documents: Sequence[Document], words: int = PASSAGE_WORDS) -> list[Passage]:
    """Passages of at most `words` words as `size` counts them, in document order."""
    import semchunk

    chunkerify: Any = semchunk.chunkerify  # type: ignore[attr-defined]  # its overloads hide the plain case
    chunker = chunkerify(size, words)
    passages = []
    for document in documents:
        chunks, offsets = chunker(document.text, offsets=True)
        for chunk, (start, _) in zip(chunks, offsets, strict=True):
            text = chunk.strip()
            first = start + chunk.index(text)
            passages.append(Passage(document, first, first + len(text)))
    return passages


def size(text: str) -> int:
    """Words, or the tokens that it is read as in words, where these are more: in tables, addresses, long words, other scripts."""
    tokens = sum(1 for _ in _TOKEN.finditer(text))
    return max(len(text.split()), tokens * PASSAGE_WORDS // _TOKENS)


def sentences(documents: Sequence[Document]) -> tuple[Passage, ...]:
    """Each sentence or line of the documents as a passage of its own; what has no letter or digit is left out."""
    found = []
    for document in documents:
        start = 0
        for end in [*(gap.end() for gap in SENTENCE_END.finditer(document.text)), len(document.text)]:
            piece = document.text[start:end]
            text = piece.strip()
            if re.search(r"[^\W_]", text):
                first = start + piece.index(text)
                found.append(Passage(document, first, first + len(text)))
            start = end
    return tuple(found)


def heading(document: Document) -> str:
    """Title and date as they stand before a passage."""
    title = document.title.strip()
    if document.date:
        title = f"{title} ({document.date})" if title else document.date
    return f"{title}: " if title else ""
