"""How many further cases would decide, by asking the very test of samples like those there are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from benchmarks.statistics import betting, sequential
from benchmarks.statistics.grouping import Floats

SAMPLES, FEWEST = 120, 40
"""Of which the share is taken that decides, and how many are enough where each has very many groups."""
NUMBERS = 200_000
"""Groups in all samples of one number together, so that a sentence takes a second at most."""
FAR = 4
"""How many times as many as the limit the normal approximation has to ask for before nothing is tried."""
_WITHIN = 16
"""A number is told to within this part of it."""
KEPT = 256
"""So many answers are remembered: those who wait for one candidate ask for it each."""


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What further cases are for: that a mean above the target is shown."""

    target: float
    alpha: float
    """At which it is tested when they are there."""
    power: float
    """The chance that it is shown then."""
    limit: int
    """More cases are not looked for."""
    stops_with: int | None = None
    """Cases of the largest group where asking may end with a decision (`Benchmark.stops_with`); None: it does not."""

    def test(self) -> Callable[[Floats, Floats], float]:
        """From totals of groups to the p-value of a mean of at most the target."""
        target, largest = self.target, self.stops_with
        if largest is None:
            return lambda sums, sizes: float(betting.p_at_most(sums, sizes, target)[0])
        return lambda sums, sizes: sequential.p_at_most(sums, sizes, target, largest)


def further_cases(sums: Floats, sizes: Floats, aim: Aim) -> int | None:
    """About how many cases beside those at hand (totals of groups), within a sixteenth; None where they are above the limit.

    The further groups are drawn from those at hand, with repeats, so the figure is taken to hold. Where asking may end all
    are put into a new random order, as a run does. By doubling, then by halving.
    """
    return _further(sums.tobytes(), sizes.tobytes(), aim)


@lru_cache(maxsize=KEPT)
def _further(of_sums: bytes, of_sizes: bytes, aim: Aim) -> int | None:
    sums, sizes = np.frombuffer(of_sums), np.frombuffer(of_sizes)
    guess = about(sums, sizes, aim) - sizes.sum()
    if guess > FAR * aim.limit:
        return None
    each = float(sizes.mean())
    most = max(1, math.floor(aim.limit / each))
    trial = _Trial(sums=sums, sizes=sizes, aim=aim)
    enough = min(most, max(1, math.ceil(guess / each)))
    few = 0
    if trial.decides(enough):
        while enough > 1 and trial.decides(enough // 2):
            enough //= 2
        few = enough // 2
    else:
        while not trial.decides(enough):
            if enough == most:
                return None
            few, enough = enough, min(most, 2 * enough)
    while enough - few > max(1, enough // _WITHIN):
        middle = (few + enough) // 2
        few, enough = (few, middle) if trial.decides(middle) else (middle, enough)
    cases: int = math.ceil(enough * each)
    return min(aim.limit, cases)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    sums: Floats
    sizes: Floats
    aim: Aim

    def decides(self, groups: int) -> bool:
        """Whether so many further groups do in as large a share of the samples as is wanted."""
        rng, test = np.random.default_rng(0), self.aim.test()
        total = len(self.sums) + groups
        samples = min(SAMPLES, max(FEWEST, NUMBERS // total))
        wanted = missing = math.ceil(self.aim.power * samples)
        for left in range(samples, 0, -1):
            if missing > left or not missing:
                break
            drawn = np.r_[np.arange(len(self.sums)), rng.integers(0, len(self.sums), groups)][rng.permutation(total)]
            missing -= int(test(self.sums[drawn], self.sizes[drawn]) <= self.aim.alpha)
        return missing <= 0 < wanted


def about(sums: Floats, sizes: Floats, aim: Aim) -> float:
    """Cases, those at hand included, at which a compounded bet reaches 1 / alpha with the wanted power, by the normal
    approximation from the variance of the groups: where the search begins."""
    cases, truth = sizes.sum(), sums.sum() / sizes.sum()
    variance = np.square(sums - truth * sizes).sum() / cases
    reach = math.sqrt(2 * math.log(1 / aim.alpha)) + float(special.ndtri(aim.power))
    by_variance = (reach / (truth - aim.target)) ** 2 * variance
    # However small the variance, the largest bet wins no more than this a case.
    largest_bet = 0.95 / (aim.target * sizes.max() * len(sizes) / cases)
    by_largest_bet = math.log(1 / aim.alpha) / math.log1p(largest_bet * (truth - aim.target))
    return float(max(by_variance, by_largest_bet))
