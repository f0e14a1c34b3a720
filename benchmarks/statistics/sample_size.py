"""How many held-out cases it takes to show that a target is met or missed."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarks.statistics.betting import p_at_most
from benchmarks.statistics.further import Aim, further_cases
from benchmarks.statistics.grouping import as_scores, binomial_counts, group_codes, totals

LARGEST = 100_000
"""Above this many cases a question counts as not showable."""
_ROUNDS = 6
FEWEST_APART = 8
"""Cases in which two approaches have to differ before as many show any difference 4 times in 5."""


def right_needed(n: ArrayLike, target: float, alpha: float) -> NDArray[np.int64]:
    """Right answers of `n` from which the exact lower bound is at or above the target; n + 1 where none suffices."""
    cases = np.asarray(n, dtype=np.int64)
    spread = special.ndtri(1 - alpha) * np.sqrt(cases * target * (1 - target))
    needed: NDArray[np.int64] = np.clip(np.ceil(cases * target + spread), 1, cases + 1).astype(np.int64)
    while (short := (needed <= cases) & (at_least(needed, cases, target) > alpha)).any():
        needed = needed + short
    while (spare := (needed > 1) & (at_least(needed - 1, cases, target) <= alpha)).any():
        needed = needed - spare
    return needed


def at_least(k: ArrayLike, n: ArrayLike, share: float) -> NDArray[np.float64]:
    """The probability of at least `k` (1 to n + 1) right of `n`; this part of SciPy loads in a tenth of `stats`'s time."""
    few, over = np.minimum(k, n), np.asarray(k) > n
    return np.where(over, 0.0, special.betainc(few, np.asarray(n) - few + 1, share))


def share_above(k: float, n: float, target: float) -> float:
    """Exact binomial p-value of the hypothesis that the share is at most `target`, from `k` right of `n`."""
    return 1.0 if k <= 0 or target >= 1 else float(special.betainc(k, n - k + 1, target))


def showable(n: int, target: float, candidates: int = 1, alpha: float = 0.05) -> int | None:
    """Right answers of `n` that a candidate needs to meet the target at the level split over the candidates.

    None where even a perfect score would not. Units: cases.
    """
    needed = int(right_needed(n, target, alpha / candidates))
    return needed if needed <= n else None


def cases_needed(target: float, truth: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The smallest number of independent right-or-wrong cases that decides with probability `power` if `truth` is true.

    A truth above the target is to be shown to meet it, one below to miss it, at the level `alpha`.
    None where the truth is the target, or where it takes more than 100,000 cases.
    Power is jagged in the number of cases: a few more than this can fall below `power` by a hair.
    """
    return _smallest(0, 0, target, truth, (alpha, power, LARGEST))


def more_cases(
    scores: ArrayLike,
    groups: Sequence[Any] | None,
    target: float,
    alpha: float = 0.05,
    power: float = 0.8,
    limit: int = 20_000,
) -> int | None:
    """How many further held-out cases would decide with probability `power` if the truth is the present estimate.

    `alpha` is the level at which the candidate is tested. Right-or-wrong scores: exact binomial, with the present ones
    kept, small groups as in `grouping.binomial_counts`. Others: the test is asked of
    samples like these (`further`). 0 where it is decided already; None where the estimate is at the target or more than
    `limit` would be needed. The number holds for one later test; testing again and again as labels come in would raise
    the error.
    """
    given = as_scores(scores)
    if given.mean() < target:
        given, target = 1 - given, 1 - target
    codes, truth = group_codes(groups, len(given)), float(given.mean())
    sums, sizes = totals(given, codes)
    counts = binomial_counts(given, codes)
    if (share_above(*counts, target) if counts else float(p_at_most(sums, sizes, target)[0])) <= alpha:
        return 0
    if math.isclose(truth, target, abs_tol=1e-12):
        return None
    if counts is None:
        return further_cases(sums, sizes, Aim(target=target, alpha=alpha, power=power, limit=limit))
    further, times = limit + 1, 1.0
    for _ in range(1 if len(sizes) == len(given) else _ROUNDS):
        right, worth = binomial_counts(given, codes, times) or counts
        independent = _smallest(round(right), round(worth), target, truth, (alpha, power, limit))
        further = math.ceil(independent * len(given) / worth) if independent else limit + 1
        times = 1 + further / len(given)  # The more cases there are, the less weighs what the sample may lack.
    return further if further <= limit else None


def more_until_decided(
    scores: ArrayLike, groups: Sequence[Any] | None, target: float, aim: tuple[float, float, int], stops_with: int
) -> int | None:
    """As `more_cases`, where cases are asked until they decide; `aim` is (alpha, power, limit), `stops_with` is
    `Benchmark.stops_with`. At least a tenth of those there are, since so many have not decided."""
    given = as_scores(scores)
    if given.mean() < target:
        given, target = 1 - given, 1 - target
    if math.isclose(float(given.mean()), target, abs_tol=1e-12):
        return None
    sums, sizes = totals(given, group_codes(groups, len(given)))
    alpha, power, limit = aim
    asked = Aim(target=target, alpha=alpha, power=power, limit=limit, stops_with=stops_with)
    further = further_cases(sums, sizes, asked)
    return None if further is None else max(math.ceil(len(given) / 10), further)


def more_over_rows(
    figure: tuple[float, float], at: float, aim: tuple[float, float, int], cases: int, resting: float
) -> int | None:
    """As `more_cases`, of a figure over rows: `figure` is it and its bound on the side of `at`, `aim` (alpha, power, limit),
    `resting` as `Evaluation.resting`.

    What the bound leaves for errors that no case showed shrinks with the number of cases that the figure rests on, the
    rest of its distance with the root of that number. At least 1.
    """
    (alpha, power, limit), (truth, bound) = aim, figure
    away = abs(truth - at)
    if math.isclose(away, 0.0, abs_tol=1e-9):
        return None
    loses = truth if truth >= at else 1 - truth

    def unseen(times: float) -> float:
        return loses * (1 - alpha ** (1 / (resting * times))) if resting else 0.0

    drawn = max(0.0, abs(truth - bound) - unseen(1.0))
    reach = (1 + special.ndtri(power) / special.ndtri(1 - alpha)) * drawn

    def decided(further: int) -> bool:
        times = (cases + further) / cases
        return bool(reach / math.sqrt(times) + unseen(times) <= away)

    found = 1 + bisect_left(range(1, limit + 1), True, key=decided)
    return found if found <= limit else None


def smallest_difference(differences: ArrayLike) -> float:
    """The mean difference of two candidates that as many cases, which stand alone, show with 80 % power, two-sided at 5 %.

    `differences` are those of right-or-wrong scores, in [-1, 1]: how often the two differ is taken from them, not how far
    apart they are. By the normal approximation to McNemar's test (Connor, 1987). Units: of the score; 0 where they differ in
    fewer than eight, since no difference is shown so often then: even where all fall to one side, the exact test needs six
    of them.
    """
    given = np.asarray(differences, dtype=np.float64)
    spread = float(np.square(given).mean())
    if np.count_nonzero(given) < FEWEST_APART:
        return 0.0
    reach, further = float(special.ndtri(0.975)), float(special.ndtri(0.8))
    found = 0.0
    for _ in range(50):
        found = (reach * math.sqrt(spread) + further * math.sqrt(max(0.0, spread - found**2))) / math.sqrt(len(given))
    return min(1.0, found)


def difference_beyond(differences: ArrayLike, interval: tuple[float, float]) -> float:
    """As `smallest_difference`, for other scores of cases that stand alone: the mean difference whose interval, as wide as
    the given one, leaves out 0 even where the mean falls short by luck. Units: of the score."""
    given = np.asarray(differences, dtype=np.float64)
    if np.count_nonzero(given) < FEWEST_APART:
        return 0.0
    mean, error = float(given.mean()), float(given.std()) / math.sqrt(len(given))
    width = mean - interval[0] if mean >= 0 else interval[1] - mean
    return min(1.0, width + float(special.ndtri(0.8)) * error)


def _smallest(right: int, n: int, target: float, truth: float, aim: tuple[float, float, int]) -> int | None:
    """Smallest number of further cases, by the exact power of every number up to the limit, in growing blocks."""
    alpha, power, limit = aim
    if math.isclose(truth, target, abs_tol=1e-12):
        return None
    if truth < target:
        right, target, truth = n - right, 1 - target, 1 - truth
    start, block = 1, 512
    while start <= limit:
        further = np.arange(start, min(start + block, limit + 1))
        needed = right_needed(n + further, target, alpha) - right
        shown = np.where(needed > 0, at_least(np.maximum(needed, 1), further, truth), 1.0)
        enough = np.flatnonzero(shown >= power)
        if enough.size:
            return int(further[enough[0]])
        start, block = start + block, min(2 * block, 65_536)
    return None
