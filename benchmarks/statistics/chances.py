"""How likely a figure lies above a target, and more cases would show it, for weighing what it is worth to find out; nothing is
decided by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from benchmarks.statistics.confidence import worth_of
from benchmarks.statistics.grouping import as_scores, binomial_counts, group_codes

_STEPS = 2000


def chance_above(scores: ArrayLike, groups: Sequence[Any] | None, target: float) -> float:
    """The probability that the mean over all cases is at least `target`, seen these.

    By Jeffreys' prior, with as many right-or-wrong cases as these are worth: small groups as in `grouping.binomial_counts`,
    other scores as for the lower end of `confidence.shown_interval`, which knows that rare low scores may be missing.
    """
    right, wrong = _posterior(scores, groups)
    return float(1 - special.betainc(right, wrong, target))


def chance_shown(scores: ArrayLike, groups: Sequence[Any] | None, target: float, more: tuple[int, float]) -> float:
    """The probability that so many `more` cases show it, if the mean over all is at least `target`.

    `more`: their number, and the probability that they show it if the mean is just that of `scores`. It is less than that, as a
    mean that lies below the one that was seen is shown less often: averaged over what the mean may be, with the mean of the
    further cases as good as normal. Source: power averaged over a prior is assurance (O'Hagan, Stevens and Campbell, 2005).
    """
    given = as_scores(scores)
    right, wrong = _posterior(given, groups)
    edges = np.linspace(target, 1.0, _STEPS + 1)
    weights = np.diff(special.betainc(right, wrong, edges))
    if weights.sum() <= 0:
        return 0.0
    number, power = more
    mean, worth = float(given.mean()), (right + wrong - 1) * number / len(given)
    spread = math.sqrt(max(mean * (1 - mean), 0.25 / len(given)) / worth)
    each = special.ndtr((0.5 * (edges[1:] + edges[:-1]) - mean) / spread + special.ndtri(power))
    return float((weights * each).sum() / weights.sum())


def _posterior(scores: ArrayLike, groups: Sequence[Any] | None) -> tuple[float, float]:
    """The parameters of the beta distribution of the mean."""
    given = as_scores(scores)
    counts = binomial_counts(given, group_codes(groups, len(given)))
    right, cases = worth_of(given, groups)[0] if counts is None else counts
    return right + 0.5, cases - right + 0.5
