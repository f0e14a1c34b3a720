"""By how much one candidate leads another on the same cases, at least: a bound without any assumption but independence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarks.statistics.betting import mean_above
from benchmarks.statistics.grouping import Floats, as_scores, group_codes, totals
from benchmarks.statistics.sample_size import more_cases

GUARD = 0.1
"""Of the level, what is spent on how often the two differ."""
_HALVINGS = 20
_SHARES = 5
_FAR = 8.0
_MOST = 50_000
"""Cases beyond which nobody is told of a number."""


def lead_at_least(one: ArrayLike, other: ArrayLike, groups: Sequence[Any] | None, level: float) -> float:
    """One-sided lower bound on the mean difference of two rows of scores in [0, 1]; from -1 up to that of the sample.

    Right-or-wrong scores of cases that stand alone: an exact test, the worst over how often the two may differ (Berger
    and Boos, JASA 89, 1994). Others: betting on whole groups.
    """
    differences = as_scores(one) - as_scores(other)
    sums, sizes = totals(differences, group_codes(groups, len(differences)))
    if not _of_signs(differences, sizes):
        # A difference in [-1, 1], halved and shifted, is a score in [0, 1].
        return 2 * mean_above((sums + sizes) / 2, sizes, level) - 1
    pair = _Pair(cases=len(differences), apart=int(np.count_nonzero(differences)), lead=round(differences.sum()))
    low, high = -1.0, pair.lead / pair.cases
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if pair.chance(middle, GUARD * level) <= level else (low, middle)
    return low


def cases_to_show(
    one: ArrayLike, other: ArrayLike, groups: Sequence[Any] | None, aim: tuple[float, float, float]
) -> int:
    """About how many cases, those at hand included, show on which side of a value the lead is; 0 for never.

    `aim` is (value, level, power), and the lead is taken as it was seen. For right-or-wrong scores of cases that stand
    alone by the exact test itself, with as many apart as were seen, else as `sample_size.more_cases`.
    """
    value, level, power = aim
    differences = as_scores(one) - as_scores(other)
    sizes = totals(differences, group_codes(groups, len(differences)))[1]
    cases, lead = len(differences), float(differences.mean())
    if abs(lead - value) < 1e-9:
        return 0
    if not _of_signs(differences, sizes):
        further = more_cases((differences + 1) / 2, groups, (value + 1) / 2, level, power)
        return 0 if further is None else cases + further
    side = 1.0 if lead > value else -1.0
    apart = int(np.count_nonzero(differences)) / cases
    return _fewest(_Rates(apart=apart, lead=side * lead), (side * value, level, power), cases)


@dataclass(frozen=True)
class _Rates:
    """What is expected of further cases: on which share of them two candidates are `apart`, and by how much the one leads."""

    apart: float
    lead: float

    def shown(self, cases: int, aim: tuple[float, float, float]) -> bool:
        """Whether so many cases show a lead above the value, with the chance `power`."""
        value, level, power = aim
        spread = math.sqrt(cases * max(0.0, self.apart - self.lead**2))
        lead = math.floor(cases * self.lead - float(special.ndtri(power)) * spread)
        pair = _Pair(cases=cases, apart=round(cases * self.apart), lead=lead)
        return lead > cases * value and pair.chance(value, GUARD * level) <= level


def _fewest(rates: _Rates, aim: tuple[float, float, float], at_hand: int) -> int:
    """By halving, within a fiftieth; 0 where even `_MOST` are too few."""
    few, enough = at_hand, at_hand
    while not rates.shown(enough, aim):
        few, enough = enough, 2 * enough
        if few > _MOST:
            return 0
    while enough - few > max(1, enough // 50):
        middle = (few + enough) // 2
        few, enough = (few, middle) if rates.shown(middle, aim) else (middle, enough)
    return enough


def closest(cases: int, apart: float, level: float, power: float) -> float:
    """The smallest margin within which so many cases show one of two equally good candidates to be of the other, with that
    power; `apart` is the share of cases in which they differ. By halving, to a thousandth; 1 where they show none."""
    rates, near, far = _Rates(apart=apart, lead=0.0), 0.0, 1.0
    while far - near > 0.001:
        middle = (near + far) / 2
        near, far = (near, middle) if rates.shown(cases, (-middle, level, power)) else (middle, far)
    return far


def cases_to_be_within(margin: float, apart: float, level: float, power: float) -> int:
    """How many cases show that for a margin; 0 where even `_MOST` are too few."""
    return _fewest(_Rates(apart=apart, lead=0.0), (-margin, level, power), 1)


def _of_signs(differences: Floats, sizes: Floats) -> bool:
    return len(sizes) == len(differences) and bool(np.isin(differences, (-1.0, 0.0, 1.0)).all())


@dataclass(frozen=True)
class _Pair:
    """What was seen of two candidates: on how many of the `cases` they are `apart`, and by how many the one leads."""

    cases: int
    apart: int
    lead: int

    def chance(self, mean: float, guard: float) -> float:
        """The largest chance of a sample that speaks as strongly against a true lead of `mean` as this one, plus `guard`.

        The largest over how often the two may truly differ, by an exact interval that is wrong with a chance of `guard`.
        Strength is the lead beyond `mean` over the root of the number apart. Given that number, who leads is binomial.
        """
        low, high = self._differ(guard)
        if high < abs(mean):
            return guard
        share = np.linspace(max(low, abs(mean), 1e-12), high, _SHARES)[:, None]
        far = _FAR * math.sqrt(self.cases * max(float((share * (1 - share)).max()), 1 / self.cases))
        first, last = self.cases * share[0, 0] - far, self.cases * high + far
        apart = np.arange(max(0, int(first)), min(self.cases, int(last) + 1) + 1)
        strength = (self.lead - self.cases * mean) / math.sqrt(self.apart + 1)
        needed = np.ceil((strength * np.sqrt(apart + 1) + self.cases * mean + apart) / 2 - 1e-9)
        in_front = np.clip((1 + mean / share) / 2, 0.0, 1.0)
        weights = _binomial(apart, self.cases, share)
        return guard + float((weights * _at_least(needed, apart, in_front)).sum(axis=1).max())

    def _differ(self, guard: float) -> tuple[float, float]:
        """Clopper and Pearson's interval."""
        seen, other = self.apart, self.cases - self.apart
        low = float(special.betaincinv(seen, other + 1, guard / 2)) if seen else 0.0
        return low, float(special.betaincinv(seen + 1, other, 1 - guard / 2)) if other else 1.0


def _binomial(k: NDArray[np.int64], n: int, share: Floats) -> Floats:
    ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    chances: Floats = np.exp(ways + special.xlogy(k, share) + special.xlog1py(n - k, -share))
    return chances


def _at_least(needed: Floats, n: NDArray[np.int64], share: Floats) -> Floats:
    """Chance of `needed` or more of `n`; certain where none are needed."""
    return np.where(needed <= 0, 1.0, special.bdtrc(np.minimum(needed, n + 1) - 1, n, share) * (needed <= n))
