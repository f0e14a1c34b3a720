"""Label more and look again: how often a false "meets" comes of it, and what each rule against that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.grouping import Floats
from benchmarks.statistics.looks import level_of
from benchmarks.studies.decisions.draws import ALPHA, UNDECIDED, Bools, exact, in_full, verdicts
from benchmarks.studies.decisions.pools import Pool

SIZES, DOUBLED = (100, 200, 300, 400, 500, 600), (50, 100, 200, 400, 800)
"""Held-out cases at each look: as many more each time, or twice as many."""
BETS = 25

SHARES = {"half of what is left": 1 / 2, "three quarters of what is left": 3 / 4, "nine tenths of what is left": 9 / 10}
RULES = ("the full level each time", *SHARES, "equal parts of all looks", "confidence sequence")


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What a rule said over the looks of every draw."""

    false_meets: Bools
    """Whether any look said of any candidate that it meets, though it does not."""
    chosen: NDArray[np.intp]
    """At the first look that decided; `UNDECIDED` where none did."""
    looks: NDArray[np.intp]


def loops(pool: Pool, target: float, draws: int, seed: int, at: Sequence[int] = SIZES) -> Mapping[str, Loop]:
    """The same draws under every rule, looked at with so many cases.

    Raises ValueError for a pool that is not right or wrong, every case alone.
    """
    if not pool.right_or_wrong:
        raise ValueError(f"{pool.name} has graded scores or groups.")
    cases = np.random.default_rng(seed).integers(0, pool.scores.shape[1], (draws, at[-1]))
    running = pool.scores[:, cases].cumsum(-1)
    right = np.array([running[:, :, size - 1].T for size in at])
    return {rule: _loop(pool, (right, at), target, rule) for rule in RULES}


def _loop(pool: Pool, looked: tuple[Floats, Sequence[int]], target: float, rule: str) -> Loop:
    right, at = looked
    good = pool.truth >= target
    draws = right.shape[1]
    false, looks = np.zeros(draws, dtype=np.bool_), np.full(draws, len(at))
    chosen = np.full(draws, UNDECIDED)
    p_values = zip(*_tested(right, at, target, rule), levels(rule, len(at)), strict=True)
    for look, (meets, misses, level) in enumerate(p_values, 1):
        said = in_full(meets, misses, level)
        open_still = chosen == UNDECIDED
        false |= open_still & (said[0] & ~good).any(1)
        fresh = np.where(open_still, verdicts(said), chosen)
        looks = np.where(open_still & (fresh != UNDECIDED), look, looks)
        chosen = fresh
    return Loop(false_meets=false, chosen=chosen, looks=looks)


def levels(rule: str, looks: int) -> list[float]:
    """The level of each look."""
    if rule in SHARES:
        return [level_of(look, ALPHA, SHARES[rule]) for look in range(1, looks + 1)]
    return [ALPHA / looks if rule.startswith("equal") else ALPHA] * looks


def _tested(right: Floats, at: Sequence[int], target: float, rule: str) -> tuple[Sequence[Floats], Sequence[Floats]]:
    """p-values at each look: (draws, candidates)."""
    pairs = list(zip(right, at, strict=True))
    if rule == "confidence sequence":
        return _anytime(right, at, target), _anytime(np.array([size - k for k, size in pairs]), at, 1 - target)
    return [exact(k, size, target) for k, size in pairs], [exact(size - k, size, 1 - target) for k, size in pairs]


def _anytime(right: Floats, at: Sequence[int], target: float) -> list[Floats]:
    """One over the largest wealth so far of a mixture of bets, which no number of looks inflates (arXiv 2010.09686)."""
    bets = (np.arange(BETS) + 0.5) / BETS / target
    best, found = np.zeros(right.shape[1:]), []
    for k, size in zip(right, at, strict=True):
        gains = k[..., None] * np.log1p(bets * (1 - target)) + (size - k)[..., None] * np.log1p(-bets * target)
        best = np.maximum(best, np.logaddexp.reduce(gains, axis=-1) - np.log(BETS))
        found.append(np.exp(-best))
    return found


def counted(pool: Pool, target: float, loop: Loop) -> Mapping[str, int]:
    """As `draws.counted`, over all looks; and the looks that were had."""
    good = pool.truth >= target
    oracle = int(good.argmax()) if good.any() else -1
    decided = loop.chosen != UNDECIDED
    return {
        "draws": len(loop.chosen),
        "false_meets": int(loop.false_meets.sum()),
        "decided": int(decided.sum()),
        "wrong": int((decided & (loop.chosen != oracle)).sum()),
        "looks": int(loop.looks.sum()),
    }
