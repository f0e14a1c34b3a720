"""Cuts documents into passages that respect sentences and headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from strategies.contract import Document, Embedder, ReadsSoMuch
from strategies.retrieval.headings import Section, sections
from strategies.standalone.reading import UNSPACED

PASSAGE_WORDS = 130
_TOKENS = 256
"""A passage of this many words stays inside the tokens that the default embedder reads."""
WHOLE_WORDS = 2 * PASSAGE_WORDS
"""Documents of at most so many words may be shown whole: what is asked for often stands in another passage of theirs."""

_LETTER = rf"[^\W\d_{UNSPACED}]"
_TOKEN = re.compile(rf"[{UNSPACED}]|(?<={_LETTER}{{10}}){_LETTER}{{1,2}}|{_LETTER}{{1,5}}|\d{{1,2}}|[^\w\s]|_")
"""What a tokenizer reads as one, about: a letter of these scripts, a piece of a word, of a number, or a sign. What is behind the
tenth letter of a word, such as a compound, is seldom known to it."""

SENTENCE_END = re.compile(r"(?<=[.!?])[\"'\u2019\u201d)\]]*\s+(?=[^\sa-z])|\n+|(?<=[\u3002\uff01\uff1f])")
"""Where a sentence ends: at a sign with space behind it, or with its line."""


SMALL = 4
"""A section with less than this part of the words of a passage shares one with the next that is no higher."""
PATH = 12
"""Words of the headings that stand before a passage, the innermost of them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` of a document, which is not copied."""

    document: Document
    start: int
    end: int
    under: str = ""
    """The headings that it stands under and that are no part of it, the highest first."""

    @property
    def document_id(self) -> str:
        return self.document.id

    @property
    def text(self) -> str:
        """What is shown: title, date and headings in front."""
        return heading(self.document, self.under) + self.document.text[self.start : self.end]

    @property
    def whole(self) -> Passage:
        """All of its document."""
        text = self.document.text
        return Passage(self.document, len(text) - len(text.lstrip()), len(text.rstrip()))


Cutter = Callable[[str, int], list[tuple[int, int]]]
"""(text, words) -> where its pieces of at most so many words begin and end."""


def cut(documents: Sequence[Document], words: int = PASSAGE_WORDS) -> list[Passage]:
    """Passages of at most `words` words as `size` counts them, in document order; none goes on behind the heading of the next
    section, but for sections that are small."""
    pieces = _cutter()
    return [
        passage
        for document in documents
        for section in _together(document, words)
        for passage in _passages(document, section, words, pieces)
    ]


def _cutter() -> Cutter:
    import semchunk

    @cache
    def chunker(words: int) -> Any:
        chunkerify: Any = semchunk.chunkerify  # type: ignore[attr-defined]  # its overloads hide the plain case
        return chunkerify(size, words)

    def pieces(text: str, words: int) -> list[tuple[int, int]]:
        chunks, offsets = chunker(words)(text, offsets=True)
        found = []
        for chunk, (start, _) in zip(chunks, offsets, strict=True):
            first = start + len(chunk) - len(chunk.lstrip())
            found.append((first, first + len(chunk.strip())))
        return found

    return pieces


def _together(document: Document, words: int) -> Iterator[Section]:
    """The sections of a document; small ones with those behind them, where a passage holds both under the headings above the
    first, and what is above the first is above all."""
    text = document.text
    first, *others = sections(text)
    for section in others:
        whole = replace(first, end=section.end)
        small = size(text[first.start : first.end]) * SMALL < words and section.level >= first.level
        if small and size(text[whole.start : whole.end]) <= words - size(path(document, first.above)):
            first = whole
        else:
            yield first
            first = section
    yield first


def _passages(document: Document, section: Section, words: int, pieces: Cutter) -> Iterator[Passage]:
    """Those of a section. The first begins with its own headings, and the others have them in front."""
    text, above, under = document.text, path(document, section.above), path(document, section.under)
    own = size(text[section.start : section.body])
    if own * 2 > words:  # Nothing would have room beside them.
        for start, end in pieces(text[section.start : section.body], words):
            yield Passage(document, section.start + start, section.start + end, above)
        section, above, own = replace(section, start=section.body), under, 0
    if own and size(text[section.start : section.end]) <= words - size(above):
        yield Passage(document, section.start, section.start + len(text[section.start : section.end].rstrip()), above)
        return
    room = max(words - max(own + size(above), size(under)), words // 2, 1)
    for place, (start, end) in enumerate(pieces(text[section.body : section.end], room)):
        begins = section.start if own and not place else section.body + start
        yield Passage(document, begins, section.body + end, under if place else above)


def path(document: Document, titles: Sequence[str]) -> str:
    """Headings as they stand before a passage: as many of the innermost as have room, and none that is the document's title."""
    shown: list[str] = []
    room = PATH
    for title in reversed(titles):
        words = title.split()
        if title == document.title.strip():
            continue
        if len(words) > room and shown:
            break
        shown.append(" ".join(words[:room]))
        room -= len(words)
    return " > ".join(reversed(shown))


def within(embedder: Embedder, words: int) -> int:
    """So many words, or fewer where the embedder would stop reading before the end of such a passage."""
    reads = embedder.reads if isinstance(embedder, ReadsSoMuch) else None
    return words if reads is None else max(1, min(words, reads * PASSAGE_WORDS // _TOKENS))


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


def heading(document: Document, under: str = "") -> str:
    """Title, date and headings as they stand before a passage."""
    title = document.title.strip()
    if document.date:
        title = f"{title} ({document.date})" if title else document.date
    title = " > ".join(filter(None, (title, under)))
    return f"{title}: " if title else ""


def fronts(document: Document, start: int, end: int) -> list[str]:
    """What may stand before a passage of the document that begins with one of these characters, or with the last."""
    there = [each for each in sections(document.text) if each.start <= end and start <= each.end]
    paths = ["", *(path(document, titles) for each in there for titles in (each.above, each.under))]
    return [heading(document, under) for under in dict.fromkeys(paths)]
