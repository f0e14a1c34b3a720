"""Bounds on the mean of graded or grouped scores that hold for any number of cases: bets on them, compounded."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.statistics.grouping import Floats

STEPS = np.array([1.0, 2**0.5, 2.0, 8**0.5])
"""Fixed bets relative to the best one if scores were 0 or 1 and alike within a group; the larger suit a smaller variance."""
WEIGHTS = np.array([0.12, 0.04, 0.024, 0.016])
LEARNING = 0.8
"""Weight of the bet that follows the variance of the groups so far."""
PRIOR = 4.0
"""For how many groups of the largest variance stand before the first."""
REACH = np.log(50.0)
"""The bets are tuned for evidence of 1 : 50, between one candidate at 5 % and several."""
GRID = 33
KEPT = 256
"""So many bounds are remembered: a verdict asks for one as its status, for every target and for what would change it."""


def p_at_most(sums: Floats, sizes: Floats, targets: ArrayLike) -> Floats:
    """p-values of the hypothesis that the mean over cases is at most each target, in [0, 1].

    Each group bets `1 + bet * (sum - target * size)`, which is worth at most 1 on average under the hypothesis; the
    wealth of a mixture of bets is followed through the groups in one fixed shuffled order, and by Ville's inequality its
    maximum is 50 or more with a probability of at most 1 in 50. Most of the mixture bets what the variance of the groups
    before suggests, the rest fixed amounts. Assumes that the groups are independent draws; the scale of the bets uses the
    sizes and the number of the groups, which are taken as given. Source: Waudby-Smith and Ramdas, arXiv 2010.09686.
    """
    mean = sums.sum() / sizes.sum()
    order = np.random.default_rng(0).permutation(len(sums))
    sums, sizes = sums[order], sizes[order]
    target = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    inner = np.clip(target, 1e-9, 1 - 1e-9)[:, None]
    bets = np.sqrt(2 * REACH / (np.square(sizes).sum() * inner * (1 - inner))) * STEPS
    most = 0.95 / (inner * sizes.max())
    edges = sums - inner * sizes
    gains = np.empty((len(target), 1 + len(STEPS), len(sums)))  # One array for every step: copies would take longer.
    np.multiply(np.minimum(_learnt(sums, sizes), most), edges, out=gains[:, 0])
    np.multiply(np.minimum(bets, most)[:, :, None], edges[:, None, :], out=gains[:, 1:])
    np.log1p(gains, out=gains).cumsum(axis=2, out=gains)
    top = gains.max(axis=1)
    np.exp(np.subtract(gains, top[:, None, :], out=gains), out=gains)
    weights = np.concatenate([[LEARNING], WEIGHTS])
    wealth = top + np.log(np.einsum("j,ijk->ik", weights, gains))
    p_values = np.exp(-np.maximum(wealth.max(axis=1), 0.0))
    # Early luck must not prove a mean that the whole sample does not even reach.
    return np.where(target >= mean, 1.0, np.where(target <= 0, 0.0, p_values))


def _learnt(sums: Floats, sizes: Floats) -> Floats:
    """What to bet on each group by the variance of those before it, the same for every target."""
    before = np.arange(len(sums)) + PRIOR
    mean = (_before(sums) + 0.5 * PRIOR * sizes.mean()) / (_before(sizes) + PRIOR * sizes.mean())
    variance = (_before(np.square(sums - mean * sizes)) + 0.25 * PRIOR * np.square(sizes).mean()) / before
    bets: Floats = np.sqrt(2 * REACH / (len(sums) * variance))
    return bets


def _before(values: Floats) -> Floats:
    """The sum of all that stand before each."""
    return values.cumsum() - values


def mean_above(sums: Floats, sizes: Floats, level: float) -> float:
    """The largest mean (to within 3e-5) such that it and every smaller one is rejected at `level`; 0 where none is."""
    return _mean_above(sums.tobytes(), sizes.tobytes(), level)


@lru_cache(maxsize=KEPT)
def _mean_above(of_sums: bytes, of_sizes: bytes, level: float) -> float:
    sums, sizes = np.frombuffer(of_sums), np.frombuffer(of_sizes)
    low, high = 0.0, float(sums.sum() / sizes.sum())
    for _ in range(3):
        grid = np.linspace(low, high, GRID)
        kept = int(np.argmax(np.append(p_at_most(sums, sizes, grid[1:-1]) > level, True)))
        low, high = grid[kept], grid[kept + 1]
    return float(low)
