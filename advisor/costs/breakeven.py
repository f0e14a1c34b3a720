"""At which volume which approach is the cheapest: costs a month as lines over the number of requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.contract import Costs

MOST = 1e12
"""Requests a month beyond which nobody asks."""
_SAME = 1e-9
"""A difference in cost that is one of arithmetic."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Cost a month of one candidate: what is due at any volume, and for each request, at least what keeping it on costs.

    `beside` is what of `each` is due beside the machine that is kept on: tokens of a model elsewhere."""

    name: str
    fixed: float
    each: float
    at_least: float = 0.0
    beside: float = 0.0

    def at(self, volume: float) -> float:
        return self.fixed + max(self.at_least + self.beside * volume, self.each * volume)

    @property
    def bend(self) -> float:
        """The volume from which on the machine has more to do than keeping it on costs; 0 where there is none."""
        here = self.each - self.beside
        return self.at_least / here if here > 0 else 0.0

    @classmethod
    def of(cls, cost: Costs) -> Line | None:
        """None where a part is not known."""
        each, monthly = cost.per_thousand.value, cost.monthly.value
        if each is None or monthly is None:
            return None
        fixed = sum(item.amount.value or 0.0 for item in cost.items if item.when == "monthly" and not item.by_request)
        least = 0.0 if cost.at_least is None else cost.at_least.value or 0.0
        beside = 0.0 if cost.beside is None else cost.beside.value or 0.0
        return cls(name=cost.candidate, fixed=fixed, each=each / 1000, at_least=least, beside=beside / 1000)


@dataclass(frozen=True, kw_only=True)
class Band:
    """Volumes at which one candidate is the cheapest; `upto` None: at all above `above`."""

    name: str
    above: float
    upto: float | None


def bands(lines: Sequence[Line]) -> list[Band]:
    """Who is the cheapest at which volume, from 0 on; of equal ones the first."""
    if not lines:
        return []
    found: list[Band] = []
    for above, upto in _pieces(lines):
        inside = _inside(above, upto)
        name = min(lines, key=lambda line: line.at(inside)).name  # used before the loop goes on
        if found and found[-1].name == name:
            found[-1] = Band(name=name, above=found[-1].above, upto=upto)
        else:
            found.append(Band(name=name, above=above, upto=upto))
    return found


def cheapest_at(line: Line, lines: Sequence[Line]) -> list[Band]:
    """The volumes at which none of `lines` costs less than `line`, which may share them with others."""
    found: list[Band] = []
    for above, upto in _pieces(lines):
        inside = _inside(above, upto)
        if line.at(inside) > min(other.at(inside) for other in lines) + _SAME:
            continue
        if found and found[-1].upto == above:
            above = found.pop().above
        found.append(Band(name=line.name, above=above, upto=upto))
    return found


def alike_up_to(one: Line, other: Line) -> float:
    """The volume up to which two cost the same, as where a machine is kept on for either; 0 where they never do so from 0
    on, infinity where they always do."""
    alike = 0.0
    for above, upto in _pieces([one, other]):
        inside = _inside(above, upto)
        if abs(one.at(inside) - other.at(inside)) > _SAME:
            return alike
        alike = math.inf if upto is None else upto
    return alike


def break_evens(one: Line, other: Line) -> list[float]:
    """Volumes from which on another of the two is the cheaper one; empty where they never cost the same."""
    return [band.above for band in bands([one, other])[1:]]


def _pieces(lines: Sequence[Line]) -> list[tuple[float, float | None]]:
    """Volumes from one crossing to the next; the last has no end."""
    edges = sorted({0.0, *(volume for volume in _crossings(lines) if 0 < volume < MOST)})
    return list(zip(edges, [*edges[1:], None], strict=True))


def _inside(above: float, upto: float | None) -> float:
    return (above + upto) / 2 if upto is not None else 2 * above + 1


def _crossings(lines: Sequence[Line]) -> list[float]:
    """Volumes at which two lines cost the same, or one leaves its least cost."""
    pieces = [piece for line in lines for piece in ((line.fixed + line.at_least, line.beside), (line.fixed, line.each))]
    bends = [line.bend for line in lines]
    pairs = [(one, other) for place, one in enumerate(pieces) for other in pieces[place + 1 :] if one[1] != other[1]]
    return [*bends, *((other[0] - one[0]) / (one[1] - other[1]) for one, other in pairs)]
