"""Bootstrap figures: how far a figure over rows, such as an F1, might lie from what other cases would have given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from benchmarks.contract import Answered, Metric
from benchmarks.scored import figure_over
from benchmarks.statistics.grouping import Floats, group_codes, totals

Figures = Callable[[Floats], Floats]
"""From how often each row counts, a line of numbers for each draw, to the figure of each draw, in [0, 1]. The numbers of one
row lie beside each other, over the draws."""

BLOCKS = 200
"""At most so many parts are left out in turn for the acceleration."""
BEYOND = 10
"""Draws that shall lie beyond a bound: fewer make it rough, and without any there is no bound at all."""
FEWEST, MOST = 2_000, 40_000
"""Draws; the most take about a second."""
NUMBERS = 25_000
"""So many are drawn at once: enough that little is done for each draw, and few enough that they stay near the processor."""
COUNTED = 1_000_000
"""The same of how often rows count, which a metric goes through label by label."""
KEPT = 12_000_000
"""Numbers up to which the draws of one figure are kept for the next (96 MB)."""


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """A figure and its corrected bootstrap figures, sorted; a share of them is a one-sided level."""

    figure: float
    figures: tuple[float, ...]

    def lower(self, level: float) -> float:
        return figure_above(self.figures, level)

    def upper(self, level: float) -> float:
        return figure_below(self.figures, level)

    def p_value(self, at: float) -> float:
        """Two-sided, of the hypothesis that the figure is `at`: at most 0.05 where the 95 % interval does not hold it."""
        drawn = np.asarray(self.figures)
        beyond = 1 + min(int(np.sum(drawn <= at)), int(np.sum(drawn >= at)))
        return min(1.0, 2 * beyond / (len(drawn) + 1))


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a figure is the mean of, such as the F1 of each label; (parts,) each."""

    cases: Floats
    """None of a part: nothing is known of it, and its figure may be anything from 0 to 1."""
    figures: Floats
    of_difference: bool = False
    """Of two figures by the same cases, both too low by as much."""

    def with_unseen(
        self, corrected: Floats, unseen: Floats, counted: float, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """(lowered, raised) figures of the draws. What is unseen falls where it changes the mean most for each case: in the
        rarest parts. Of parts with few cases each, a mean such as F1 is too low by what each lacks, so all are raised at
        once where that is more. `counted`: how many independent cases one case is worth."""
        known = self.cases > 0
        cases, figures, share = self.cases[known], self.figures[known], float(np.mean(known))
        each = np.zeros_like(corrected)
        for some, figure in () if self.of_difference else zip(cases, figures, strict=True):
            each += (1 - figure) * rng.beta(1, some * counted, len(corrected)) / len(cases)
        lowered = corrected - _moved(unseen, figures, cases)
        raised = corrected + np.maximum(each, _moved(unseen, 1 - figures, cases))
        return np.clip(lowered, 0, 1) * share, np.clip(raised, 0, 1) * share + 1 - share


def _moved(unseen: Floats, most: Floats, cases: Floats) -> Floats:
    """By how much the mean of parts moves where a share of all cases is another, at worst; each part moves by `most` at most."""
    order = np.argsort(-most / cases, kind="stable")
    reached = np.concatenate([[0.0], np.cumsum(cases[order])]) / cases.sum()
    moved: Floats = np.interp(unseen, reached, np.concatenate([[0.0], np.cumsum(most[order])]) / len(cases))
    return moved


def bootstrap_figures(
    figures: Figures,
    groups: Sequence[Any],
    *,
    draws: int = FEWEST,
    seed: int = 0,
    carrying: int | Parts | None = None,
) -> Resampled:
    """Figures of `draws` resamples of whole groups, corrected for bias and skew (BCa; Efron, 1987) and for the unseen.

    `groups` has one entry a row; an empty one is a group of its own. A bootstrap never sees an error that the sample
    lacks: a perfect score would have no doubt. So each figure in the lower half loses the share of unseen errors that
    `carrying` cases leave possible, drawn as the exact binomial bound has it, and each in the upper half gains
    likewise. `carrying` is the number of rows that the figure rests on (None: all): with a rare label, far fewer than
    all; or the parts that it is the mean of.
    """
    codes = group_codes(groups, len(groups))
    count = int(codes.max()) + 1

    def weighed(times: Floats) -> Floats:
        return figures(np.take(times, codes, axis=1))

    parts = carrying if isinstance(carrying, Parts) else None
    resting = count * (carrying / len(codes) if isinstance(carrying, int) else 1.0)
    counted, rng = _counted(codes, draws, seed)
    drawn = np.concatenate([figures(counts) for counts in counted])
    figure = float(figures(np.ones((1, len(codes))))[0])
    done = _Drawn(count=count, figure=figure, figures=drawn, weighed=weighed, parts=parts, worth=count / len(codes))
    return _resampled(done, max(1.0, resting), rng)


def bootstrap_means(scores: Floats, groups: Sequence[Any], seed: int = 0) -> Resampled:
    """`bootstrap_figures` of the mean score, which needs only the totals of the groups."""
    sums, sizes = totals(scores, group_codes(groups, len(scores)))
    count, rng = len(sums), np.random.default_rng(seed)
    picked = (rng.integers(0, count, (some, count)) for some in at_once(FEWEST, count))
    drawn = np.concatenate([sums[each].sum(axis=1) / sizes[each].sum(axis=1) for each in picked])

    def weighed(times: Floats) -> Floats:
        return np.asarray((times * sums).sum(axis=1) / (times * sizes).sum(axis=1))

    figure = float(sums.sum() / sizes.sum())
    return _resampled(_Drawn(count=count, figure=figure, figures=drawn, weighed=weighed), float(count), rng)


def one_by_one(summarise: Callable[[NDArray[np.intp]], float]) -> Figures:
    """A figure that is told from the positions of the rows of one draw, with repeats: far slower than all at once."""

    def figures(counts: Floats) -> Floats:
        places = np.arange(counts.shape[1])
        return np.array([summarise(np.repeat(places, line)) for line in counts.astype(np.intp)])

    return figures


def at_once(draws: int, numbers: int, most_numbers: int = NUMBERS) -> list[int]:
    """How many draws of so many numbers are made at a time, one time after the other."""
    most = max(1, most_numbers // numbers)
    return [min(most, draws - begun) for begun in range(0, draws, most)]


def draws_for(level: float) -> int:
    """So many that a bound at the one-sided level has enough of them beyond it, within limits."""
    return min(MOST, max(FEWEST, math.ceil(BEYOND / level)))


def resampled_metric(
    metric: Metric, rows: Sequence[Answered], draws: int = FEWEST, seed: int = 0, labels: Sequence[str] = ()
) -> Resampled:
    """Bootstrap figures of a metric over rows, by the groups of their cases; through `by_counts` where it has one.
    `labels`: those of the task, of which the rows may hold no case; macro-F1 of such a label is not known."""
    groups = [row.case.group for row in rows]
    rests = _parts(metric, rows, labels) or _carrying(metric, rows)
    return bootstrap_figures(_figures(metric, rows), groups, draws=draws, seed=seed, carrying=rests)


def resting(metric: Metric, rows: Sequence[Answered]) -> float:
    """How many independent right-or-wrong cases the figure rests on: with a rare label few, however many rows there are. 0
    where it is a mean of parts, of which each rests on others."""
    if not rows or hasattr(metric, "by_label"):
        return 0.0
    independent = len({row.case.group or row.case.id for row in rows})
    few = _carrying(metric, rows)
    return independent * (1.0 if few is None else few / len(rows))


def resampled_difference(
    metric: Metric, both: tuple[Sequence[Answered], Sequence[Answered]], groups: Sequence[Any]
) -> Resampled:
    """Bootstrap figures of what a metric over rows gains from the former rows to the latter: (difference + 1) / 2.

    The rows of both are of the same cases in one order, `groups` has an entry for each. What cannot be seen is that of the
    rows that carry fewer cases, or of the labels.
    """
    before, after = (_figures(metric, rows) for rows in both)
    rests = [few for few in (_carrying(metric, rows) for rows in both) if few is not None]
    then, now = (_parts(metric, rows) for rows in both)
    parts = then and now and Parts(cases=then.cases, figures=(now.figures - then.figures + 1) / 2, of_difference=True)
    return bootstrap_figures(
        lambda counts: (after(counts) - before(counts) + 1) / 2, groups, carrying=parts or min(rests, default=None)
    )


def _parts(metric: Metric, rows: Sequence[Answered], labels: Sequence[str] = ()) -> Parts | None:
    """Of a metric that is a mean over labels."""
    by_label = getattr(metric, "by_label", None)
    if by_label is None:
        return None
    cases, figures = np.array(by_label(rows, labels), dtype=np.float64).T
    return Parts(cases=cases, figures=figures)


def _figures(metric: Metric, rows: Sequence[Answered]) -> Figures:
    by_counts = getattr(metric, "by_counts", None)
    if by_counts is None:
        return one_by_one(lambda picked: figure_over(metric, [rows[i] for i in picked]))
    figures: Figures = by_counts(rows)
    return figures


def _carrying(metric: Metric, rows: Sequence[Answered]) -> int | None:
    carrying = getattr(metric, "carrying", None)
    return int(carrying(rows)) if carrying else None


def figure_above(figures: ArrayLike, level: float) -> float:
    """One-sided lower bound at `level` from sorted bootstrap figures; 0 where there are too few draws for the level."""
    ordered = np.asarray(figures, dtype=np.float64)
    rank = int(np.floor(level * (len(ordered) + 1) + 1e-9))
    return float(ordered[rank - 1]) if rank >= 1 else 0.0


def figure_below(figures: ArrayLike, level: float) -> float:
    """One-sided upper bound at `level` from sorted bootstrap figures; 1 where there are too few draws for the level."""
    return 1.0 - figure_above(1.0 - np.asarray(figures, dtype=np.float64)[::-1], level)


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """The figure of so many groups, and that of each draw of them."""

    count: int
    figure: float
    figures: Floats
    weighed: Figures
    """From how often each group counts."""
    parts: Parts | None = None
    worth: float = 1.0
    """How many groups there are for each row."""


def _resampled(drawn: _Drawn, resting: float, rng: np.random.Generator) -> Resampled:
    corrected = _corrected(drawn.figures, drawn.figure, _acceleration(drawn, rng))
    unseen = rng.beta(1, resting, len(corrected))
    if drawn.parts is None:
        lowered, raised = corrected * (1 - unseen), corrected + (1 - corrected) * unseen
    else:
        lowered, raised = drawn.parts.with_unseen(corrected, unseen, drawn.worth, rng)
    half = len(corrected) // 2
    figures = np.concatenate([np.sort(lowered)[:half], np.sort(raised)[half:]])
    return Resampled(figure=drawn.figure, figures=tuple(figures.tolist()))


def _counted(codes: NDArray[np.intp], draws: int, seed: int) -> tuple[Iterable[Floats], np.random.Generator]:
    """How often each row counts in draws of whole groups, of which there are as many: (draws, rows), some draws at a time.
    Besides the random numbers after all draws.

    Since all candidates are asked the same cases, what was drawn last is kept.
    """
    if draws * len(codes) > KEPT:
        rng = np.random.default_rng(seed)
        return _drawn_with(rng, codes, draws), rng
    rng = np.random.default_rng()
    blocks, rng.bit_generator.state = _kept(codes.tobytes(), draws, seed)
    return blocks, rng


@lru_cache(maxsize=2)  # Of all cases, and of those that did not stand among the examples.
def _kept(codes: bytes, draws: int, seed: int) -> tuple[tuple[Floats, ...], Mapping[str, Any]]:
    rng = np.random.default_rng(seed)
    return tuple(_drawn_with(rng, np.frombuffer(codes, dtype=np.intp), draws)), rng.bit_generator.state


def _drawn_with(rng: np.random.Generator, codes: NDArray[np.intp], draws: int) -> Iterator[Floats]:
    count = int(codes.max()) + 1
    for some in at_once(draws, len(codes), COUNTED):
        places = rng.integers(0, count, (some, count)) * some + np.arange(some)[:, None]
        times = np.bincount(places.ravel(), minlength=count * some).reshape(count, some)
        counts = times[codes].astype(np.float64).T
        counts.flags.writeable = False  # Others are given the same.
        yield counts


def _acceleration(drawn: _Drawn, rng: np.random.Generator) -> float:
    count = drawn.count
    if count < 3:
        return 0.0
    parts = min(count, BLOCKS)
    part = rng.permutation(np.arange(count) % parts)
    left_out = drawn.weighed((part != np.arange(parts)[:, None]).astype(np.float64))
    away = left_out.mean() - left_out
    spread = np.square(away).sum() ** 1.5
    return float((away**3).sum() / (6 * spread)) if spread > 0 else 0.0


def _corrected(drawn: Floats, figure: float, acceleration: float) -> Floats:
    """The draws rearranged so that their plain quantiles are the BCa limits."""
    below = (np.mean(drawn < figure) + np.mean(drawn <= figure)) / 2
    bias = special.ndtri(np.clip(below, 1 / (len(drawn) + 1), len(drawn) / (len(drawn) + 1)))
    plain = special.ndtri((np.arange(len(drawn)) + 0.5) / len(drawn)) + bias
    share = special.ndtr(bias + plain / np.maximum(1 - acceleration * plain, 0.1))
    return _quantiles(np.sort(drawn), np.clip(share, 0, 1))


def _quantiles(ordered: Floats, shares: Floats) -> Floats:
    """`np.quantile` of numbers in order, to the last bit: it looks for each of thousands of shares anew."""
    at = shares * (len(ordered) - 1)
    below = np.minimum(np.floor(at).astype(np.intp), len(ordered) - 1)
    low, high, part = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)], at - below
    found: Floats = np.where(part >= 0.5, high - (high - low) * (1 - part), low + (high - low) * part)
    return found
