"""Finds places for the names of points in a picture, so that none covers another name, a point or a bar."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]/ -1"), frozenset("mwMW@%&")
_GAPS = (0.0, 16.0, 30.0, 44.0, 58.0, 74.0, 92.0, 112.0, 134.0)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point at (x, y) whose bar reaches from `top` to `bottom`."""

    x: float
    y: float
    top: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a name goes: its box, and the line that leads to it, empty where it stands at its point."""

    box: Box
    leader: tuple[float, float, float, float] | None = None


def dot(x: float, y: float) -> Box:
    """The box of a point itself."""
    return Box(x - 8, y - 8, x + 8, y + 8)


def text_width(text: str, size: float) -> float:
    """Pixels that a text takes at most in a usual sans-serif face of that size; an estimate on the safe side."""
    return size * sum(_width(character) for character in text)


def place(
    mark: Mark, extent: tuple[float, float], taken: Sequence[Box], rules: Sequence[Box], frame: Box
) -> Spot | None:
    """The nearest free place for a text of that width and height beside a mark; None where there is none.

    The text covers neither what is `taken` nor `rules`; a line that leads to it may cross `rules`.
    """
    spots = _free(mark, extent, (*taken, *rules), frame)
    return next((spot for spot in spots if spot.leader is None or not _crosses(spot.leader, taken, mark)), None)


def place_across(mark: Mark, extent: tuple[float, float], taken: Sequence[Box], frame: Box) -> Spot | None:
    """As `place`, for a text that must not be left out: the line that leads to it may cross others."""
    return next(_free(mark, extent, taken, frame), None)


def _free(mark: Mark, extent: tuple[float, float], taken: Sequence[Box], frame: Box) -> Iterator[Spot]:
    """Places that nothing has taken, the nearest first."""
    for gap in _GAPS:
        for box in _around(mark, extent, gap):
            if box.inside(frame) and not any(box.touches(other) for other in taken):
                yield Spot(box=box, leader=_leader(mark, box) if gap else None)


def along(leader: tuple[float, float, float, float]) -> tuple[Box, ...]:
    """Small boxes along a leading line, every 3 pixels: what it takes of the picture."""
    x1, y1, x2, y2 = leader
    steps = max(int(math.hypot(x2 - x1, y2 - y1) / 3), 1)
    centres = ((x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps) for step in range(steps + 1))
    return tuple(Box(x - 1, y - 1, x + 1, y + 1) for x, y in centres)


def wrapped(text: str, size: float, width: float) -> tuple[str, ...]:
    """Lines of at most `width` pixels, cut between words, or inside a word that is longer than a line."""
    lines, line = [], ""
    for word in text.split():
        if line and text_width(f"{line} {word}", size) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while (fits := _fitting(line, size, width)) < len(line):
            lines.append(line[:fits])
            line = line[fits:]
    return (*lines, line)


def _fitting(line: str, size: float, width: float) -> int:
    """How many characters of the line are at most so wide, at least one."""
    taken = 0.0
    for place, character in enumerate(line):
        taken += _width(character)
        if size * taken > width and place:
            return place
    return len(line)


def _width(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.98
    if ord(character) >= 0x2E80:
        return 1.05
    return 0.72 if character.isupper() else 0.61


def _around(mark: Mark, extent: tuple[float, float], gap: float) -> Iterator[Box]:
    """Boxes around a mark at one distance, the places that read best first: beside it, then above and below its bar."""
    (width, height), x, y = extent, mark.x, mark.y
    away = 9 + gap * 0.5
    tops = [y - height / 2] if gap == 0 else [y - height / 2 - gap, y - height / 2 + gap]
    for top in tops:
        yield Box(x + away, top, x + away + width, top + height)
    for top in tops:
        yield Box(x - away - width, top, x - away, top + height)
    for shift in (0.5, 0.25, 0.75, 0.0, 1.0):
        for top in (min(mark.top, y - 8) - 4 - gap - height, max(mark.bottom, y + 8) + 4 + gap):
            yield Box(x - width * shift, top, x + width * (1 - shift), top + height)


def _leader(mark: Mark, box: Box) -> tuple[float, float, float, float]:
    """From the edge of the point, or the end of its bar, to the nearest edge of the box."""
    to_x = min(max(mark.x, box.left), box.right)
    to_y = min(max(mark.y, box.top + 3), box.bottom - 3)
    if box.left <= mark.x <= box.right:
        if to_y < mark.y:
            return (mark.x, min(mark.top, mark.y - 8) - 3, mark.x, box.bottom + 1)
        return (mark.x, max(mark.bottom, mark.y + 8) + 3, mark.x, box.top - 1)
    length = max(math.hypot(to_x - mark.x, to_y - mark.y), 1e-6)
    return (mark.x + (to_x - mark.x) * 9 / length, mark.y + (to_y - mark.y) * 9 / length, to_x, to_y)


def _crosses(leader: tuple[float, float, float, float], taken: Sequence[Box], mark: Mark) -> bool:
    """True where a leading line runs over anything but the point that it starts at."""
    own = dot(mark.x, mark.y)
    return any(step.touches(other) for step in along(leader) for other in taken if other != own)
