"""Bootstrap figures: how far a figure over rows, such as an F1, might lie from what other cases would have given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarks.contract import Answered, Metric
from benchmarks.grouping import Floats, group_codes, totals

Figures = Callable[[Floats], Floats]
"""From how often each row counts, a line of numbers for each draw, to the figure of each draw, in [0, 1]."""

BLOCKS = 200
"""At most so many parts are left out in turn for the acceleration."""
BEYOND = 10
"""Draws that shall lie beyond a bound: fewer make it rough, and without any there is no bound at all."""
FEWEST, MOST = 2_000, 40_000
"""Draws; the most take about a second."""
NUMBERS = 25_000
"""So many are drawn at once: enough that little is done for each draw, and few enough that they stay near the processor."""


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """A figure and its corrected bootstrap figures, sorted; a share of them is a one-sided level."""

    figure: float
    figures: tuple[float, ...]

    def lower(self, level: float) -> float:
        return figure_above(self.figures, level)

    def upper(self, level: float) -> float:
        return figure_below(self.figures, level)


def bootstrap_figures(
    figures: Figures,
    groups: Sequence[Any],
    *,
    draws: int = FEWEST,
    seed: int = 0,
    carrying: int | None = None,
) -> Resampled:
    """Figures of `draws` resamples of whole groups, corrected for bias and skew (BCa; Efron, 1987) and for the unseen.

    `groups` has one entry a row; an empty one is a group of its own. A bootstrap never sees an error that the sample
    lacks: a perfect score would have no doubt. So each figure in the lower half loses the share of unseen errors that
    `carrying` cases leave possible, drawn as the exact binomial bound has it, and each in the upper half gains
    likewise. `carrying` is the number of rows that the figure rests on (None: all): with a rare label, far fewer than
    all.
    """
    codes = group_codes(groups, len(groups))
    count = int(codes.max()) + 1

    def weighed(times: Floats) -> Floats:
        return figures(np.take(times, codes, axis=1))

    of_groups = _OfGroups(count=count, rows=len(codes), picked=lambda each: weighed(_times(each)), weighed=weighed)
    resting = count * (1.0 if carrying is None else carrying / len(codes))
    return _resampled(of_groups, draws, max(1.0, resting), np.random.default_rng(seed))


def bootstrap_means(scores: Floats, groups: Sequence[Any], seed: int = 0) -> Resampled:
    """`bootstrap_figures` of the mean score, which needs only the totals of the groups."""
    sums, sizes = totals(scores, group_codes(groups, len(scores)))
    of_groups = _OfGroups(
        count=len(sums),
        rows=len(sums),
        picked=lambda each: sums[each].sum(axis=1) / sizes[each].sum(axis=1),
        weighed=lambda times: (times * sums).sum(axis=1) / (times * sizes).sum(axis=1),
    )
    return _resampled(of_groups, FEWEST, float(len(sums)), np.random.default_rng(seed))


def one_by_one(summarise: Callable[[NDArray[np.intp]], float]) -> Figures:
    """A figure that is told from the positions of the rows of one draw, with repeats: far slower than all at once."""

    def figures(counts: Floats) -> Floats:
        places = np.arange(counts.shape[1])
        return np.array([summarise(np.repeat(places, line)) for line in counts.astype(np.intp)])

    return figures


def at_once(draws: int, numbers: int) -> list[int]:
    """How many draws of so many numbers are made at a time, one time after the other."""
    most = max(1, NUMBERS // numbers)
    return [min(most, draws - begun) for begun in range(0, draws, most)]


def draws_for(level: float) -> int:
    """So many that a bound at the one-sided level has enough of them beyond it, within limits."""
    return min(MOST, max(FEWEST, math.ceil(BEYOND / level)))


def resampled_metric(metric: Metric, rows: Sequence[Answered], draws: int = FEWEST, seed: int = 0) -> Resampled:
    """Bootstrap figures of a metric over rows, by the groups of their cases; through `by_counts` where it has one."""
    by_counts = getattr(metric, "by_counts", None)
    carrying = getattr(metric, "carrying", None)
    figures = by_counts(rows) if by_counts else one_by_one(lambda picked: metric.summarise([rows[i] for i in picked]))
    groups = [row.case.group for row in rows]
    return bootstrap_figures(figures, groups, draws=draws, seed=seed, carrying=carrying(rows) if carrying else None)


def figure_above(figures: ArrayLike, level: float) -> float:
    """One-sided lower bound at `level` from sorted bootstrap figures; 0 where there are too few draws for the level."""
    ordered = np.asarray(figures, dtype=np.float64)
    rank = int(np.floor(level * (len(ordered) + 1) + 1e-9))
    return float(ordered[rank - 1]) if rank >= 1 else 0.0


def figure_below(figures: ArrayLike, level: float) -> float:
    """One-sided upper bound at `level` from sorted bootstrap figures; 1 where there are too few draws for the level."""
    return 1.0 - figure_above(1.0 - np.asarray(figures, dtype=np.float64)[::-1], level)


@dataclass(frozen=True, kw_only=True)
class _OfGroups:
    """How a figure is told of groups, and how many there are of these and of what it is told from."""

    count: int
    rows: int
    picked: Callable[[NDArray[np.intp]], Floats]
    """From the groups of each draw, one line a draw."""
    weighed: Figures
    """From how often each group counts."""


def _resampled(of_groups: _OfGroups, draws: int, resting: float, rng: np.random.Generator) -> Resampled:
    count = of_groups.count
    figure = float(of_groups.picked(np.arange(count)[None])[0])
    lines = at_once(draws, of_groups.rows)
    drawn = np.concatenate([of_groups.picked(rng.integers(0, count, (some, count))) for some in lines])
    corrected = _corrected(drawn, figure, _acceleration(of_groups, rng))
    return Resampled(figure=figure, figures=tuple(_with_unseen(corrected, resting, rng).tolist()))


def _times(picked: NDArray[np.intp]) -> Floats:
    """How often each group is among those of each draw, of which there are as many."""
    places = picked + picked.shape[1] * np.arange(len(picked))[:, None]
    return np.bincount(places.ravel(), minlength=picked.size).reshape(picked.shape).astype(np.float64)


def _acceleration(of_groups: _OfGroups, rng: np.random.Generator) -> float:
    count = of_groups.count
    if count < 3:
        return 0.0
    parts = min(count, BLOCKS)
    part = rng.permutation(np.arange(count) % parts)
    left_out = of_groups.weighed((part != np.arange(parts)[:, None]).astype(np.float64))
    away = left_out.mean() - left_out
    spread = np.square(away).sum() ** 1.5
    return float((away**3).sum() / (6 * spread)) if spread > 0 else 0.0


def _corrected(drawn: Floats, figure: float, acceleration: float) -> Floats:
    """The draws rearranged so that their plain quantiles are the BCa limits."""
    below = (np.mean(drawn < figure) + np.mean(drawn <= figure)) / 2
    bias = special.ndtri(np.clip(below, 1 / (len(drawn) + 1), len(drawn) / (len(drawn) + 1)))
    plain = special.ndtri((np.arange(len(drawn)) + 0.5) / len(drawn)) + bias
    share = special.ndtr(bias + plain / np.maximum(1 - acceleration * plain, 0.1))
    corrected: Floats = np.quantile(drawn, np.clip(share, 0, 1))
    return corrected


def _with_unseen(corrected: Floats, resting: float, rng: np.random.Generator) -> Floats:
    unseen = rng.beta(1, resting, len(corrected))
    lower, upper = np.sort(corrected * (1 - unseen)), np.sort(corrected + (1 - corrected) * unseen)
    half = len(corrected) // 2
    return np.concatenate([lower[:half], upper[half:]])
