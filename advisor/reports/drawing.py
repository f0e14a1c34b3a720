"""Draws the accuracy-against-cost picture of a story as inline SVG: points, bars, target and names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from xml.etree import ElementTree as ET

from advisor.drawn import Picture, Point
from advisor.reports.canvas import BOLD, LINE, NARROW, SIZE, Anchor, closed, key, line, named, opened, text
from advisor.reports.labels import Box, Mark, along, dot, place, place_across, text_width, wrapped
from advisor.reports.scales import MACHINE_TIME, Axis, cost_axis, is_wide, share_axis
from advisor.reports.text import one_line
from advisor.wording import ceil_percent, duration, floor_percent, money, percent, plain_percent
from benchmarks.contract import State

_LABEL = 200.0
"""Pixels of a line of a name beside a point."""
_FAR = 0.25
"""Points whose interval ends this far below the target go to a strip at the bottom, with their figure."""

LABELS: Mapping[State, str] = {State.MEETS: "meets", State.MISSES: "misses", State.UNDECIDED: "undecided"}


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """The picture being drawn: where things go, and what is taken already."""

    picture: Picture
    width: int
    chosen: int | None
    """Index of the point to set off."""
    root: ET.Element
    taken: list[Box] = field(default_factory=list)
    rules: list[Box] = field(default_factory=list)
    """Lines across the whole picture that no name may cover."""

    @property
    def narrow(self) -> bool:
        return self.width < NARROW

    def chooses(self, index: int) -> bool:
        return index == self.chosen


def draw(picture: Picture, width: int, identifier: str, chosen: str | None = None) -> str:
    """SVG markup `width` units wide, with a text alternative; empty where no point can be shown.

    Points of unknown cost stand in a band of their own at the right; on an axis of factors, costs of 0 at the left.
    Colours come from the page (classes `state-...`); shapes tell the states apart without them. `identifier` begins
    the ids of its title and description and must be unique in the page.
    """
    points = [_known(point) for point in picture.points if math.isfinite(point.figure)]
    if not points:
        return ""
    root = opened(picture.title, described(picture), identifier)
    index = next((index for index, point in enumerate(points) if point.name == chosen), None)
    sheet = _Sheet(picture=picture, width=width, chosen=index, root=root)
    top = _legend(sheet, points) + 12
    return closed(root, width, _plot(sheet, points, top))


def described(picture: Picture) -> str:
    """The picture in words: every point with figure, interval, cost and status, and the target."""
    said, target = [], picture.target
    for point in map(_known, picture.points):
        if math.isfinite(point.figure):
            low, high = _ends(point)
            cost = _cost(point.cost, picture.cost_unit)
            interval = f"{percent(point.figure)}, between {floor_percent(low, target)} and {ceil_percent(high, target)} %"
            said.append(f"{one_line(point.name)}: {interval}; cost {cost}; {point.state}.")
    goal = f" The target is {plain_percent(target)}." if target is not None else ""
    return " ".join(said) + goal


# ---------------------------------------------------------------- layout


def _plot(sheet: _Sheet, points: Sequence[Point], top: float) -> float:
    """Draws axes, points and names from `top` down; gives back the height of the whole."""
    left, right = (44.0, sheet.width - 8.0) if sheet.narrow else (52.0, sheet.width - 12.0)
    bottom = top + (310 if sheet.narrow else 400)
    far = _far_below(points, sheet.picture.target)
    near = [point for point in points if point not in far]
    shares = _shares(sheet, near, (left, right), (top, bottom - 34 * bool(far)))
    if far:
        text(sheet.root, (left - 8, bottom - 8), "lower", "tick", "end")
    places = _places(sheet, points, (left, right), bottom)
    placed = [*zip(places, points, strict=True)]
    bars = [(x, *map(shares.at, _ends(point))) for x, point in placed if point not in far]
    _target(sheet, shares, (left, right), [Box(x - 7, top - 7, x + 7, low + 7) for x, low, top in bars])
    marks = [_mark(sheet, x, point, bottom - 13 if point in far else shares) for x, point in placed]
    names = [_told(point, point in far) for point in points]
    keyed = _names(sheet, names, marks, Box(left + 2, top - 6, sheet.width - 2, bottom - 2))
    return _key(sheet, names, keyed, bottom + (54 if sheet.narrow else 58))


def _far_below(points: Sequence[Point], target: float | None) -> list[Point]:
    """Points so far below the others and the target that an axis with them would press the others together."""
    best = max(point.figure for point in points)
    anchor = best if target is None else min(best, target)
    far = [point for point in points if _ends(point)[1] < anchor - _FAR]
    return far if len(points) - len(far) >= 2 else []


def _told(point: Point, far: bool) -> str:
    """The name of a point, with its figure where no axis shows it."""
    name = named(point.name)
    return f"{name} ({percent(point.figure)})" if far else name


def _shares(sheet: _Sheet, points: Sequence[Point], sides: tuple[float, float], ends: tuple[float, float]) -> Axis:
    """The upright axis, drawn with its grid between `ends` (top, bottom)."""
    seen = [value for point in points for value in (point.figure, *_ends(point))]
    axis, ticks = share_axis([*seen, *_targets(sheet.picture)], ends[1], ends[0])
    for value, label in ticks:
        line(sheet.root, "grid", (sides[0], axis.at(value), sides[1], axis.at(value)))
        text(sheet.root, (sides[0] - 8, axis.at(value) + 4), label, "tick", "end")
    return axis


def _places(sheet: _Sheet, points: Sequence[Point], sides: tuple[float, float], bottom: float) -> list[float]:
    """The x of every point, in order; draws the axis of costs and the bands beside it on the way."""
    left, right = sides
    known = [point.cost for point in points if point.cost is not None]
    log = is_wide(known)
    band = 58.0 if sheet.narrow else 120.0
    unknown_from = right - band if len(known) < len(points) and known else right
    zero_to = left + band * 0.6 if log and min(known) <= 0 else left
    positive = [cost for cost in known if cost > 0 or not log]
    unit = one_line(sheet.picture.cost_unit)
    axis = None
    if positive:
        axis, ticks = cost_axis(positive, unit, zero_to + 14, unknown_from - 14, 58 if sheet.narrow else 76)
        for value, label in ticks:
            line(sheet.root, "stroke", (axis.at(value), bottom, axis.at(value), bottom + 5))
            text(sheet.root, (axis.at(value), bottom + 19), label, "tick", "middle")
        text(sheet.root, ((zero_to + unknown_from) / 2, bottom + 38), _axis_title(unit, log), "title", "middle")
    line(sheet.root, "stroke", (left, bottom, right, bottom))
    if zero_to > left:
        _band(sheet.root, (left, zero_to), zero_to, bottom, ("0",))
    if unknown_from < right or axis is None:
        spread = (unknown_from if axis else left, right)
        _band(sheet.root, spread, spread[0], bottom, ("cost", "unknown") if sheet.narrow else ("cost unknown",))
    return _spread(points, axis, (left, zero_to), (unknown_from if axis else left, right))


def _spread(
    points: Sequence[Point], axis: Axis | None, zeros: tuple[float, float], unknown: tuple[float, float]
) -> list[float]:
    """Points without a place on the axis share their band from left to right, in order."""
    lost = [index for index, point in enumerate(points) if point.cost is None or axis is None]
    free = [i for i, point in enumerate(points) if i not in lost and axis is not None and axis.log and point.cost == 0]
    places = {}
    for within, (low, high) in ((lost, unknown), (free, zeros)):
        for rank, index in enumerate(within):
            places[index] = low + (rank + 0.5) / len(within) * (high - low)
    return [places[i] if i in places or axis is None else axis.at(point.cost or 0.0) for i, point in enumerate(points)]


def _names(sheet: _Sheet, names: Sequence[str], marks: Sequence[Mark], frame: Box) -> dict[int, str]:
    """Writes a name, or a number for the key, at every point; gives back index -> number of those in the key."""
    keyed: dict[int, str] = {}
    for index in sorted(range(len(names)), key=lambda i: (not sheet.chooses(i), marks[i].y)):
        if sheet.narrow or not _name(sheet, marks[index], _Label(names[index], sheet.chooses(index)), frame):
            keyed[index] = ""
    for number, index in enumerate(sorted(keyed), start=1):
        keyed[index] = str(number)
        _name(sheet, marks[index], _Label(str(number), sheet.chooses(index), keyed=True), frame)
    return keyed


class _Label(NamedTuple):
    """What is written at a point. What is `keyed` is explained below the plot, so it must not be left out."""

    text: str
    chosen: bool
    keyed: bool = False


def _name(sheet: _Sheet, mark: Mark, label: _Label, frame: Box) -> bool:
    """Writes a text at the nearest free place, on as many lines as it needs; False where there is none."""
    lines = wrapped(label.text, SIZE, _LABEL)
    extent = max(text_width(words, SIZE) for words in lines) * (BOLD if label.chosen else 1), LINE * len(lines)
    spot = place(mark, extent, sheet.taken, sheet.rules, frame)
    if spot is None and label.keyed:
        spot = place_across(mark, extent, sheet.taken, frame)
    if spot is None:
        return False
    sheet.taken.append(spot.box)
    if spot.leader:
        sheet.taken.extend(along(spot.leader))
        line(sheet.root, "leader", spot.leader)
    left, right = spot.box.left, spot.box.right
    towards = (mark.x - left) / (right - left)
    anchor: Anchor
    where, anchor = (left + right) / 2, "middle"
    if not 0.4 <= towards <= 0.6:
        where, anchor = (left, "start") if towards < 0.4 else (right, "end")
    for number, words in enumerate(lines):
        kind = "name chosen" if label.chosen else "name"
        text(sheet.root, (where, spot.box.top + 12.5 + LINE * number), words, kind, anchor)
    return True


def _key(sheet: _Sheet, names: Sequence[str], keyed: Mapping[int, str], top: float) -> float:
    """Number and name of the points that carry a number, below the plot; gives back where it ends."""
    entries = [
        (keyed[index], names[index], "name chosen" if sheet.chooses(index) else "name") for index in sorted(keyed)
    ]
    return key(sheet.root, entries, sheet.width, top) + (8 if keyed else -8)


# ---------------------------------------------------------------- parts


def _legend(sheet: _Sheet, points: Sequence[Point]) -> float:
    """Which shape means what, above the plot; gives back where it ends."""
    x, y = 8.0, 12.0
    for state in dict.fromkeys(point.state for point in points):
        label = LABELS.get(state, str(state))
        step = text_width(label, SIZE) + 32
        if x + step > sheet.width:
            x, y = 8.0, y + 20
        group = ET.SubElement(sheet.root, "g", {"class": _state_class(state)})
        _shape(group, x + 6, y, state)
        text(sheet.root, (x + 18, y + 4), label, "tick", "start")
        x += step
    label = "bar: 95 % interval" if sheet.picture.target is None else "bar: between the bounds of the table"
    if x + text_width(label, SIZE) + 30 > sheet.width:
        x, y = 8.0, y + 20
    line(sheet.root, "stroke", (x + 6, y - 7, x + 6, y + 7))
    text(sheet.root, (x + 18, y + 4), label, "tick", "start")
    return y + 14


def _target(sheet: _Sheet, shares: Axis, sides: tuple[float, float], bars: Sequence[Box]) -> None:
    """The line, and its name where no bar is: above it or below, rather at its ends than between."""
    if sheet.picture.target is None:
        return
    (left, right), y = sides, shares.at(sheet.picture.target)
    words = f"target {plain_percent(sheet.picture.target)}"
    line(sheet.root, "target", (left, y, right, y))
    wide = 12 + text_width(words, SIZE) * BOLD
    across = (left, right - wide, *range(round(left), round(right - wide), 2))
    spots = [Box(x, y + low - 19, x + wide, y + low) for low in (0, 20) for x in across]
    tight = [Box(bar.left + 5, bar.top + 5, bar.right - 5, bar.bottom - 5) for bar in bars]
    free = (spot for near in (bars, tight) for spot in spots if not any(spot.touches(bar) for bar in near))
    box = next(free, spots[0])
    text(sheet.root, (box.left + 6, box.bottom - 6), words, "target-name", "start")
    sheet.taken.append(box)
    sheet.rules.append(Box(left, y - 1, right, y + 1))


def _mark(sheet: _Sheet, x: float, point: Point, upright: Axis | float) -> Mark:
    """Draws the bar of the interval with its ends, and the shape of the state; on a bare height, the shape only."""
    group = ET.SubElement(sheet.root, "g", {"class": _state_class(point.state)})
    if isinstance(upright, float):
        mark = Mark(x=x, y=upright, top=upright, bottom=upright)
    else:
        low, high = (upright.at(value) for value in _ends(point))
        mark = Mark(x=x, y=upright.at(point.figure), top=high, bottom=low)
    if mark.top < mark.bottom:
        line(group, "bar", (x, mark.bottom, x, mark.top))
        for y in (mark.bottom, mark.top):
            line(group, "bar", (x - 4, y, x + 4, y))
        sheet.taken.append(Box(x - 5, mark.top - 2, x + 5, mark.bottom + 2))
    _shape(group, x, mark.y, point.state)
    sheet.taken.append(dot(x, mark.y))
    return mark


def _shape(group: ET.Element, x: float, y: float, state: State) -> None:
    """Filled circle: meets; open circle: undecided; cross: misses; open square: the rest."""
    if state is State.MISSES:
        path = f"M{x - 4.5:.1f} {y - 4.5:.1f}l9 9m0 -9l-9 9"
        ET.SubElement(group, "path", {"class": "halo", "d": path})
        ET.SubElement(group, "path", {"class": "cross", "d": path})
    elif state in (State.MEETS, State.UNDECIDED):
        kind = "full" if state is State.MEETS else "open"
        ET.SubElement(group, "circle", {"class": kind, "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "5.5"})
    else:
        box = {"x": f"{x - 5:.1f}", "y": f"{y - 5:.1f}", "width": "10", "height": "10"}
        ET.SubElement(group, "rect", {"class": "open", **box})


def _band(parent: ET.Element, sides: tuple[float, float], rule: float, bottom: float, label: Sequence[str]) -> None:
    """The name of a band below the plot, and a tick at its inner edge."""
    line(parent, "stroke", (rule, bottom, rule, bottom + 9))
    for number, words in enumerate(label):
        text(parent, (sum(sides) / 2, bottom + 19 + 15 * number), words, "tick", "middle")


# ---------------------------------------------------------------- words


def _axis_title(unit: str, log: bool) -> str:
    return f"cost in {unit}{' (log scale)' if log else ''}"


def _cost(value: float | None, unit: str) -> str:
    if value is None:
        return "unknown"
    return duration(value) if unit in MACHINE_TIME else f"{money(value)} {one_line(unit)}"


def _known(point: Point) -> Point:
    """The point, with a cost that no axis can hold taken as unknown."""
    held = point.cost is None or (math.isfinite(point.cost) and point.cost >= 0)
    return point if held else replace(point, cost=None)


def _ends(point: Point) -> tuple[float, float]:
    """The interval, or the figure twice where there is none."""
    low = point.lower if math.isfinite(point.lower) else point.figure
    high = point.upper if math.isfinite(point.upper) else point.figure
    return low, high


def _targets(picture: Picture) -> tuple[float, ...]:
    return () if picture.target is None else (picture.target,)


def _state_class(state: State) -> str:
    return f"state-{str(state).replace(' ', '-')}"
