"""What the rendering of one chat template may take: how large its values grow, how much it writes, how long it works."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from jinja2.utils import Namespace

SECONDS = 5.0
"""Of the processor, for one rendering."""
DEEPEST = 50
"""Values in values."""
BITS = 8_192
"""Of a whole number."""
NARROW, MOST_STEPS = 16, 10_000
"""How far a filter may indent, and the largest number that it may be told."""
WIDTH = 1_000
WIDE = re.compile(r"\{[^{}]*:[^{}]*(?:\d{4}|\{)|%(?:\([^)]*\))?[-+ #0-9.]*?(?:\d{4}|\*)")
"""A field of a format that is filled up to that many characters or more, or to a number that is put in."""


class Exhausted(Exception):
    """The template wants more than there is; the text says of what, as a clause."""


@dataclass(kw_only=True)
class Rations:
    """What one rendering still has."""

    room: int
    """Characters and elements of any value."""
    left: int
    """Characters that may still be written."""
    ends: float

    def tick(self) -> None:
        if time.thread_time() > self.ends:
            raise Exhausted(f"it takes more than {SECONDS:g} seconds")

    def fits(self, size: int) -> None:
        if size > self.room:
            raise Exhausted(f"it makes more than {self.room:,} characters")

    def held(self, value: Any) -> Any:
        """The value, if it is not too large."""
        self.size(value)
        return value

    def written(self, value: Any) -> Any:
        """The value as it goes into the text, if there is still room for it."""
        self.left -= self.size(value, 1)
        if self.left < 0:
            raise Exhausted(f"it makes more than {self.room:,} characters")
        return value

    def counted(self, values: Iterable[Any]) -> Iterator[Any]:
        """The same one by one, as long as there is time."""
        for value in values:
            self.tick()
            yield value

    def gathered(self, values: Iterable[Any]) -> list[Any]:
        """All of them, if that is not too much."""
        found, total = [], 0
        for value in self.counted(values):
            total += 1 + self.size(value)
            self.fits(total)
            found.append(value)
        return found

    def joined(self, glue: str, values: Iterable[Any]) -> list[Any]:
        """The values, if they and what comes between them are not too much as one text."""
        found = self.gathered(values)
        self.fits(sum(self.size(each, 1) for each in found) + len(glue) * len(found))
        return found

    def replaced(self, text: str, old: str = "", new: str = "") -> None:
        self.fits(len(text) + text.count(old) * len(new))

    def formatted(self, text: str, mark: str, given: Any) -> None:
        """Whether the text has room with what is put in wherever it has such a mark."""
        if WIDE.search(text):
            raise Exhausted("it fills a field up to a width that no message needs")
        self.fits(len(text) + text.count(mark) * (self.size(given, 1) + WIDTH))

    def reckoned(self, operator: str, left: int, right: int) -> None:
        bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
        if bits > BITS:
            raise Exhausted("it counts with numbers of thousands of digits")

    def size(self, value: Any, depth: int = 0) -> int:
        """Characters and elements, about; of values in values, those of all."""
        size = 1
        if isinstance(value, str | bytes):
            size = len(value)
        elif isinstance(value, int):
            size = 1 + value.bit_length() // 3
        elif isinstance(value, Namespace) and depth:
            raise Exhausted("it puts one of its name spaces into something else")
        elif isinstance(value, Mapping):
            size += self._sum((*value.keys(), *value.values()), depth)
        elif isinstance(value, list | tuple):
            size += self._sum(value, depth)
        self.fits(size)
        return size

    def _sum(self, values: Iterable[Any], depth: int) -> int:
        if depth > DEEPEST:
            raise Exhausted(f"it nests values more than {DEEPEST} deep")
        total = 0
        for value in values:
            total += 1 + self.size(value, depth + 1)
            self.fits(total)
        return total


RATIONS: ContextVar[Rations] = ContextVar("rations")
"""Of the rendering that is under way in this thread."""
