"""Several candidates tested against one target: which are shown to be beyond it, with one error over all of them.

Every procedure keeps the chance of any false rejection at `alpha` or below, max-T for many cases only, the walk by cost
where scores of candidates are not opposed. Which decides most was simulated on the rows of whole bake-offs
(`benchmarks/studies/LOG.md`): the walk by cost, since it spends the error on the candidate that may be chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarks.contract import Procedure
from benchmarks.statistics.grouping import Floats, totals

Rejection = tuple[NDArray[np.bool_], Floats]
"""(rejected, level used) for each hypothesis, one-sided."""
DRAWS = 2_000
"""Resamples of the largest statistic."""
REST = 0.2
"""Of the error, what the walk by cost leaves for the candidates that it does not come to."""
OPPOSED = -0.5
"""Correlation of scores from which on the walk by cost may err a little more often than stated: 5.0 % here, 7.7 % at -1 (two)."""
LEAST = 2.0
"""Cases that the spread of max-T is at least, as groups of one size: one that is always right has none in the sample, and is
shown to meet where so many right answers are as unlikely as `alpha` at the target."""
MANY = 400
"""Cases from which on max-T errs little more often than stated (`benchmarks/studies/decisions.md`)."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """How the candidates share one error."""

    procedure: Procedure = "holm"
    order: tuple[str, ...] = ()
    """Fixed without any score of a held-out case. For the fixed sequence and the finalist from strong to weak, as the
    selection part has them; for the walk by cost from cheap to dear."""
    alpha: float = 0.05
    any_target: bool = False
    """The target was named after the figures were known: the bounds hold for all targets at once, whatever the procedure."""
    stops_with: int | None = None
    """Where each candidate was asked until it was decided: cases of the largest group of the whole held-out set. Tests and
    bounds are those that bear it then (`benchmarks.statistics.sequential`). None: the number of cases was fixed."""

    spared: int = 0
    """Candidates that were not fitted because of what others reached. They count as tested and never shown anything, so that
    the error holds however they were picked; in the walk by cost they stand last."""

    ruled_out: frozenset[str] = frozenset()
    """Candidates that break a limit on their answers to held-out cases. They are tested with the others, and nothing is told of
    it: were they left out, who shares the error would be picked by the scores that it is spent on."""

    @property
    def sequential(self) -> bool:
        return self.stops_with is not None


def single_step(p_values: ArrayLike, alpha: float = 0.05) -> Rejection:
    """Each at `alpha` over the number of hypotheses, so that the bounds hold together, for every target at once."""
    given = np.asarray(p_values, dtype=np.float64)
    level = alpha / max(1, given.shape[-1])
    return given <= level, np.full(given.shape, level)


def holm(p_values: ArrayLike, alpha: float = 0.05) -> Rejection:
    """The smallest p-value at `alpha` over the number of hypotheses, the next at one fewer, until one fails (Holm, 1979).

    The level of a rejected hypothesis is the one that it passed; that of the others is the one at which the walk
    stopped. Several families at once: (..., hypotheses).
    """
    given = np.asarray(p_values, dtype=np.float64)
    count = given.shape[-1]
    if not count:
        return np.zeros(given.shape, dtype=np.bool_), np.empty(given.shape)
    order = np.argsort(given, axis=-1, kind="stable")
    levels = alpha / np.arange(count, 0, -1)
    passed = np.logical_and.accumulate(np.take_along_axis(given, order, -1) <= levels, axis=-1)
    stop = np.minimum(passed.sum(-1, keepdims=True), count - 1)
    rejected, used = np.zeros(given.shape, dtype=np.bool_), np.empty(given.shape)
    np.put_along_axis(rejected, order, passed, -1)
    np.put_along_axis(used, order, np.where(passed, levels, levels[stop]), -1)
    return rejected, used


def fixed_sequence(p_values: ArrayLike, order: Sequence[int], alpha: float = 0.05) -> Rejection:
    """Each at the full level in an order that was fixed beforehand, until one fails; the others are not tested.

    A false rejection needs that of the first true hypothesis in the order, so its chance is at most `alpha` (Maurer,
    Hothorn and Lehmacher, 1995). Several families at once: (..., hypotheses). Errors: ValueError unless the order names
    every hypothesis once.
    """
    given = np.asarray(p_values, dtype=np.float64)
    if sorted(order) != list(range(given.shape[-1])):
        raise ValueError(f"The order {list(order)} does not name each of {given.shape[-1]} hypotheses once.")
    rejected = np.zeros(given.shape, dtype=np.bool_)
    rejected[..., list(order)] = np.logical_and.accumulate(given[..., list(order)] <= alpha, axis=-1)
    return rejected, np.full(given.shape, alpha)


def finalist(p_values: ArrayLike, place: int, alpha: float = 0.05) -> Rejection:
    """One hypothesis, named beforehand, at the full level; the others are not tested. Several families at once:
    (..., hypotheses)."""
    given = np.asarray(p_values, dtype=np.float64)
    rejected = np.zeros(given.shape, dtype=np.bool_)
    rejected[..., place] = given[..., place] <= alpha
    return rejected, np.full(given.shape, alpha)


def cheapest_first(
    meets: ArrayLike, misses: ArrayLike, order: Sequence[int], alpha: float = 0.05
) -> tuple[Rejection, Rejection]:
    """The walk by cost, both sides at once: what meets, what misses. Several families at once: (..., hypotheses).

    To be chosen a candidate has to meet the target and every cheaper one to miss it. So missing is tested from the cheapest
    on, each at the full level, until one is not shown to miss; only this one may still be chosen, and it alone is tested at
    (nearly) the full level for meeting. What is left of the error, `REST`, goes over all candidates by Holm, so that the
    dearer ones are told too.

    A false "meets" of the one that may be chosen: candidates that are no better than the target are tested at the level g
    one after the other, each only where all before it were shown to miss, which has at most the chance w where they are as
    good as the target. That is g (1 + w + w^2 + ...) = g / (1 - w) at most where scores are independent, and less where
    candidates find the same cases hard. Were one right exactly where another is wrong, it could be g + w, and more with
    several of them. Errors: ValueError unless the order names every hypothesis once.
    """
    passing, failing = np.asarray(meets, dtype=np.float64), np.asarray(misses, dtype=np.float64)
    missed, walked = fixed_sequence(failing, order, walk_level(alpha))
    (others_meet, meet_level), (others_miss, miss_level) = holm(passing, alpha * REST), holm(failing, alpha * REST)
    ranks = np.argsort(order)
    reached = missed.sum(-1, keepdims=True)
    here = ranks == reached
    gate = gate_level(alpha)
    return (
        (others_meet | (here & (passing <= gate)), np.where(here, gate, meet_level)),
        (others_miss | missed, np.where(ranks <= reached, walked, miss_level)),
    )


def opposed(scores: Sequence[Floats]) -> tuple[int, int] | None:
    """The two candidates whose scores on the same cases are opposed most, at least by `OPPOSED`; None where none are."""
    varied = [place for place, row in enumerate(scores) if np.ptp(row) > 0]
    if len(varied) < 2:
        return None
    alike = np.corrcoef([scores[place] for place in varied])
    one, other = np.unravel_index(np.argmin(alike), alike.shape)
    return (varied[min(one, other)], varied[max(one, other)]) if alike[one, other] <= OPPOSED else None


def walk_level(alpha: float) -> float:
    """At which the walk by cost tests whether a candidate misses the target."""
    return alpha * (1 - REST)


def gate_level(alpha: float) -> float:
    """At which the walk by cost tests whether the one that may be chosen meets the target."""
    return alpha * (1 - REST) * (1 - walk_level(alpha))


def max_t(scores: Floats, codes: NDArray[np.intp], target: float, alpha: float = 0.05) -> Rejection:
    """Hypotheses that the mean of a row of `scores` (candidates, cases) is at most `target`, by the largest statistic.

    Step-down over resamples of whole groups (`codes`), the same for all candidates, so that what they have in common
    costs nothing (Romano and Wolf, 2005). Holds for many cases only; the spread has a floor, since a candidate that is
    always right has none in the sample. The level is that of a normal statistic at the critical value.
    """
    sums = np.array([totals(row, codes)[0] for row in scores])
    sizes = totals(scores[0], codes)[1]
    groups, cases = len(sizes), float(sizes.sum())
    means = sums.sum(1) / cases
    spread = np.sqrt(np.square(sums - means[:, None] * sizes).sum(1)) / cases
    spread = np.maximum(spread, LEAST * np.sqrt(np.square(sizes).sum()) / cases / np.sqrt(groups))
    weights = _resamples(groups)
    drawn = (weights @ sums.T) / (weights @ sizes)[:, None]
    away, centred = (means - target) / spread, (drawn - means) / spread
    rejected, used = np.zeros(len(scores), dtype=np.bool_), np.empty(len(scores))
    left = list(np.argsort(-away, kind="stable"))
    while left:
        critical = max(
            float(special.ndtri(1 - alpha)), float(np.quantile(centred[:, left].max(1), 1 - alpha, method="higher"))
        )
        used[left] = special.ndtr(-critical)
        if away[left[0]] <= critical:
            break
        rejected[left.pop(0)] = True
    return rejected, used


@lru_cache(maxsize=1)
def _resamples(groups: int) -> Floats:
    """How often each group stands in each resample: the same for all candidates and for both sides of a target."""
    drawn: Floats = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), DRAWS).astype(np.float64)
    return drawn
