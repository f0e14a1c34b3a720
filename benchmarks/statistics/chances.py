"""How likely a figure lies above a target, for weighing what it is worth to find out; nothing is decided by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from benchmarks.statistics.grouping import as_scores, binomial_counts, group_codes, totals


def chance_above(scores: ArrayLike, groups: Sequence[Any] | None, target: float) -> float:
    """The probability that the mean over all cases is at least `target`, seen these.

    Right-or-wrong scores: by Jeffreys' prior, small groups as in `grouping.binomial_counts`. Others: by the normal
    approximation with the variance of the groups.
    """
    given = as_scores(scores)
    codes = group_codes(groups, len(given))
    counts = binomial_counts(given, codes)
    if counts is not None:
        right, cases = counts
        return float(1 - special.betainc(right + 0.5, cases - right + 0.5, target))
    sums, sizes = totals(given, codes)
    mean = float(given.mean())
    spread = math.sqrt(float(np.square(sums - mean * sizes).sum())) / len(given)
    return float(special.ndtr((mean - target) / max(spread, 1e-9)))
