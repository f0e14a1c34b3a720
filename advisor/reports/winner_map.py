"""Draws which approach would be chosen at which volume and target as inline SVG: a map of areas with their names in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.etree import ElementTree as ET

from advisor.drawn import Cell, Strip, WinnerMap
from advisor.reports.canvas import (
    BOLD,
    LINE,
    NARROW,
    SIZE,
    closed,
    dot,
    group,
    hue,
    level_ticks,
    line,
    named,
    opened,
    text,
)
from advisor.reports.labels import Box, text_width, wrapped
from advisor.reports.scales import Axis, count_ticks
from advisor.reports.text import one_line, shortened

_EASIER, _HARDER = 25, 5
"""Goals that are shown below the stated one, and above the last that anything is shown to meet."""
_INSIDE = 8.0
"""Pixels between the edge of an area and its name."""

_Kind = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    map: WinnerMap
    root: ET.Element
    identifier: str
    x: Axis
    rows: Axis
    """From the index of a goal to the lower edge of its row."""
    shown: tuple[int, int]
    """The first and the last goal that is drawn, by index."""
    rules: list[Box] = field(default_factory=list)


def draw_map(chart: WinnerMap, width: int, identifier: str) -> str:
    """SVG markup `width` units wide, with a text alternative. Solid: chosen; striped: not decided, or not
    whether one that would be preferred meets; empty: nothing meets. `identifier` must be unique in the page."""
    root = opened(chart.title, described(chart), identifier)
    narrow = width < NARROW
    first, last = _shown(chart)
    left = 10.0 + max(text_width(_goal(chart, place), SIZE) * BOLD for place in range(first, last + 1))
    top, right = 46.0, width - 6.0
    bottom = top + max(250 if narrow else 340, 24 * (last + 1 - first if chart.noun == "margin" else 0))
    ends = chart.strips[0].cells[0].above, chart.strips[0].cells[-1].upto
    sheet = _Sheet(
        map=chart,
        root=root,
        identifier=identifier,
        x=Axis(low=ends[0], high=ends[1], start=left, end=right, log=True),
        rows=Axis(low=first, high=last + 1, start=bottom, end=top),
        shown=(first, last),
    )
    areas = _areas(sheet)
    _patterns(sheet, [kind for kind, _ in areas])
    for kind, boxes in areas:
        _fill(sheet, kind, boxes)
    _borders(sheet)
    _axes(sheet, (left, right, top, bottom), narrow)
    unnamed = [kind for kind, boxes in areas if not _named_inside(sheet, kind, boxes)]
    return closed(root, width, _legend(sheet, unnamed, (float(width), bottom + 50)))


def described(chart: WinnerMap) -> str:
    """Every strip of the map in words."""
    said = []
    for strip in chart.strips:
        first, last = one_line(chart.goals[strip.first]), one_line(chart.goals[strip.last])
        goal = first if first == last else f"{first} to {last}"
        cells = [f"{_words(_kind(cell))} from {cell.above:,.0f} to {cell.upto:,.0f} requests" for cell in strip.cells]
        answer = _words(_kind(strip.cells[0])) if len(cells) == 1 else "; ".join(cells)
        said.append(f"{chart.noun} {goal}: {answer}.")
    return " ".join(said)


def _goal(chart: WinnerMap, place: int) -> str:
    return shortened(one_line(chart.goals[place]), 12)


def _shown(chart: WinnerMap) -> tuple[int, int]:
    count = len(chart.goals)
    if chart.noun == "margin":
        return 0, count - 1
    reached = max((strip.last for strip in chart.strips if any(cell.named for cell in strip.cells)), default=count - 1)
    open_still = (strip.last for strip in chart.strips if any(cell.verdict != "nothing meets" for cell in strip.cells))
    hardest = max(open_still, default=reached)
    own = reached if chart.own is None else chart.own
    return max(0, min(own, reached) - _EASIER), min(count - 1, max(hardest, own) + _HARDER)


# ---------------------------------------------------------------- areas


def _kind(cell: Cell) -> _Kind:
    return cell.verdict, cell.named


def _areas(sheet: _Sheet) -> list[tuple[_Kind, list[Box]]]:
    """What is decided alike, with the boxes that it covers: one for each strip and piece."""
    found: dict[_Kind, list[Box]] = {}
    for strip in _strips(sheet):
        for cell in strip.cells:
            box = Box(
                sheet.x.at(cell.above), sheet.rows.at(strip.last + 1), sheet.x.at(cell.upto), sheet.rows.at(strip.first)
            )
            boxes = found.setdefault(_kind(cell), [])
            if boxes and (boxes[-1].left, boxes[-1].right, boxes[-1].top) == (box.left, box.right, box.bottom):
                boxes[-1] = Box(box.left, box.top, box.right, boxes[-1].bottom)
            else:
                boxes.append(box)
    return list(found.items())


def _strips(sheet: _Sheet) -> list[Strip]:
    first, last = sheet.shown
    return [
        Strip(first=max(strip.first, first), last=min(strip.last, last), cells=strip.cells)
        for strip in sheet.map.strips
        if strip.last >= first and strip.first <= last
    ]


def _fill(sheet: _Sheet, kind: _Kind, boxes: Sequence[Box]) -> None:
    verdict, _ = kind
    if verdict == "nothing meets":
        return
    drawn = group(sheet.root, _colour(sheet, kind))
    for box in boxes:
        where = {"x": box.left, "y": box.top, "width": box.right - box.left, "height": box.bottom - box.top}
        rect = ET.SubElement(drawn, "rect", {name: f"{value:.1f}" for name, value in where.items()})
        rect.set("class", "area" if verdict == "choose" else "striped")
        if verdict != "choose":
            rect.set("fill", f"url(#{_pattern(sheet, kind)})")


def _colour(sheet: _Sheet, kind: _Kind) -> str:
    return "open-area" if kind[1] is None else hue(sheet.map.colours.get(kind[1], 0))


def _pattern(sheet: _Sheet, kind: _Kind) -> str:
    return f"{sheet.identifier}-{_colour(sheet, kind)}"


def _patterns(sheet: _Sheet, kinds: Sequence[_Kind]) -> None:
    """Stripes in the colour of each approach that needs them."""
    where = ET.SubElement(sheet.root, "defs")
    for identifier, colour in sorted(
        {(_pattern(sheet, kind), _colour(sheet, kind)) for kind in kinds if kind[0] in _STRIPED}
    ):
        size = {"width": "9", "height": "9", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
        pattern = ET.SubElement(where, "pattern", {"id": identifier, "class": colour, **size})
        ET.SubElement(pattern, "rect", {"class": "between", "width": "9", "height": "9"})
        ET.SubElement(pattern, "rect", {"class": "stripe", "width": "3", "height": "9"})


_STRIPED = ("safe but cheaper undecided", "undecided")


def _borders(sheet: _Sheet) -> None:
    """Thin lines between areas that are decided differently."""
    strips = _strips(sheet)
    for strip in strips:
        top, bottom = sheet.rows.at(strip.last + 1), sheet.rows.at(strip.first)
        for one, other in pairwise(strip.cells):
            if _kind(one) != _kind(other):
                line(sheet.root, "border", (sheet.x.at(one.upto), top, sheet.x.at(one.upto), bottom))
    for below, above in pairwise(strips):
        y = sheet.rows.at(above.first)
        for one in below.cells:
            for other in above.cells:
                left, right = max(one.above, other.above), min(one.upto, other.upto)
                if left < right and _kind(one) != _kind(other):
                    line(sheet.root, "border", (sheet.x.at(left), y, sheet.x.at(right), y))


# ---------------------------------------------------------------- axes


def _axes(sheet: _Sheet, frame: tuple[float, float, float, float], narrow: bool) -> None:
    left, right, top, bottom = frame
    text(sheet.root, (0, 12), sheet.map.noun, "title", "start")
    for middle, label, own in _goal_ticks(sheet):
        text(sheet.root, (left - 8, middle + 4), label, "tick own" if own else "tick", "end")
    level_ticks(sheet.root, sheet.x, count_ticks(sheet.x, 56 if narrow else 84), (bottom, right + 6))
    line(sheet.root, "stroke", (left, bottom, right, bottom))
    text(sheet.root, ((left + right) / 2, bottom + 38), "requests a month", "title", "middle")
    x, words = sheet.x.at(sheet.map.volume), f"{sheet.map.volume:,} requests"
    half = text_width(words, SIZE) / 2
    line(sheet.root, "target", (x, top - 6, x, bottom))
    text(sheet.root, (min(max(x, left + half), right - half), top - 12), words, "target-name", "middle")
    sheet.rules.append(Box(x - 3, top, x + 3, bottom))
    if sheet.map.own is not None:
        y = _middle(sheet, sheet.map.own)
        line(sheet.root, "target", (left, y, right, y))
        dot(sheet.root, (x, y), "ring", 6)
        sheet.rules.extend((Box(left, y - 3, right, y + 3), Box(x - 10, y - 10, x + 10, y + 10)))


def _middle(sheet: _Sheet, goal: int) -> float:
    return (sheet.rows.at(goal) + sheet.rows.at(goal + 1)) / 2


def _goal_ticks(sheet: _Sheet) -> Iterator[tuple[float, str, bool]]:
    """(y, label, whether it is the stated one): that one, and round ones that leave room for it."""
    first, last = sheet.shown
    taken: list[float] = []
    own = sheet.map.own
    if own is not None and first <= own <= last:
        taken.append(_middle(sheet, own))
        yield taken[0], _goal(sheet.map, own), True
    for goal in sheet.map.labelled:
        y = _middle(sheet, goal)
        if first <= goal <= last and all(abs(y - other) >= 22 for other in taken):
            taken.append(y)
            yield y, _goal(sheet.map, goal), False


# ---------------------------------------------------------------- names


def _named_inside(sheet: _Sheet, kind: _Kind, boxes: Sequence[Box]) -> bool:
    """Writes what an area means into its largest part, beside the stated lines; False where it does not fit."""
    for room in sorted(_rooms(boxes), key=lambda box: (box.left - box.right) * (box.bottom - box.top)):
        across = min(220.0, room.right - room.left - 2 * _INSIDE)
        if any(text_width(word, SIZE) > across for word in _words(kind).split()):
            continue
        lines = wrapped(_words(kind), SIZE, across)
        width, height = max(text_width(words, SIZE) for words in lines), LINE * len(lines)
        for spot in _spots(room, width, height):
            if not any(spot.touches(rule) for rule in sheet.rules):
                for place, words in enumerate(lines):
                    text(
                        sheet.root,
                        ((spot.left + spot.right) / 2, spot.top + 12.5 + LINE * place),
                        words,
                        "name",
                        "middle",
                    )
                sheet.rules.append(spot)
                return True
    return False


def _rooms(boxes: Sequence[Box]) -> Iterator[Box]:
    """The boxes, and what boxes on top of each other have in common."""
    for place, box in enumerate(boxes):
        room = box
        yield room
        for above in boxes[place + 1 :]:
            left, right = max(room.left, above.left), min(room.right, above.right)
            if abs(above.bottom - room.top) < 0.1 and left < right:
                room = Box(left, above.top, right, room.bottom)
                yield room


def _spots(room: Box, width: float, height: float) -> Iterator[Box]:
    """Places for a text in a box, the middle first."""
    across, down = room.right - room.left - width - 2 * _INSIDE, room.bottom - room.top - height - 4
    if across < 0 or down < 0:
        return
    for share_x in (0.5, 0.25, 0.75, 0.1, 0.9, 0.0, 1.0):
        for share_y in (0.5, 0.25, 0.75, 0.0, 1.0):
            left, top = room.left + _INSIDE + across * share_x, room.top + 2 + down * share_y
            yield Box(left, top, left + width, top + height)


def _words(kind: _Kind) -> str:
    verdict, name = kind
    if name is None:
        return "nothing meets it" if verdict == "nothing meets" else "not decided"
    return named(name) if verdict == "choose" else f"{named(name)}, or a preferred one that is undecided"


def _legend(sheet: _Sheet, kinds: Sequence[_Kind], at: tuple[float, float]) -> float:
    """What areas mean that are too small for their name, below the map; gives back where it ends."""
    width, y = at
    for kind in kinds:
        _fill(sheet, kind, [Box(8, y + 2, 28, y + 14)])
        lines = wrapped(_words(kind), SIZE, width - 44)
        if kind[0] == "nothing meets":
            line(sheet.root, "border", (8, y + 8, 28, y + 8))
        for place, words in enumerate(lines):
            text(sheet.root, (36, y + 12.5 + LINE * place), words, "name", "start")
        y += LINE * len(lines) + 4
    return y + (4 if kinds else -4)
