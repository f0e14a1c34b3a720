"""What a story shows beside its sentences: tables and figures as values, which every format only lays out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.contract import State


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text: every format only lays it out. `emphasis` are indexes of rows to set off."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    numeric: tuple[int, ...] = ()
    """Columns to align to the right."""
    emphasis: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Point:
    """One candidate in the accuracy-against-cost picture. `cost` None: unknown, drawn apart."""

    name: str
    cost: float | None
    figure: float
    lower: float
    upper: float
    state: State


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Accuracy against cost."""

    title: str
    cost_unit: str
    points: tuple[Point, ...]
    target: float | None


@dataclass(frozen=True, kw_only=True)
class Series:
    """One candidate as a line over something: cost over volume, score over tokens, accuracy over examples."""

    name: str
    points: tuple[tuple[float, float], ...]
    """(x, y), from left to right."""
    colour: int
    """The same number for the same candidate in every figure of a story."""
    ranges: tuple[tuple[float, float, float], ...] = ()
    """(x, low, high) where what was measured varied."""
    expected: tuple[tuple[float, float, float], ...] = ()
    """(x, low, high) beyond what was measured; the first has no width and lies on the line."""
    note: str = ""
    """What stands behind the name at the line's end: `cut short`."""
    dots: bool = True
    """Every point was measured by itself."""
    quiet: bool = False
    """Only there to compare with."""


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A place on a chart with its words, such as a break-even."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """Lines over an axis, with their numbers as a table."""

    title: str
    """A sentence that says what the chart shows."""
    across: str
    """What is counted to the right; what is counted upwards is `upwards`."""
    upwards: str
    series: tuple[Series, ...]
    table: Table
    unit: str = ""
    """Of costs upwards; empty where shares of 1 are drawn."""
    by_factors: bool = True
    """Whether the axis to the right counts in factors; that of costs always does."""
    signs: tuple[Signed, ...] = ()
    here: tuple[float, str] | None = None
    """An upright line at what was stated, and its words."""
    ticks: tuple[float, ...] = ()
    """Where the axis to the right is labelled; round values where it is empty."""
    goal: tuple[float, str] | None = None
    """A level line, and its words."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One line of a forest: a value with its interval, and how both are written."""

    name: str
    value: float
    lower: float
    upper: float
    text: str
    tone: Literal["above", "below", "open"] = "open"
    """Shown to lie above the line that nothing is different at, or below it, or neither."""


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Values with intervals below each other on one axis."""

    title: str
    across: str
    unit: Literal["points", "%"]
    estimates: tuple[Estimate, ...]
    zero: float | None = None
    """The value that stands for no difference, where there is one."""
    sides: tuple[str, str] = ("", "")
    """What it means to lie left and right of it."""


Settled = Literal["choose", "safe but cheaper undecided", "undecided", "nothing meets"]
"""A verdict where something is asked."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The decision for volumes above `above` up to `upto`."""

    above: float
    upto: float
    verdict: Settled
    named: str | None
    """The cheapest that is shown to meet."""
    unsettled: tuple[str, ...]
    """Undecided, and would be preferred."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Neighbouring goals, by their index, at which all decisions are the same, from few to many requests."""

    first: int
    last: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class WinnerMap:
    """Which candidate would be chosen at which volume and goal."""

    title: str
    noun: Literal["target", "margin"]
    goals: tuple[str, ...]
    """From easy to hard, as they are shown."""
    strips: tuple[Strip, ...]
    """From easy to hard."""
    own: int | None
    """The goal that was stated before the run, as an index."""
    labelled: tuple[int, ...]
    """Goals that an axis is labelled with, as indexes, the roundest first."""
    volume: int
    colours: Mapping[str, int]
    table: Table
