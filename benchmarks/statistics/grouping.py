"""Scores in groups of cases that are not independent, and for how many independent cases they count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LARGEST_INFLATION = 2.5
FEWEST_GROUPS = 40
"""Within these limits, which look at the sizes of groups only, right-or-wrong scores are counted as effective cases."""
UNSEEN = 3.0
"""Of the rarer of right and wrong, cases that the sample may lack by luck: none is seen 1 time in 20 where 3 are due."""


def as_scores(values: ArrayLike) -> Floats:
    """Scores as a 1-D array. Errors: ValueError unless there is at least one, and all are in [0, 1]."""
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0:
        raise ValueError(f"Scores have the shape {scores.shape}; one row of at least one score is needed.")
    if not np.all((scores >= 0) & (scores <= 1)):
        raise ValueError("A score is not in [0, 1]: the bounds hold for shares only.")
    return scores


def group_codes(groups: Sequence[Any] | None, cases: int) -> NDArray[np.intp]:
    """Groups as numbers from 0, by first appearance; None or an empty name is a group of its own.

    Errors: ValueError where the numbers of groups and cases differ.
    """
    if groups is None:
        return np.arange(cases)
    if len(groups) != cases:
        raise ValueError(f"There are {len(groups)} groups for {cases} scores; give one group for each.")
    seen: dict[object, int] = {}
    keys = [
        ("alone", place) if group is None or group == "" else ("group", group) for place, group in enumerate(groups)
    ]
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)


def totals(scores: Floats, codes: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """(sum of scores, number of cases) of each group."""
    return np.bincount(codes, weights=scores).astype(np.float64), np.bincount(codes).astype(np.float64)


def binomial_counts(scores: Floats, codes: NDArray[np.intp], times: float = 1.0) -> tuple[float, float] | None:
    """(right, cases) for an exact binomial bound on the mean over cases, or None where only betting is sound.

    Right-or-wrong scores of cases that all stand alone count as they are. With small groups (sum of squared sizes at
    most 2.5 times the cases, 40 groups or more) they count as the number of independent cases that would have the same
    variance if each group were all right or all wrong, or as still fewer where the measured variance is larger (after
    Korn and Graubard, 1998). A few larger groups among single cases may all be right by luck, and no variance is measured
    then: so as many cases as the largest group has, three at least, are taken to be wrong (or right, whichever is rarer)
    besides those that are, in groups of that size. This is no longer exact: computed for 1,416 mixtures of single cases
    with groups of one size that are all right or all wrong, false alarms stay below 5 and 3.75 %, also where the groups
    are far harder; of rarer levels they reach 1.55 % for 1.5 and .32 for .25, and twice the level at 1 in 5,000. Graded
    scores, large groups and few groups give None. `times`: as if there were so many times the cases like these.
    """
    if not np.all((scores == 0) | (scores == 1)):
        return None
    sums, sizes = totals(scores, codes)
    cases, groups = float(len(scores)), len(sizes)
    if groups == len(scores):
        return float(scores.sum()), cases
    squares = float(np.square(sizes).sum())
    if squares > LARGEST_INFLATION * cases or groups < FEWEST_GROUPS:
        return None
    mean, inflation = float(scores.mean()), squares / cases
    measured = float(np.square(sums - mean * sizes).sum()) * groups / (groups - 1)
    if measured > 1e-12:
        inflation = max(inflation, measured / (mean * (1 - mean) * cases))
    largest, rarer = float(sizes.max()), min(mean, 1 - mean) * cases * times
    unseen = max(UNSEEN, largest)
    doubted = (rarer * inflation + unseen * largest) / (rarer + unseen)
    worth = cases / max(doubted, squares / cases)
    return mean * worth, worth
