"""At which volume which approach is the cheapest: costs a month as lines over the number of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.contract import Costs

MOST = 1e12
"""Requests a month beyond which nobody asks."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Cost a month of one candidate: what is due at any volume, and for each request, at least what keeping it on costs."""

    name: str
    fixed: float
    each: float
    at_least: float = 0.0

    def at(self, volume: float) -> float:
        return self.fixed + max(self.at_least, self.each * volume)

    @classmethod
    def of(cls, cost: Costs) -> Line | None:
        """None where a part is not known."""
        each, monthly = cost.per_thousand.value, cost.monthly.value
        if each is None or monthly is None:
            return None
        fixed = sum(item.amount.value or 0.0 for item in cost.items if item.when == "monthly" and not item.by_request)
        least = 0.0 if cost.at_least is None else cost.at_least.value or 0.0
        return cls(name=cost.candidate, fixed=fixed, each=each / 1000, at_least=least)


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
    edges = sorted({0.0, *(volume for volume in _crossings(lines) if 0 < volume < MOST)})
    found: list[Band] = []
    for place, above in enumerate(edges):
        upto = edges[place + 1] if place + 1 < len(edges) else None
        inside = (above + upto) / 2 if upto is not None else 2 * above + 1
        name = min(lines, key=lambda line: line.at(inside)).name  # used before the loop goes on
        if found and found[-1].name == name:
            found[-1] = Band(name=name, above=found[-1].above, upto=upto)
        else:
            found.append(Band(name=name, above=above, upto=upto))
    return found


def break_evens(one: Line, other: Line) -> list[float]:
    """Volumes from which on another of the two is the cheaper one; empty where they never cost the same."""
    return [band.above for band in bands([one, other])[1:]]


def _crossings(lines: Sequence[Line]) -> list[float]:
    """Volumes at which two lines cost the same, or one leaves its least cost."""
    pieces = [piece for line in lines for piece in ((line.fixed + line.at_least, 0.0), (line.fixed, line.each))]
    bends = [line.at_least / line.each for line in lines if line.each > 0]
    pairs = [(one, other) for place, one in enumerate(pieces) for other in pieces[place + 1 :] if one[1] != other[1]]
    return [*bends, *((other[0] - one[0]) / (one[1] - other[1]) for one, other in pairs)]
