"""Axes of the drawings: where a value lies, and which round values get a tick."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.wording import digits, money

MACHINE_TIME = ("machine time", "machine s")
"""Cost units that are counted in seconds."""
_LOG_FROM = 20.0
"""Ratio of the largest to the smallest cost from which the axis counts in factors."""

_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3600.0, 86400.0, 31536000.0
_TIMES = ((_YEAR, "year"), (_DAY, "day"), (_HOUR, "h"), (_MINUTE, "min"), (1.0, "s"))
_ROUND_TIMES = (
    *(unit * step for unit in (1.0, _MINUTE) for step in (1, 2, 5, 10, 20, 30)),
    *(_HOUR * step for step in (1, 2, 5, 10)),
    *(_DAY * step for step in (1, 2, 4, 10, 20, 40, 100, 200)),
    *(_YEAR * step for step in (1, 2, 5, 10, 20, 50, 100)),
)
_COARSE_TIMES = (1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 4 * _DAY, 40 * _DAY, _YEAR, 10 * _YEAR, 100 * _YEAR)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Maps values in [low, high] to pixels from `start` to `end`, by factors where `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Pixel of a value; values outside are put on the edge."""
        low, high, here = (math.log10(v) if self.log else v for v in (self.low, self.high, max(value, self.low)))
        share = (min(here, high) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def share_axis(values: Sequence[float], start: float, end: float) -> tuple[Axis, tuple[tuple[float, str], ...]]:
    """Axis and ticks (value, label) of shares of 1 for values to be seen; it need not begin at 0."""
    low, high = max(min(values) - 0.02, 0.0), min(max(values) + 0.02, 1.0)
    step = next((s for s in (0.01, 0.02, 0.05, 0.1) if (high - low) / s <= 6.5), 0.2)
    low, high = math.floor(low / step + 1e-9) * step, min(math.ceil(high / step - 1e-9) * step, 1.0)
    high = max(high, low + step)
    count = math.floor((high - low) / step + 1e-9)
    ticks = tuple((low + index * step, f"{(low + index * step) * 100:.0f} %") for index in range(count + 1))
    return Axis(low=low, high=high, start=start, end=end), ticks


def is_wide(costs: Iterable[float]) -> bool:
    """True where known costs differ so much that the axis should count in factors."""
    positive = [cost for cost in costs if cost > 0]
    return len(positive) > 1 and max(positive) / min(positive) >= _LOG_FROM


def cost_axis(
    costs: Sequence[float], unit: str, start: float, end: float, apart: float
) -> tuple[Axis, tuple[tuple[float, str], ...]]:
    """Axis and ticks (value, label) of positive costs by factors, or of any from 0 on; ticks stand `apart` pixels."""
    if is_wide(costs):
        axis = Axis(low=min(costs) / 1.5, high=max(costs) * 1.5, start=start, end=end, log=True)
    else:
        axis = Axis(low=0.0, high=(max(costs) or 1.0) * 1.12, start=start, end=end)
    return axis, cost_ticks(axis, unit, apart)


def cost_ticks(axis: Axis, unit: str, apart: float) -> tuple[tuple[float, str], ...]:
    """Round costs on an axis, with their labels, at least `apart` pixels from each other."""
    values = _factors(axis, unit, apart) if axis.log else _steps(axis, unit, apart)
    return tuple((value, cost_label(value, unit)) for value in sorted(values))


def count_ticks(axis: Axis, apart: float) -> tuple[tuple[float, str], ...]:
    """Round numbers of things on an axis, with their labels, at least `apart` pixels from each other."""
    values = _factors(axis, "", apart) if axis.log else _steps(axis, "", apart)
    return tuple((value, count_label(value)) for value in sorted(values))


def count_label(value: float) -> str:
    """`300`, `20,000`, `3 million`."""
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:,.4g} {name}"
    return f"{value:,.12g}"


def step_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """At most so many multiples of 1, 2 or 5 (of some power of ten) that cover the values from `low` to `high`."""
    rough = max(high - low, 1e-9) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    for step in (power * factor for factor in (1, 2, 5, 10, 20)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first + 1 <= max(most, 3):
            break
    return tuple(number * step for number in range(first, max(last, first + 1) + 1))


def cost_label(value: float, unit: str) -> str:
    """A round cost as an axis shows it: `10 min`, `40 days`, `0.5`, `2,000`."""
    if unit not in MACHINE_TIME:
        return money(value) if unit == "USD" and value < 1 else f"{value:,.12g}"
    size, name = next(((s, n) for s, n in _TIMES if value >= s), (1.0, "s"))
    number = digits(value / size)
    return f"{number} {name}{'s' if name in ('day', 'year') and number != '1' else ''}"


def _factors(axis: Axis, unit: str, apart: float) -> list[float]:
    """Round values inside the axis, the roundest first, as many as fit; its middle where none lies inside."""
    if unit in MACHINE_TIME and axis.high > 2:
        offered = [*_COARSE_TIMES, *_ROUND_TIMES]
    else:
        powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
        offered = [step * 10.0**power for step in (1, 3, 2, 5) for power in powers]
    kept: list[float] = []
    for value in offered:
        inside = axis.low <= value <= axis.high
        if inside and all(abs(axis.at(value) - axis.at(other)) >= apart for other in kept):
            kept.append(value)
    return kept or [float(f"{math.sqrt(axis.low * axis.high):.2g}")]


def _steps(axis: Axis, unit: str, apart: float) -> list[float]:
    """Multiples of one round step from 0 on, at least `apart` pixels from each other."""
    most = max(int(abs(axis.end - axis.start) / apart), 1)
    rough = axis.high / most
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [power * factor for factor in (1, 2, 2.5, 5, 10)]
    if unit in MACHINE_TIME and rough > 1:
        steps = list(_ROUND_TIMES)
    step = next((step for step in steps if step >= rough * (1 - 1e-9)), steps[-1])
    return [index * step for index in range(int(axis.high / step + 1e-9) + 1)]
