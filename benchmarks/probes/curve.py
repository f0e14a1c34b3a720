"""What more examples would bring: accuracy measured with fewer of them, and where laws of growth lead from there."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.learning import CurvePoint
from benchmarks.statistics.grouping import Floats, group_codes
from strategies.contract import Case, Fold, Task

PARTS = (8, 4, 2)
"""One in so many of the examples: the smaller sizes of a curve."""
LEAST = 40
"""Examples from which on there is a curve: with fewer, four sizes from `FEWEST` on lie too close to each other."""
DRAWS = 3
"""Different samples of each smaller size, each fitted with a seed of its own."""
FEWEST = 10
FURTHEST = 4
"""Nothing is said of more than so many times the examples at hand."""
RESAMPLES = 400
LAWS = 3
_LEAST_NOISE = 0.01
"""A law that is off by less is as good as one that is right."""
BRACKET = 0.1
"""Share of the resampled predictions that lie beyond each end of a bracket."""
_POWERS = (0.25, 0.5, 1.0)
_FLOORS = (0.5, 0.75, 0.9, 0.97)
"""Shares of the lowest figure that may be there without any example, as the names of labels bring it."""


def sizes(examples: int) -> tuple[int, ...]:
    """The numbers of examples below all of them that a curve is measured at; none below `LEAST`."""
    if examples < LEAST:
        return ()
    if examples < FEWEST * PARTS[0]:
        return tuple(round(FEWEST * (examples / FEWEST) ** (step / len(PARTS))) for step in range(len(PARTS)))
    return tuple(examples // part for part in PARTS)


def sampled(task: Task, size: int, draw: int) -> Task:
    """The task with a seeded sample of its examples, each in the part of its fold that it was in before.

    A smaller sample of the same draw lies within the larger ones, and each fold keeps its share for selection.
    """
    chosen = frozenset(case.id for case in _nested(task, size, draw))
    return replace(task, folds=tuple(_within(fold, chosen) for fold in task.folds))


def _nested(task: Task, size: int, draw: int) -> list[Case]:
    first = task.folds[0]
    to_select = max(1, round(size * len(first.selection) / len(task.examples)))
    parts = ((first.selection, to_select), (first.train, size - to_select))
    return [case for cases, number in parts for case in _drawn(cases, draw)[:number]]


def _drawn(cases: Sequence[Case], draw: int) -> list[Case]:
    """Group after group, as examples come: one of each group would know nearly as much as all. What is cut of a group, since
    that is larger than the sample, is drawn too."""
    by_group: dict[str, list[Case]] = {}
    for case in cases:
        by_group.setdefault(case.group or case.id, []).append(case)
    dice = random.Random(draw)
    order = dice.sample(list(by_group), len(by_group))
    return [case for group in order for case in dice.sample(by_group[group], len(by_group[group]))]


def _within(fold: Fold, chosen: frozenset[str]) -> Fold:
    train, selection = (tuple(case for case in part if case.id in chosen) for part in (fold.train, fold.selection))
    return Fold(train=train, selection=selection)


# ---------------------------------------------------------------- beyond what was measured


def bracket(points: Sequence[CurvePoint], figure: float, examples: int) -> tuple[float, float]:
    """Between which figures the approach will lie with so many examples, if it is at `figure` with all of those at hand.

    Three laws (a power law, and a line in the logarithm on the logits, from nothing or above a floor) are fitted to resamples
    of the groups of cases, each trusted as far as it foretells the figure with all examples from those with fewer. What comes
    varies as samples of one size did, and by how far the laws together missed that figure, for each doubling; the bracket
    leaves out a tenth on each side. Errors: ValueError beyond `FURTHEST` times the examples.
    """
    if examples > FURTHEST * points[-1].examples:
        raise ValueError(f"{examples} is more than {FURTHEST} times the {points[-1].examples} examples at hand.")
    gained = _foreseen(points, [examples])[:, 0]
    gained = gained + _spread(points) * np.random.default_rng(1).standard_normal(len(gained))
    low, high = np.quantile(gained, [BRACKET, 1 - BRACKET])
    return float(np.clip(figure + low, 0, 1)), float(np.clip(figure + high, 0, 1))


def _spread(points: Sequence[CurvePoint]) -> float:
    """Standard deviation between samples of one size, over the two largest sizes that have several."""
    several = [[np.mean(row) for row in point.scores] for point in points if len(point.scores) > 1]
    return float(np.sqrt(np.mean([np.var(means, ddof=1) for means in several[-2:]]))) if several else 0.0


def examples_for(points: Sequence[CurvePoint], figure: float, goal: float) -> tuple[int | None, int | None]:
    """The least and the most examples, in all, with which the figure is expected to reach the goal; None: more than may
    be said."""
    now = points[-1].examples
    numbers = [round(now * 2 ** (step / 8)) for step in range(1, 8 * int(np.log2(FURTHEST)) + 1)]
    reached = figure + np.quantile(_foreseen(points, numbers), [1 - BRACKET, BRACKET], axis=0) >= goal
    few, many = (int(np.argmax(row)) if row.any() else None for row in reached)
    return (None if few is None else numbers[few]), (None if many is None else numbers[many])


def gains(points: Sequence[CurvePoint], numbers: Sequence[int]) -> Floats:
    """(laws x resamples, numbers): the change from all examples at hand to each number, never a loss; each law as often as it
    is trusted."""
    found, (trust, _) = _by_laws(_resampled(points), points, numbers), _trusted(points)
    rows = np.arange(len(found) * RESAMPLES)
    chosen = np.random.default_rng(2).choice(len(found), len(rows), p=trust)
    return found[chosen, rows % RESAMPLES]


def _foreseen(points: Sequence[CurvePoint], numbers: Sequence[int]) -> Floats:
    """`gains`, off by as much for each doubling as the laws missed the figure with all examples."""
    found, doublings = gains(points, numbers), np.log2(np.asarray(numbers) / points[-1].examples)
    return found + _trusted(points)[1] * doublings * np.random.default_rng(3).standard_normal((len(found), 1))


def _trusted(points: Sequence[CurvePoint]) -> tuple[Floats, float]:
    """How far each law is trusted, in shares of 1, and by how much all together missed the figure with all examples, where
    it is foretold from those with fewer."""
    if len(points) <= len(PARTS):
        return np.full(LAWS, 1 / LAWS), 0.0
    means = _resampled(points)
    came = means[:, -1] - means[:, -2]
    missed = (came[:, None] - _by_laws(means[:, :-1], points[:-1], [points[-1].examples])[:, :, 0].T).mean(0)
    trust = np.exp(-np.square(missed) / (2 * (_spread(points) ** 2 + np.var(came) + _LEAST_NOISE**2)))
    trust = trust / trust.sum() if trust.sum() > 0 else np.full(LAWS, 1 / LAWS)
    return trust, float(abs(trust @ missed))


def _by_laws(means: Floats, points: Sequence[CurvePoint], numbers: Sequence[int]) -> Floats:
    """(laws, resamples, numbers): the change from the last point to each number."""
    at = np.array([point.examples for point in points], dtype=np.float64)
    weights = np.array([len(point.scores) for point in points], dtype=np.float64)
    on = (at / at[-1], np.asarray(numbers, dtype=np.float64) / at[-1], weights)
    return np.stack([_by_power(means, *on), _by_logit(means, *on, (0.0,)), _by_logit(means, *on, _FLOORS)])


def _resampled(points: Sequence[CurvePoint]) -> Floats:
    """(resamples, points): means over the same resampled cases, whole groups of them, and over resampled draws of each size."""
    rng = np.random.default_rng(0)
    scores = [np.array(point.scores) for point in points]
    codes = group_codes(points[0].groups or None, scores[0].shape[1])
    groups = int(codes.max()) + 1
    drawn_groups = rng.integers(0, groups, (RESAMPLES, groups))
    counts = np.array([np.bincount(row, minlength=groups)[codes] for row in drawn_groups], dtype=np.float64)
    counts /= counts.sum(1, keepdims=True)
    drawn = [rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), RESAMPLES) / len(rows) for rows in scores]
    return np.stack(
        [np.einsum("rd,dc,rc->r", draws, rows, counts) for draws, rows in zip(drawn, scores, strict=True)], 1
    )


def _by_power(means: Floats, share: Floats, beyond: Floats, weights: Floats) -> Floats:
    """y = a - b share ** -c with b >= 0 and a <= 1; of a few c the one that fits best."""
    gained, errors = [], []
    for power in _POWERS:
        below = share**-power
        slope, ceiling = _line(means, below, weights)
        over = np.minimum(slope, 0.0)
        ceiling = np.where(slope > 0, np.average(means, axis=1, weights=weights), ceiling)
        steep = ceiling > 1
        pinned = -((1 - means) * below * weights).sum(1) / (below**2 * weights).sum()
        over, ceiling = np.where(steep, np.minimum(pinned, 0), over), np.minimum(ceiling, 1.0)
        errors.append((np.square(ceiling[:, None] + over[:, None] * below - means) * weights).sum(1))
        gained.append(over[:, None] * (beyond**-power - 1))
    return _best_fitting(gained, errors)


def _by_logit(means: Floats, share: Floats, beyond: Floats, weights: Floats, floors: Sequence[float]) -> Floats:
    """On the logits of what lies above a floor; of a few floors, shares of the lowest figure, the one that fits best."""
    gained, errors = [], []
    for floor in floors:
        below = np.minimum(floor * means.min(1, keepdims=True), 0.99)
        logits = special.logit(np.clip((means - below) / (1 - below), 0.005, 0.995))
        slope, offset = (each[:, None] for each in _line(logits, np.log(share), weights))
        slope = np.maximum(slope, 0.0)
        fitted = below + (1 - below) * special.expit(offset + slope * np.log(share))
        errors.append((np.square(fitted - means) * weights).sum(1))
        gained.append((1 - below) * (special.expit(offset + slope * np.log(beyond)) - special.expit(offset)))
    return _best_fitting(gained, errors)


def _best_fitting(gained: Sequence[Floats], errors: Sequence[Floats]) -> Floats:
    best = np.argmin(errors, axis=0)
    found: Floats = np.stack(gained)[best, np.arange(len(best))]
    return found


def _line(values: Floats, at: Floats, weights: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and offset of each row of values, by weighted least squares."""
    centre = np.average(at, weights=weights)
    middle = np.average(values, axis=1, weights=weights)
    slope = ((at - centre) * weights * (values - middle[:, None])).sum(1) / (weights * np.square(at - centre)).sum()
    return slope, middle - slope * centre


def as_many_as(points: Sequence[CurvePoint], scores: Sequence[float], *, nearly_always: bool = False) -> float | None:
    """With how many examples the curve reaches the mean of `scores` on the same cases; None outside of what was measured.

    On average, or with `nearly_always` in 19 of 20 samples of so many examples, as far as samples of one size differed: a
    prediction of one more by Student's t, since both its mean and how far samples differ come from `DRAWS` of each size.
    """
    reach = float(special.stdtrit(2 * (DRAWS - 1), 0.95)) * math.sqrt(1 + 1 / DRAWS)
    below = reach * _spread(points) if nearly_always else 0.0
    means = np.maximum.accumulate([np.mean(point.scores) - below for point in points])
    goal = float(np.mean(scores))
    if not means[0] <= goal <= means[-1] or means[0] == means[-1]:
        return None
    return float(np.exp(np.interp(goal, means, np.log([point.examples for point in points]))))
