"""Draws values with their intervals below each other on one axis as inline SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from advisor.drawn import Estimate, Forest
from advisor.reports.canvas import LINE, NARROW, SIZE, closed, dot, group, line, named, opened, text, typed
from advisor.reports.labels import text_width, wrapped
from advisor.reports.scales import Axis, step_ticks
from advisor.reports.text import one_line

_NAMES = 200.0
"""Pixels of a line of a name beside its interval."""
_LEAST = 0.04
"""An axis is at least so long."""
_TONES = {"above": "state-meets", "below": "state-misses", "open": "state-other"}


def draw_forest(forest: Forest, width: int, identifier: str) -> str:
    """SVG markup `width` units wide, with a text alternative: names left of the intervals, or above them where it is narrow.

    `identifier` must be unique in the page.
    """
    root = opened(forest.title, described(forest), identifier)
    narrow = width < NARROW
    values = 10 + max(text_width(typed(each.text), SIZE) for each in forest.estimates)
    left, right = (22.0, width - 22.0) if narrow else (_NAMES + 28, width - values - 14)
    ticks = _ticks(forest, 5 if narrow else 7)
    axis = Axis(low=ticks[0], high=ticks[-1], start=left, end=right)
    top = 26.0 if forest.zero is not None else 8.0
    rows = [_row(each, narrow, width - values) for each in forest.estimates]
    bottom = top + sum(height for _, height in rows)
    _axis(root, forest, axis, (ticks, top, bottom))
    y = top
    for each, (lines, height) in zip(forest.estimates, rows, strict=True):
        _estimate(root, axis, (each, lines), (y, height), None if narrow else float(width))
        if narrow:
            text(root, (width, y + LINE), typed(each.text), "tick", "end")
        y += height
    title = wrapped(one_line(forest.across), SIZE, width - 8)
    for place, words in enumerate(title):
        centre = width / 2 if narrow or text_width(words, SIZE) > right - left else (left + right) / 2
        text(root, (centre, bottom + 38 + LINE * place), words, "title", "middle")
    return closed(root, width, bottom + 46 + LINE * (len(title) - 1))


def described(forest: Forest) -> str:
    """Every value in words."""
    return " ".join(
        f"{named(each.name)}: {one_line(each.text)}{_SAID.get(each.tone, '')}." for each in forest.estimates
    )


_SAID = {"above": ", shown to be above 0", "below": ", shown to be below 0", "open": ""}


def _row(each: Estimate, narrow: bool, room: float) -> tuple[tuple[str, ...], float]:
    """The lines of a name, and the height of its row."""
    lines = wrapped(named(each.name), SIZE, room - 14 if narrow else _NAMES)
    return lines, LINE * len(lines) + (30 if narrow else 14)


def _ticks(forest: Forest, most: int) -> tuple[float, ...]:
    seen = [value for each in forest.estimates for value in (each.value, each.lower, each.upper)]
    low, high = min([*seen, *_zero(forest)]), max([*seen, *_zero(forest)])
    if high - low < _LEAST:
        low, high = low - _LEAST / 2, high + _LEAST / 2
    if forest.zero is None:
        low, high = max(low, 0.0), min(high, 1.0)
    return step_ticks(low, high, most)


def _zero(forest: Forest) -> tuple[float, ...]:
    return () if forest.zero is None else (forest.zero,)


def _axis(root: ET.Element, forest: Forest, axis: Axis, at: tuple[tuple[float, ...], float, float]) -> None:
    ticks, top, bottom = at
    for tick in ticks:
        x = axis.at(tick)
        line(root, "grid", (x, top, x, bottom))
        text(root, (x, bottom + 19), _label(forest, tick), "tick", "middle")
    line(root, "stroke", (axis.start, bottom, axis.end, bottom))
    if forest.zero is not None:
        x = axis.at(forest.zero)
        line(root, "stroke", (x, top - 16, x, bottom))
        left, right = f"\u2190 {one_line(forest.sides[0])}", f"{one_line(forest.sides[1])} \u2192"
        if forest.sides[0] and text_width(left, SIZE) + 8 < x:
            text(root, (x - 8, top - 8), left, "tick", "end")
        if forest.sides[1] and x + 8 + text_width(right, SIZE) < axis.end + 20:
            text(root, (x + 8, top - 8), right, "tick", "start")


def _label(forest: Forest, tick: float) -> str:
    if forest.unit == "%":
        return f"{tick * 100:.4g} %"
    value = round(tick * 100, 6)
    return "0" if value == 0 else f"{value:+.4g}".replace("-", "\u2212")


def _estimate(
    root: ET.Element,
    axis: Axis,
    told: tuple[Estimate, tuple[str, ...]],
    at: tuple[float, float],
    right: float | None,
) -> None:
    """Name, interval and, up to the right edge where one is given, the value in words."""
    each, lines = told
    y, height = at
    middle = y + height / 2 if right is not None else y + height - 16
    for place, words in enumerate(lines):
        where = (axis.start - 24, y + 7 + 12.5 + LINE * place) if right is not None else (0.0, y + LINE * (place + 1))
        text(root, where, words, "name", "end" if right is not None else "start")
    drawn = group(root, _TONES.get(each.tone, "state-other"))
    line(drawn, "bar", (axis.at(each.lower), middle, axis.at(each.upper), middle))
    for value in (each.lower, each.upper):
        line(drawn, "bar", (axis.at(value), middle - 4, axis.at(value), middle + 4))
    dot(drawn, (axis.at(each.value), middle), "open" if each.tone == "open" else "full", 5.5)
    if right is not None:
        text(root, (right, middle + 4), typed(each.text), "tick", "end")
