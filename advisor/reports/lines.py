"""Draws lines over an axis as inline SVG: costs over volume, scores over tokens, accuracy over examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree import ElementTree as ET

from advisor.contract import Amount
from advisor.drawn import LineChart, Series, Signed
from advisor.reports.canvas import (
    BOLD,
    LINE,
    NARROW,
    SIZE,
    apart,
    closed,
    dot,
    group,
    hue,
    key,
    level_ticks,
    line,
    named,
    opened,
    path,
    text,
)
from advisor.reports.labels import Box, Mark, along, place, text_width, wrapped
from advisor.reports.scales import Axis, cost_ticks, count_label, count_ticks, share_axis
from advisor.reports.text import one_line
from advisor.wording import amount, of_what, percent, start

_NAMES = 178.0
"""Pixels for the names at the right end of the lines."""


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    chart: LineChart
    root: ET.Element
    x: Axis
    y: Axis
    chosen: str | None
    courses: list[Box] = field(default_factory=list)
    """What lines take; a name may stand right where its own line ends."""
    words: list[Box] = field(default_factory=list)
    """What texts and rings take."""

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.x.at(x), self.y.at(y)

    def loud(self, each: Series) -> str:
        return " chosen" if each.name == self.chosen else ""

    def kind(self, each: Series) -> str:
        """The class of the name of a line."""
        return "name quiet" if each.quiet else f"name {hue(each.colour)}{self.loud(each)}"


def draw_lines(chart: LineChart, width: int, identifier: str, chosen: str | None = None) -> str:
    """SVG markup `width` units wide, with a text alternative. Names stand at the ends of their lines, or in a key below
    where it is narrow. `identifier` must be unique in the page."""
    root = opened(chart.title, described(chart), identifier)
    narrow = width < NARROW
    top = 46.0 if chart.here else 28.0
    names = [
        (str(number),) if narrow else wrapped(_full(each), SIZE, _NAMES / (BOLD if each.name == chosen else 1))
        for number, each in enumerate(chart.series, start=1)
    ]
    needed = sum(LINE * len(lines) + 2 for lines in names)
    bottom = top + max(250 if narrow else 330, needed)
    y, ticks = _upright(chart, bottom, top)
    left = 8.0 + max(text_width(label, SIZE) for _, label in ticks)
    right = width - (26.0 if narrow else _NAMES + 18)
    sheet = _Sheet(chart=chart, root=root, x=_across(chart, left + 10, right), y=y, chosen=chosen)
    _axes(sheet, ticks, (left, right, top, bottom), narrow)
    for each in chart.series:
        _series(sheet, each)
    _stated(sheet, (left, right, top, bottom))
    _ends(sheet, names, (top - 8, bottom + 8))
    for sign in chart.signs:
        _sign(sheet, sign, Box(left + 2, top - 4, right, bottom - 2))
    height = bottom + 46
    if narrow:
        entries = [(str(number), _full(each), sheet.kind(each)) for number, each in enumerate(chart.series, start=1)]
        height = key(root, entries, width, bottom + 46) + 8
    return closed(root, width, height)


def described(chart: LineChart) -> str:
    """The lines in words: where each begins and ends, the break-evens, and what was stated."""
    said = []
    for each in chart.series:
        first, last = each.points[0], each.points[-1]
        where = [f"{_value(chart, y)} at {count_label(round(x))}" for x, y in dict.fromkeys((first, last))]
        ahead = each.expected[-1:]
        beyond = [
            f"expected {_value(chart, low)} to {_value(chart, high)} at {count_label(round(x))}"
            for x, low, high in ahead
        ]
        said.append(f"{_full(each)}: {', '.join([*where, *beyond])}.")
    signs = [f"{start(sign.text)} {one_line(chart.across)}." for sign in chart.signs]
    stated = [f"Stated: {one_line(chart.here[1])}."] if chart.here else []
    goal = [f"Line: {one_line(chart.goal[1])}."] if chart.goal else []
    return " ".join([f"{one_line(chart.upwards)} over {one_line(chart.across)}.", *said, *signs, *stated, *goal])


# ---------------------------------------------------------------- axes


def _across(chart: LineChart, left: float, right: float) -> Axis:
    seen = [x for each in chart.series for x, _ in each.points]
    seen += [x for each in chart.series for x, _, _ in each.expected]
    low = min(seen) if chart.by_factors else 0.0
    return Axis(low=low, high=max(max(seen), low * 1.001 or 1.0), start=left, end=right, log=chart.by_factors)


def _upright(chart: LineChart, bottom: float, top: float) -> tuple[Axis, tuple[tuple[float, str], ...]]:
    seen = [y for each in chart.series for _, y in each.points]
    seen += [y for each in chart.series for _, *ends in (*each.ranges, *each.expected) for y in ends]
    if not chart.unit:
        return share_axis([*seen, *([chart.goal[0]] if chart.goal else [])], bottom, top)
    axis = Axis(low=min(seen) / 1.3, high=max(seen) * 1.3, start=bottom, end=top, log=True)
    return axis, cost_ticks(axis, of_what(chart.unit), 44)


def _axes(
    sheet: _Sheet, ticks: Sequence[tuple[float, str]], frame: tuple[float, float, float, float], narrow: bool
) -> None:
    left, right, _, bottom = frame
    text(sheet.root, (0, 12), one_line(sheet.chart.upwards), "title", "start")
    for value, label in ticks:
        line(sheet.root, "grid", (left + 8, sheet.y.at(value), right, sheet.y.at(value)))
        text(sheet.root, (left, sheet.y.at(value) + 4), label, "tick", "end")
    room = 52 if narrow else 76
    below = _given(sheet, room) if sheet.chart.ticks else count_ticks(sheet.x, room)
    level_ticks(sheet.root, sheet.x, below, (bottom, right + 24))
    line(sheet.root, "stroke", (left + 8, bottom, right, bottom))
    text(sheet.root, ((left + right) / 2, bottom + 38), one_line(sheet.chart.across), "title", "middle")


def _given(sheet: _Sheet, room: float) -> list[tuple[float, str]]:
    """The ticks of the chart that fit, from the right."""
    kept: list[float] = []
    for value in sorted(sheet.chart.ticks, reverse=True):
        if all(abs(sheet.x.at(value) - sheet.x.at(other)) >= room for other in kept):
            kept.append(value)
    return [(value, count_label(value)) for value in sorted(kept)]


def _stated(sheet: _Sheet, frame: tuple[float, float, float, float]) -> None:
    """What was stated before: an upright line, and a level one."""
    left, right, top, bottom = frame
    if sheet.chart.here:
        at, words = sheet.x.at(sheet.chart.here[0]), one_line(sheet.chart.here[1])
        half = text_width(words, SIZE) / 2
        line(sheet.root, "target", (at, top - 6, at, bottom))
        middle = min(max(at, half), right - half)
        sheet.words.append(text(sheet.root, (middle, top - 12), words, "target-name", "middle"))
    if sheet.chart.goal:
        at, words = sheet.y.at(sheet.chart.goal[0]), one_line(sheet.chart.goal[1])
        line(sheet.root, "target", (left + 8, at, right, at))
        sheet.words.append(
            text(sheet.root, (left + 14, at - 6 if at > top + 14 else at + 15), words, "target-name", "start")
        )


# ---------------------------------------------------------------- lines


def _series(sheet: _Sheet, each: Series) -> None:
    drawn = group(sheet.root, "quiet" if each.quiet else hue(each.colour))
    points = [sheet.at(*point) for point in each.points]
    if each.expected:
        above = [sheet.at(x, high) for x, _, high in each.expected]
        below = [sheet.at(x, low) for x, low, _ in each.expected]
        path(drawn, "wedge", [*above, *reversed(below)], shut=True)
    if len(points) > 1:
        path(drawn, f"course{sheet.loud(each)}", points)
        for (x1, y1), (x2, y2) in pairwise(points):
            sheet.courses.extend(along((x1, y1, x2, y2))[::3])
    for x, low, high in each.ranges:
        line(drawn, "bar", (*sheet.at(x, low), *sheet.at(x, high)))
    for point in points if each.dots else points[-1:]:
        dot(drawn, point, "full", 4)


def _ends(sheet: _Sheet, names: Sequence[Sequence[str]], ends: tuple[float, float]) -> None:
    """The names at the ends of their lines; where those are crowded, right of the plot and moved apart."""
    tipped = [(each, words, _tip(sheet, each)) for each, words in zip(sheet.chart.series, names, strict=True)]
    crowded = [(each, words, tip) for each, words, tip in tipped if not _beside(sheet, each, words, (tip, ends))]
    heights = [LINE * len(words) + 2 for _, words, _ in crowded]
    edges = apart([y for _, _, (_, y) in crowded], heights, *ends)
    for (each, words, (x, y)), height, edge in zip(crowded, heights, edges, strict=True):
        right, middle = sheet.x.end, edge + height / 2
        if abs(middle - y) > 3 or right - x > 3:
            line(sheet.root, "leader", (x + 5, y, right + 11, middle))
        _write(sheet, each, words, (right + 14, edge + 1))


def _beside(
    sheet: _Sheet, each: Series, words: Sequence[str], at: tuple[tuple[float, float], tuple[float, float]]
) -> bool:
    """Writes a name next to where a line ends within the plot; False where there is no room for it."""
    (x, y), (top, bottom) = at
    if sheet.x.end - x < 24:
        return False
    extent = max(text_width(one, SIZE) for one in words) * BOLD, LINE * len(words)
    near = Box(x - 7, y - 7, x + 7, y + 7)
    taken = [*(box for box in sheet.courses if not box.touches(near)), *sheet.words]
    frame = Box(sheet.x.start, top, sheet.x.end + 8, bottom - 10)
    spot = place(Mark(x=x, y=y, top=y - 4, bottom=y + 4), extent, taken, (), frame)
    if spot is None or spot.leader is not None:
        return False
    sheet.words.append(spot.box)
    _write(sheet, each, words, (spot.box.left, spot.box.top))
    return True


def _write(sheet: _Sheet, each: Series, words: Sequence[str], at: tuple[float, float]) -> None:
    for number, one in enumerate(words):
        text(sheet.root, (at[0], at[1] + 12.5 + LINE * number), one, sheet.kind(each), "start")


def _tip(sheet: _Sheet, each: Series) -> tuple[float, float]:
    """Where a line ends, or the middle of what is expected at the end."""
    if each.expected:
        x, low, high = each.expected[-1]
        return sheet.x.at(x), (sheet.y.at(low) + sheet.y.at(high)) / 2
    return sheet.at(*each.points[-1])


def _sign(sheet: _Sheet, sign: Signed, frame: Box) -> None:
    """A ring with its words at the nearest free place; without words where there is none."""
    x, y = sheet.at(sign.x, sign.y)
    dot(sheet.root, (x, y), "ring", 5)
    extent = (text_width(sign.text, SIZE), LINE)
    near = Box(x - 9, y - 9, x + 9, y + 9)
    taken = [*(box for box in sheet.courses if not box.touches(near)), *sheet.words]
    spot = place(Mark(x=x, y=y, top=y - 5, bottom=y + 5), extent, taken, (), frame)
    if spot is not None:
        if spot.leader:
            line(sheet.root, "leader", spot.leader)
        text(sheet.root, (spot.box.left, spot.box.top + 12.5), sign.text, "name", "start")
        sheet.words.append(spot.box)
    sheet.words.append(near)


# ---------------------------------------------------------------- words


def _full(each: Series) -> str:
    return named(each.name) + (f", {one_line(each.note)}" if each.note else "")


def _value(chart: LineChart, value: float) -> str:
    if not chart.unit:
        return percent(value)
    return one_line(amount(Amount(value=value, unit=chart.unit)))
