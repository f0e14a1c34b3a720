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
from benchmarks.grouping import Floats, group_codes

Summarise = Callable[[NDArray[np.intp]], float]
"""From positions of rows, with repeats, to the figure over those rows, in [0, 1]."""

BLOCKS = 200
"""At most so many parts are left out in turn for the acceleration."""
BEYOND = 10
"""Draws that shall lie beyond a bound: fewer make it rough, and without any there is no bound at all."""
FEWEST, MOST = 2_000, 40_000
"""Draws; the most take about a second."""


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
    summarise: Summarise,
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
    members = _Members.of(codes)
    rng = np.random.default_rng(seed)
    everything = np.arange(len(codes))
    figure = summarise(everything)
    drawn = np.array([summarise(members.drawn(rng)) for _ in range(draws)])
    corrected = _corrected(drawn, figure, _acceleration(summarise, codes, rng))
    resting = len(members.sizes) * (1.0 if carrying is None else carrying / len(codes))
    return Resampled(figure=figure, figures=tuple(_with_unseen(corrected, max(1.0, resting), rng).tolist()))


def draws_for(level: float) -> int:
    """So many that a bound at the one-sided level has enough of them beyond it, within limits."""
    return min(MOST, max(FEWEST, math.ceil(BEYOND / level)))


def resampled_metric(metric: Metric, rows: Sequence[Answered], draws: int = FEWEST, seed: int = 0) -> Resampled:
    """Bootstrap figures of a metric over rows, by the groups of their cases; through `by_index` where it has one."""
    by_index = getattr(metric, "by_index", None)
    carrying = getattr(metric, "carrying", None)
    summarise: Summarise = by_index(rows) if by_index else lambda picked: metric.summarise([rows[i] for i in picked])
    groups = [row.case.group for row in rows]
    return bootstrap_figures(summarise, groups, draws=draws, seed=seed, carrying=carrying(rows) if carrying else None)


def figure_above(figures: ArrayLike, level: float) -> float:
    """One-sided lower bound at `level` from sorted bootstrap figures; 0 where there are too few draws for the level."""
    ordered = np.asarray(figures, dtype=np.float64)
    rank = int(np.floor(level * (len(ordered) + 1) + 1e-9))
    return float(ordered[rank - 1]) if rank >= 1 else 0.0


def figure_below(figures: ArrayLike, level: float) -> float:
    """One-sided upper bound at `level` from sorted bootstrap figures; 1 where there are too few draws for the level."""
    return 1.0 - figure_above(1.0 - np.asarray(figures, dtype=np.float64)[::-1], level)


@dataclass(frozen=True)
class _Members:
    """The rows of every group, one group after the other: `sizes[g]` rows from `starts[g]` on."""

    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, codes: NDArray[np.intp]) -> _Members:
        sizes = np.bincount(codes)
        return cls(np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes, sizes)

    def drawn(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """The rows of as many groups as there are, drawn with repeats."""
        groups = rng.integers(0, len(self.sizes), len(self.sizes))
        drawn: NDArray[np.intp] = self.rows[groups if len(self.sizes) == len(self.rows) else self._places(groups)]
        return drawn

    def _places(self, groups: NDArray[np.intp]) -> NDArray[np.intp]:
        """Where the rows of these groups lie, one after the other."""
        sizes = self.sizes[groups]
        before = np.cumsum(sizes) - sizes
        places: NDArray[np.intp] = np.arange(sizes.sum()) + np.repeat(self.starts[groups] - before, sizes)
        return places


def _acceleration(summarise: Summarise, codes: NDArray[np.intp], rng: np.random.Generator) -> float:
    count = int(codes.max()) + 1
    if count < 3:
        return 0.0
    block = rng.permutation(np.arange(count) % min(count, BLOCKS))[codes]
    left_out = np.array([summarise(np.flatnonzero(block != part)) for part in range(min(count, BLOCKS))])
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
