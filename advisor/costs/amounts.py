"""Sums and multiples of costs that may be unknown or in different units, and the range that each may lie in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from advisor.contract import Amount
from advisor.wording import SECONDS, TOKENS


def exactly(value: float, unit: str) -> Amount:
    """An amount that is stated and not measured."""
    return Amount(value=value, unit=unit, low=value, high=value)


def total(amounts: Iterable[Amount], unit: str) -> Amount:
    """The sum; unknown as soon as one part is unknown or in another unit, as seconds are beside money."""
    parts = list(amounts)
    if any(part.value is None or part.unit != unit for part in parts):
        return Amount(value=None, unit=unit)
    value = sum(part.value or 0.0 for part in parts)
    bounds = [range_of(part) for part in parts]
    return Amount(value=value, unit=unit, low=sum(low for low, _ in bounds), high=sum(high for _, high in bounds))


def times(amount: Amount, factor: float) -> Amount:
    """So many of it; of an unknown amount an unknown one."""

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * factor

    return Amount(value=scaled(amount.value), unit=amount.unit, low=scaled(amount.low), high=scaled(amount.high))


def range_of(amount: Amount) -> tuple[float, float]:
    """Low and high of a known amount; the value itself where no range is stated."""
    value = math.nan if amount.value is None else amount.value
    return (value if amount.low is None else amount.low), (value if amount.high is None else amount.high)


def ends_of(part: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """The value, the low and the high of a sum of tokens whose price is not known, and what is left of the four ends: the
    value is where every token costs the same, and at the last one an answer token costs the most beside a prompt token and a
    cached one the least. At any price between, the sum lies between these in the same way for every approach."""
    value, low, high = part
    return value, low, high, low + high - value


def clearly_more(one: Amount, other: Amount) -> bool:
    """Whether the first costs more than the second beyond doubt; both known, and in one unit.

    A measured range has to lie above the other. Tokens of an unknown price have one price for both, whatever it is, so the
    first has to be the larger at every end of what that may be.
    """
    if not one.unit.startswith(TOKENS):
        return range_of(one)[0] > range_of(other)[1]
    ours, theirs = (ends_of((math.nan if each.value is None else each.value, *range_of(each))) for each in (one, other))
    return all(mine > its for mine, its in zip(ours, theirs, strict=True))


def among_the_least(names: Sequence[str], amounts: Mapping[str, Amount]) -> list[str]:
    """Those of the names whose cost is not clearly more than that of another of them; all known, and in one unit."""
    if any(amounts[name].unit.startswith(TOKENS) for name in names):
        return [name for name in names if not any(clearly_more(amounts[name], amounts[other]) for other in names)]
    ranges = [range_of(amounts[name]) for name in names]
    least = min([max(ends) for ends in ranges], default=math.nan)  # A sum's ends may be turned about by rounding.
    return [name for name, ends in zip(names, ranges, strict=True) if min(ends) <= least]


def one_unit(names: Iterable[str], amounts: Mapping[str, Amount]) -> list[str]:
    """Those of the names whose cost is known, in the unit that most of them have; money before seconds where equal, and
    tokens without a price where there is nothing else."""
    known = [name for name in names if amounts[name].value is not None]
    if not known:
        return []
    counts = Counter(amounts[name].unit for name in known)
    unit = max(counts, key=lambda unit: (not unit.startswith(TOKENS), counts[unit], unit != SECONDS, unit))
    return [name for name in known if amounts[name].unit == unit]
