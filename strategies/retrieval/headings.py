"""Where the sections of a document begin, and under which headings each stands: those of Markdown, which HTML is read as, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 120
"""Characters of a heading; a longer line is text."""

_LINE = re.compile(
    r"^ {0,3}(?:(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>.*)|(?P<marks>\#{1,6})[ \t]+(?P<title>\S.*)"
    r"|(?P<under>=+|--+)[ \t]*)$",
    re.MULTILINE,
)
"""A line that can begin or end code, a heading behind `#`, or a line that makes the one above it a heading."""
_NO_TITLE = re.compile(r"[ \t]{4}|\t|[ \t]*(?:[-*+>|#=]|\d+[.)][ \t])|.*[.,;:|][ \t]*$")
"""A line above dashes that is code, part of a list, a quotation, a table, or a sentence: the dashes are a rule below it."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a level from 1 to 6, the first being the highest, that stands from character `start` to `end`."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """Characters `start` to `end`, of which those up to `body` are headings; `level` is that of the highest of these, 0 where
    there is none."""

    start: int
    body: int
    end: int
    level: int
    above: tuple[str, ...]
    """Titles of the headings that it stands under without its own, the highest first."""
    under: tuple[str, ...]
    """The same with its own."""


@lru_cache(maxsize=16)
def sections(text: str) -> tuple[Section, ...]:
    """The whole text, cut before each heading that stands behind text; what has no heading is one section."""
    found: list[Section] = []
    stack: list[Heading] = []
    above: tuple[str, ...] = ()
    start = body = level = 0
    for heading in headings(text):
        if text[body : heading.start].strip():
            found.append(Section(start, body, heading.start, level, above, _titles(stack)))
            start, level = heading.start, 0
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        if not level or heading.level < level:
            above, level = _titles(stack), heading.level
        stack.append(heading)
        body = heading.end
    if text[body:].strip() or not found:
        found.append(Section(start, body, len(text), level, above, _titles(stack)))
    else:
        last = found.pop()  # Headings at the end have nothing under them, and stay with what is before them.
        found.append(Section(last.start, last.body, len(text), last.level, last.above, last.under))
    return tuple(found)


def headings(text: str) -> Iterator[Heading]:
    """Those behind `#` and those with a line of `=` or `-` below them, in their order; what looks like one in code is none."""
    fence = ""
    for line in _LINE.finditer(text):
        mark = line["fence"] or ""
        if fence:
            if mark.startswith(fence) and not (line["info"] or "").strip():
                fence = ""
        elif mark:
            fence = mark
        elif line["marks"]:
            title = _unmarked(line["title"].strip())
            if 0 < len(title) <= LONGEST:
                yield Heading(line.start(), line.end(), len(line["marks"]), title)
        elif line["under"] and (above := _above(text, line.start())) is not None:
            start, title = above
            yield Heading(start, line.end(), 1 if line["under"][0] == "=" else 2, title)


def _above(text: str, place: int) -> tuple[int, str] | None:
    """Where the line above begins and what it says, if it stands alone and can be a heading."""
    if not place or text[place - 1] != "\n":
        return None
    first = max(0, place - LONGEST - 2)
    ends = text.rfind("\n", first, place - 1)
    if ends < 0 < first:
        return None
    start = ends + 1
    line = text[start : place - 1]
    if len(line) > LONGEST or not re.search(r"[^\W_]", line) or _NO_TITLE.match(line):
        return None
    before = text[max(0, start - LONGEST) : max(0, start - 1)]
    alone = not before.rpartition("\n")[2].strip()
    return (start, line.strip()) if alone else None


def _unmarked(title: str) -> str:
    """Without the marks that may close a heading."""
    bare = title.rstrip("#")
    return bare.rstrip() if not bare or bare[-1].isspace() else title


def _titles(stack: Sequence[Heading]) -> tuple[str, ...]:
    return tuple(heading.title for heading in stack)
