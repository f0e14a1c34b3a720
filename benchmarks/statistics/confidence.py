"""What the held-out scores prove: bounds, tests against the target, the status of each candidate, paired differences.

Pure functions on arrays of scores. The figure is always the mean over cases; groups of cases that are not independent
(`groups`, one entry a score, an empty one standing alone) widen its bounds. Levels are one-sided unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarks.contract import SPLITTING, State
from benchmarks.statistics import sequential
from benchmarks.statistics.betting import mean_above, p_at_most
from benchmarks.statistics.families import (
    Family,
    Rejection,
    cheapest_first,
    finalist,
    fixed_sequence,
    holm,
    max_t,
    single_step,
)
from benchmarks.statistics.grouping import Floats, as_scores, binomial_counts, group_codes, totals
from benchmarks.statistics.over_groups import over_groups
from benchmarks.statistics.resampling import Resampled, bootstrap_means, figure_above, figure_below, resampled_metric
from benchmarks.statistics.sample_size import (
    cases_needed,
    difference_beyond,
    more_cases,
    right_needed,
    share_above,
    showable,
    smallest_difference,
)

__all__ = [
    "FIXED",
    "PairedDifference",
    "Resampled",
    "anytime",
    "cases_needed",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "decide",
    "lower_bound",
    "mcnemar_exact",
    "mean_above_target",
    "more_cases",
    "paired_difference",
    "resampled_metric",
    "right_needed",
    "share_above",
    "showable",
    "shown_interval",
    "smallest_difference",
    "statuses",
    "statuses_of_figures",
    "test_meets",
    "test_misses",
    "upper_bound",
    "which_tests",
    "wilson",
]

UNSEEN = 2
"""Found by simulation: an end misses the mean in at most 3 % of draws where rare zeros stand among graded scores near 1."""
Decided = tuple[State, float, float]
"""State, lower bound and upper bound, each bound at the level that was used for the candidate."""


# ---------------------------------------------------------------- one figure


def wilson(k: float, n: float) -> tuple[float, float]:
    """Two-sided 95 % score interval of `k` right of `n`, for showing (Wilson, 1927). Errors: ValueError for n <= 0."""
    if n <= 0 or not 0 <= k <= n:
        raise ValueError(f"{k} right of {n} is no share; n is above 0 and k between 0 and n.")
    z2 = float(special.ndtri(0.975)) ** 2
    centre, half = (k + z2 / 2) / (n + z2), math.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
    return (0.0 if k == 0 else max(0.0, centre - half)), (1.0 if k == n else min(1.0, centre + half))


def shown_interval(scores: ArrayLike, groups: Sequence[Any] | None = None) -> tuple[float, float]:
    """Two-sided 95 % interval of the mean over cases, for showing; nothing is decided by it.

    Wilson's with as many right-or-wrong cases as would have the measured variance of the mean: for independent
    right-or-wrong scores just Wilson's. Rare low scores may be missing from the sample, and then no variance tells of them:
    the variance is taken as if `UNSEEN` more groups, the largest there are, scored 0 for the lower end and 1 for the upper,
    down to cases that are right or wrong in groups of that size. Without any variance at most the number of groups counts.
    """
    lower, upper = worth_of(scores, groups)
    return wilson(*lower)[0], wilson(*upper)[1]


def worth_of(scores: ArrayLike, groups: Sequence[Any] | None = None) -> tuple[tuple[float, float], tuple[float, float]]:
    """As how many right of how many independent right-or-wrong cases these count for the lower end of an interval, and for the
    upper (`shown_interval`)."""
    given = as_scores(scores)
    sums, sizes = totals(given, group_codes(groups, len(given)))
    if _right_or_wrong(given, sizes):
        return ((float(given.sum()), float(len(given))),) * 2
    mean, cases, largest = float(given.mean()), len(given), float(sizes.max())
    spread = float(np.square(sums - mean * sizes).sum()) * len(sizes) / max(1, len(sizes) - 1)
    binomial = mean * (1 - mean) * cases**2
    most = binomial / spread if spread > 1e-12 and binomial > 0 else float(len(sizes))

    def end(far: float) -> tuple[float, float]:
        doubted = binomial / max(1e-12, spread + UNSEEN * (largest * far) ** 2)
        worth = min(most, max(cases / largest, doubted))
        return mean * worth, worth

    return end(mean), end(1 - mean)


def exact_interval(k: int, n: int) -> tuple[float, float]:
    """The two-sided 95 % interval of Clopper and Pearson for `k` of `n`."""
    return clopper_pearson_lower(k, n, 0.025), clopper_pearson_upper(k, n, 0.025)


def clopper_pearson_lower(k: float, n: float, level: float) -> float:
    """Exact one-sided lower bound on a share: true values lie below it with a probability of at most `level`."""
    return 0.0 if k <= 0 else float(special.betaincinv(k, n - k + 1, level))


def clopper_pearson_upper(k: float, n: float, level: float) -> float:
    """Exact one-sided upper bound on a share: true values lie above it with a probability of at most `level`."""
    return 1.0 if k >= n else float(special.betainccinv(k + 1, n - k, level))


def lower_bound(scores: ArrayLike, groups: Sequence[Any] | None, level: float) -> float:
    """One-sided lower bound on the mean over cases.

    Clopper-Pearson where every score is 0 or 1 and every case stands alone; with small groups the same for as many
    cases as they are worth (`grouping.binomial_counts`); else by betting on whole groups (`betting.p_at_most`).
    """
    given = as_scores(scores)
    codes = group_codes(groups, len(given))
    counts = binomial_counts(given, codes)
    return clopper_pearson_lower(*counts, level) if counts else mean_above(*totals(given, codes), level)


def upper_bound(scores: ArrayLike, groups: Sequence[Any] | None, level: float) -> float:
    """One-sided upper bound on the mean over cases, made like `lower_bound`."""
    given = as_scores(scores)
    codes = group_codes(groups, len(given))
    counts = binomial_counts(given, codes)
    return clopper_pearson_upper(*counts, level) if counts else 1.0 - mean_above(*totals(1.0 - given, codes), level)


def test_meets(scores: ArrayLike, groups: Sequence[Any] | None, target: float) -> float:
    """p-value of the hypothesis that the mean over cases is at most `target`: small means that the target is met."""
    given = as_scores(scores)
    return mean_above_target(given, group_codes(groups, len(given)), target)


def mean_above_target(scores: Floats, codes: NDArray[np.intp], target: float) -> float:
    """`test_meets` where the groups are numbers already (`grouping.group_codes`)."""
    counts = binomial_counts(scores, codes)
    return share_above(*counts, target) if counts else float(p_at_most(*totals(scores, codes), target)[0])


def test_misses(scores: ArrayLike, groups: Sequence[Any] | None, target: float) -> float:
    """p-value of the hypothesis that the mean over cases is at least `target`: small means that it is missed."""
    return test_meets(1.0 - as_scores(scores), groups, 1.0 - target)


for _function in (test_meets, test_misses):
    _function.__test__ = False  # type: ignore[attr-defined]  # a test of hypotheses, which pytest must not collect


@dataclass(frozen=True, kw_only=True)
class Tests:
    """The tests of one candidate's scores, and the bounds that go with them."""

    meets: Callable[[ArrayLike, Sequence[Any] | None, float], float]
    misses: Callable[[ArrayLike, Sequence[Any] | None, float], float]
    lower: Callable[[ArrayLike, Sequence[Any] | None, float], float]
    upper: Callable[[ArrayLike, Sequence[Any] | None, float], float]


Tests.__test__ = False  # type: ignore[attr-defined]
FIXED = Tests(meets=test_meets, misses=test_misses, lower=lower_bound, upper=upper_bound)
"""For a number of cases that was fixed beforehand."""


def anytime(largest: int) -> Tests:
    """For cases asked one after another, wherever one stops. `largest`: cases of the largest group, asked or not."""
    return Tests(
        meets=partial(sequential.test_meets, largest=largest),
        misses=partial(sequential.test_misses, largest=largest),
        lower=partial(sequential.lower_bound, largest=largest),
        upper=partial(sequential.upper_bound, largest=largest),
    )


def which_tests(largest: int | None) -> Tests:
    """For cases of which the largest group has so many where asking may stop (`Benchmark.stops_with`); None: it does not."""
    return FIXED if largest is None else anytime(largest)


# ---------------------------------------------------------------- several candidates


def decide(meets: bool, misses: bool) -> State:
    """The state from the two rejections. Errors: ValueError where both hold, which no sound pair of tests gives."""
    if meets and misses:
        raise ValueError("The target cannot be both met and missed: the two tests were not made from the same scores.")
    return State.MEETS if meets else State.MISSES if misses else State.UNDECIDED


def statuses(
    scores_by_candidate: Mapping[str, ArrayLike],
    groups: Sequence[Any] | None,
    target: float,
    family: Family | None = None,
) -> dict[str, Decided]:
    """State of each candidate with the two bounds that decided it, by `lower_bound` and `upper_bound`.

    The chance that any candidate is falsely said to meet the target is at most `family.alpha`, that any is falsely said
    to miss it likewise: the family's procedure, once for each; without a family Holm. All candidates answered the same
    cases, in the same order, or in a sequential family the first of them. Errors: ValueError where the family's order
    lacks a candidate.
    """
    family, names = family or Family(), list(scores_by_candidate)
    if not names:
        return {}
    scores = [as_scores(scores_by_candidate[name]) for name in names]
    tests = which_tests(family.stops_with)
    grouped = [(given, None if groups is None else groups[: len(given)]) for given in scores]
    if family.procedure == "max-t" and not family.any_target:
        rows, codes = np.array(scores), group_codes(groups, len(scores[0]))
        meets, meets_level = max_t(rows, codes, target, family.alpha)
        misses, misses_level = max_t(1.0 - rows, codes, 1.0 - target, family.alpha)
    else:
        passing = [tests.meets(given, part, target) for given, part in grouped]
        failing = [tests.misses(given, part, target) for given, part in grouped]
        (meets, meets_level), (misses, misses_level) = _shared((passing, failing), names, family)
    lower = [tests.lower(*each, level) for each, level in zip(grouped, meets_level, strict=True)]
    upper = [tests.upper(*each, level) for each, level in zip(grouped, misses_level, strict=True)]
    return _decided(names, target, (meets, misses), (lower, upper))


def statuses_of_figures(
    figures_by_candidate: Mapping[str, ArrayLike], target: float, family: Family | None = None
) -> dict[str, Decided]:
    """As `statuses`, from the sorted bootstrap figures of a metric over rows (`Resampled.figures`); max-T, which needs
    scores, is Holm here."""
    family, names = family or Family(), list(figures_by_candidate)
    figures = [np.asarray(figures_by_candidate[name], dtype=np.float64) for name in names]
    if not names:
        return {}
    below = [float(1 + np.sum(drawn < target)) / (1 + len(drawn)) for drawn in figures]
    above = [float(1 + np.sum(drawn >= target)) / (1 + len(drawn)) for drawn in figures]  # At the target it is met.
    (meets, meets_level), (misses, misses_level) = _shared((below, above), names, family)
    lower = [figure_above(drawn, level) for drawn, level in zip(figures, meets_level, strict=True)]
    upper = [figure_below(drawn, level) for drawn, level in zip(figures, misses_level, strict=True)]
    return _decided(names, target, (meets, misses), (lower, upper))


def _shared(
    p_values: tuple[Sequence[float], Sequence[float]], names: Sequence[str], family: Family
) -> tuple[Rejection, Rejection]:
    """What meets and what misses, from the p-values of being no better and no worse than the target."""
    tested, spared = len(names), [1.0] * family.spared
    order = [names.index(name) for name in family.order if name in names]
    passing, failing = ([*side, *spared] for side in p_values)
    if family.procedure == "cheapest first" and not family.any_target:
        both = cheapest_first(passing, failing, [*order, *range(tested, len(passing))], family.alpha)
    else:
        both = _one_sided(passing, family, order, "meets"), _one_sided(failing, family, order[::-1], "misses")
    (meets, meets_level), (misses, misses_level) = both
    return (meets[:tested], meets_level[:tested]), (misses[:tested], misses_level[:tested])


def _one_sided(p_values: Sequence[float], family: Family, order: Sequence[int], side: str) -> Rejection:
    """To meet the target is tested from strong to weak, to miss it from weak to strong."""
    if family.any_target:
        return single_step(p_values, family.alpha)
    if family.procedure in SPLITTING:
        return holm(p_values, family.alpha)
    if family.procedure == "finalist" and side == "meets":
        return finalist(p_values, order[0], family.alpha)
    return fixed_sequence(p_values, order, family.alpha)


def _decided(
    names: list[str],
    target: float,
    rejected: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    bounds: tuple[list[float], list[float]],
) -> dict[str, Decided]:
    """Bounds come from a grid or from draws; rounding never lets one stand on the other side of the target."""
    decided: dict[str, Decided] = {}
    for name, meets, misses, lower, upper in zip(names, *rejected, *bounds, strict=True):
        shown_lower = max(lower, target) if meets else min(lower, target)
        shown_upper = min(upper, target) if misses else max(upper, target)
        decided[name] = (decide(bool(meets), bool(misses)), shown_lower, shown_upper)
    return decided


# ---------------------------------------------------------------- two candidates


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Mean of first minus second over the same cases, its two-sided 95 % interval, and a two-sided p-value."""

    mean: float
    lower: float
    upper: float
    p_value: float
    only_first: int
    """Cases in which the first scored higher."""
    only_second: int
    showable: float
    """The difference that these cases would show 4 times in 5, by the same test; 0 where there is none, or it is not known."""


def mcnemar_exact(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided exact p-value that two candidates are right equally often, from 0/1 scores of the same cases."""
    first, second = as_scores(a), as_scores(b)
    return sign_test(int(np.sum(first > second)), int(np.sum(first < second)))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p-value that either is equally likely."""
    return min(1.0, 2 * float(special.bdtr(min(wins, losses), wins + losses, 0.5))) if wins + losses else 1.0


def paired_difference(
    a: ArrayLike, b: ArrayLike, groups: Sequence[Any] | None, seed: int = 0, *, stops_with: int | None = None
) -> PairedDifference:
    """Difference of two candidates on the same cases, in the units of the score.

    Right-or-wrong scores of cases that stand alone: exact McNemar, and the adjusted interval of Bonett and Price
    (2012). Cases in groups: Student's t over the totals of the groups (`over_groups`). Others: a bootstrap, corrected as in
    `resampling`, for interval and p-value both, since flipping signs would test whether differences are symmetric. With
    `stops_with` (`which_tests`) bets on the differences, which hold wherever one stopped.
    Errors: ValueError where the two are not of one length.
    """
    first, second = as_scores(a), as_scores(b)
    if len(first) != len(second):
        raise ValueError(f"The candidates have {len(first)} and {len(second)} scores; a pair needs the same cases.")
    codes = group_codes(groups, len(first))
    differences = first - second
    wins, losses = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    _, sizes = totals(differences, codes)
    halves, would_show = (differences + 1) / 2, 0.0  # Half of a difference in [-1, 1], shifted, is a figure in [0, 1].
    if stops_with is not None:
        tests = anytime(stops_with)
        lower, upper = (2 * bound(halves, groups, 0.025) - 1 for bound in (tests.lower, tests.upper))
        p_value = min(1.0, 2 * min(test(halves, groups, 0.5) for test in (tests.meets, tests.misses)))
    elif len(sizes) < len(first):
        found = over_groups(differences, codes)
        (lower, upper), p_value, would_show = found.interval, found.p_value, found.showable()
    elif _right_or_wrong(first, sizes) and _right_or_wrong(second, sizes):
        lower, upper = _bonett_price(wins, losses, len(first))
        p_value, would_show = mcnemar_exact(first, second), smallest_difference(differences)
    else:
        resampled = bootstrap_means(halves, codes.tolist(), seed)
        lower, upper = 2 * resampled.lower(0.025) - 1, 2 * resampled.upper(0.025) - 1
        p_value = resampled.p_value(0.5)
        would_show = difference_beyond(differences, (lower, upper))
    return PairedDifference(
        mean=float(differences.mean()),
        lower=lower,
        upper=upper,
        p_value=p_value,
        only_first=wins,
        only_second=losses,
        showable=would_show,
    )


def _bonett_price(wins: int, losses: int, n: int) -> tuple[float, float]:
    first, second = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    half = float(special.ndtri(0.975)) * math.sqrt((first + second - (first - second) ** 2) / (n + 2))
    return max(-1.0, first - second - half), min(1.0, first - second + half)


def _right_or_wrong(scores: Floats, sizes: Floats) -> bool:
    """Whether every score is 0 or 1 and every case is a group of its own: what the exact binomial asks for."""
    return len(sizes) == len(scores) and bool(np.all((scores == 0) | (scores == 1)))
