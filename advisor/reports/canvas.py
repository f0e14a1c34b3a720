"""What every drawing of a report is made of: an SVG element with its text alternative, lines, texts, and a key below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal
from xml.etree import ElementTree as ET

from advisor.reports.labels import Box, text_width, wrapped
from advisor.reports.scales import Axis
from advisor.reports.text import one_line, shortened
from advisor.wording import start

SIZE, LINE = 12.5, 16.0
"""Height of letters and of a line of text, in pixels."""
BOLD = 1.14
"""How much wider bold letters are."""
LONGEST_NAME = 90
"""Characters of a name."""
NARROW = 560
"""Below this width, in pixels, names stand in a key below the plot."""
HUES = 8
"""Colours that a page has for candidates."""

Anchor = Literal["start", "middle", "end"]
Ends = tuple[float, float, float, float]


def opened(title: str, words: str, identifier: str) -> ET.Element:
    """An empty drawing with its text alternative. `identifier` begins the ids of title and description and must be unique
    in the page."""
    root = ET.Element("svg", {"class": "picture", "role": "img"})
    root.set("aria-labelledby", f"{identifier}-title {identifier}-desc")
    ET.SubElement(root, "title", {"id": f"{identifier}-title"}).text = start(one_line(title))
    ET.SubElement(root, "desc", {"id": f"{identifier}-desc"}).text = words
    return root


def closed(root: ET.Element, width: float, height: float) -> str:
    """The markup of a drawing of that size, in pixels."""
    root.set("viewBox", f"0 0 {width:.0f} {height:.0f}")
    return ET.tostring(root, encoding="unicode")


def line(parent: ET.Element, kind: str, ends: Ends) -> None:
    """A straight line (x1, y1, x2, y2) of a class of the page."""
    named = zip(("x1", "y1", "x2", "y2"), ends, strict=True)
    ET.SubElement(parent, "line", {"class": kind, **{name: f"{value:.1f}" for name, value in named}})


def text(parent: ET.Element, at: tuple[float, float], words: str, kind: str, anchor: Anchor) -> Box:
    """A line of text with its baseline at (x, y); gives back the box that it takes at most."""
    x, y = at
    where = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    ET.SubElement(parent, "text", {"class": kind, **where}).text = words
    width = text_width(words, SIZE) * (BOLD if "chosen" in kind else 1)
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return Box(left, y - 12, left + width, y + 4)


def dot(parent: ET.Element, at: tuple[float, float], kind: str, radius: float = 4) -> None:
    """A circle around (x, y)."""
    ET.SubElement(parent, "circle", {"class": kind, "cx": f"{at[0]:.1f}", "cy": f"{at[1]:.1f}", "r": f"{radius:g}"})


def path(parent: ET.Element, kind: str, points: Iterable[tuple[float, float]], shut: bool = False) -> None:
    """A line through points, or the area that it encloses."""
    steps = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
    ET.SubElement(parent, "path", {"class": kind, "d": f"M{steps}{'z' if shut else ''}"})


def group(parent: ET.Element, kind: str) -> ET.Element:
    return ET.SubElement(parent, "g", {"class": kind})


def hue(place: int) -> str:
    """The class that colours a candidate, the same one in every drawing of a page."""
    return f"hue-{place % HUES + 1}"


def named(name: str) -> str:
    """A name on one line, cut where it is too long, and never empty."""
    return shortened(one_line(name), LONGEST_NAME) or "(no name)"


_RANGE = re.compile(r"(?<=\()(\d[\d.]*)-(?=\d[\d.]*\))")
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")


def typed(words: str) -> str:
    """Words on one line, with real signs for minus and ranges."""
    return _MINUS.sub("\u2212", _RANGE.sub("\\1\u2013", one_line(words)))


def level_ticks(parent: ET.Element, axis: Axis, ticks: Sequence[tuple[float, str]], at: tuple[float, float]) -> None:
    """Ticks and labels of an axis to the right at (bottom, right edge of the drawing); labels that would touch are left out."""
    bottom, edge = at
    free = -8.0
    for value, label in ticks:
        x, half = axis.at(value), text_width(label, SIZE) / 2
        middle = min(max(x, half), edge - half)
        line(parent, "stroke", (x, bottom, x, bottom + 5))
        if middle - half >= free + 8:
            text(parent, (middle, bottom + 19), label, "tick", "middle")
            free = middle + half


def key(parent: ET.Element, entries: Sequence[tuple[str, str, str]], width: float, top: float) -> float:
    """Writes (number, name, class of both) below each other from `top` down; gives back where it ends."""
    y = top
    for number, name, kind in entries:
        y += 4
        for place, words in enumerate(wrapped(name, SIZE, (width - 44) / (BOLD if "chosen" in kind else 1))):
            y += LINE
            if place == 0:
                text(parent, (22, y), number, kind, "end")
            text(parent, (32, y), words, kind, "start")
    return y


def apart(wanted: Sequence[float], heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """The upper edges of boxes of these heights, each as near to its wanted middle as the others let it.

    Their order stays that of the wanted middles. Where they do not fit between `top` and `bottom` they end below it.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    edges = [0.0] * len(wanted)
    free = top
    for place in order:
        edges[place] = max(wanted[place] - heights[place] / 2, free)
        free = edges[place] + heights[place]
    limit = bottom
    for place in reversed(order):
        edges[place] = max(min(edges[place], limit - heights[place]), top)
        limit = edges[place]
    free = top
    for place in order:
        edges[place] = max(edges[place], free)
        free = edges[place] + heights[place]
    return edges
