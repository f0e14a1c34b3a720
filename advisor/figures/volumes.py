"""Which volumes a figure shows, and how one of them is written, or where two cost the same."""

from __future__ import annotations

import math
from collections.abc import Iterable

from advisor.costs.breakeven import MOST, Line, alike_up_to, break_evens
from advisor.wording import NEVER

_AROUND, _FURTHEST = 30.0, 300.0
"""Factors around the stated volume that are shown in any case, and at most for a break-even."""


def span(volume: float, breaks: Iterable[float]) -> tuple[float, float]:
    """From which to which number of requests a month, in powers of ten: around the stated one, break-evens included."""
    volume = max(volume, 1.0)
    near = [each for each in breaks if volume / _FURTHEST <= each <= volume * _FURTHEST]
    low = min([volume / _AROUND, *(each / 2 for each in near)])
    high = max([volume * _AROUND, *(each * 2 for each in near)])
    low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
    return max(low, 1.0), min(max(high, 10.0), MOST)


def requests(volume: float) -> str:
    """`about 12,000`, or less than a request."""
    if volume < 1:
        return "less than 1"
    return f"about {whole(volume)}"


def whole(volume: float) -> str:
    """`12,000`, `3.4 million`: two digits that count."""
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if volume >= size:
            return f"{float(f'{volume / size:.2g}'):,.12g} {name}"
    return f"{float(f'{volume:.2g}'):,.0f}"


def broken_even(one: Line, other: Line) -> str:
    """At which volume the two cost the same: `about 12,000`, `up to about 5,000`, or `never`."""
    alike = alike_up_to(one, other)
    if alike:
        return "any number" if alike == math.inf else f"up to {requests(alike)}"
    return " and ".join(requests(volume) for volume in break_evens(one, other)) or NEVER
