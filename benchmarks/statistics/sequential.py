"""Held-out cases asked one after another until they decide: their order, when to stop, and bounds that bear stopping.

A bound for a fixed number of cases is wrong too often if one stops as soon as it decides. These hold at every number of
cases at once: bets on the scores, compounded (Waudby-Smith and Ramdas, arXiv 2010.09686).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.statistics.grouping import Floats, as_scores, group_codes, totals
from strategies.contract import Case

SHARES = np.geomspace(0.03, 0.95, 15)
"""Bets in units of the largest that no score can ruin: small ones suit a mean close to the target, large ones one far off."""
HALVINGS = 30
"""Of the range in which a bound is looked for."""


def in_asking_order(cases: Sequence[Case], seed: int) -> tuple[Case, ...]:
    """A random order that is fixed before anything is asked; cases of one group stand together."""
    groups: dict[object, list[Case]] = {}
    for place, case in enumerate(cases):
        groups.setdefault(case.group or place, []).append(case)
    names = list(groups)
    random.Random(f"asking {seed}").shuffle(names)
    return tuple(case for name in names for case in groups[name])


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """Whether the scores of the first cases settle a candidate, so that it need not be asked any more."""

    target: float
    level: float
    """Of each of the two claims about one candidate, one-sided."""
    largest: int
    """Cases of the largest group of the whole held-out set."""

    def __call__(self, scores: Sequence[float], groups: Sequence[Any]) -> bool:
        """`scores` in the order of asking, `groups` beside them."""
        tests = (test_meets, test_misses)
        found = (test(scores, groups, self.target, largest=self.largest) for test in tests)
        return bool(scores) and min(found) <= self.level


def test_meets(scores: ArrayLike, groups: Sequence[Any] | None, target: float, *, largest: int) -> float:
    """p-value of the hypothesis that the mean over cases is at most `target`, wherever one stops.

    `largest`, here and below: how many cases the largest group has, whether it is among these or still to be asked.
    """
    given = as_scores(scores)
    return p_at_most(*totals(given, group_codes(groups, len(given))), target, largest)


def test_misses(scores: ArrayLike, groups: Sequence[Any] | None, target: float, *, largest: int) -> float:
    """p-value of the hypothesis that the mean over cases is at least `target`, wherever one stops."""
    return test_meets(1.0 - as_scores(scores), groups, 1.0 - target, largest=largest)


for _function in (test_meets, test_misses):
    _function.__test__ = False  # type: ignore[attr-defined]  # a test of hypotheses, which pytest must not collect


def lower_bound(scores: ArrayLike, groups: Sequence[Any] | None, level: float, *, largest: int) -> float:
    """One-sided lower bound on the mean over cases, wherever one stops: what lies below it is rejected at `level`."""
    given = as_scores(scores)
    sums, sizes = totals(given, group_codes(groups, len(given)))
    low, high = 0.0, float(given.mean())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if p_at_most(sums, sizes, middle, largest) <= level else (low, middle)
    return low


def upper_bound(scores: ArrayLike, groups: Sequence[Any] | None, level: float, *, largest: int) -> float:
    """One-sided upper bound on the mean over cases, made like `lower_bound`."""
    return 1.0 - lower_bound(1.0 - as_scores(scores), groups, level, largest=largest)


def p_at_most(sums: Floats, sizes: Floats, target: float, largest: int) -> float:
    """One over the largest wealth that a mixture of bets on means above `target` ever had (Ville's inequality).

    A group of cases bets once. What may be lost is limited by the largest group of all, asked or not: with that of those
    asked so far a small group would weigh more as long as no large one has come, and where large ones are harder that
    proves too much.
    """
    if target <= 0 or target >= sums.sum() / sizes.sum():
        return 0.0 if target <= 0 < sums.sum() else 1.0
    gains = (sums - target * sizes) / (target * max(float(largest), sizes.max()))
    wealth = np.log1p(SHARES[:, None] * gains).cumsum(axis=1)
    top = wealth.max(axis=0)
    mixed = top + np.log(np.exp(wealth - top).mean(axis=0))
    return float(np.exp(-max(0.0, mixed.max())))
