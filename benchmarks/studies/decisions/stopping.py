"""Asking until it is decided: how many answers that takes against a fixed number of cases, and how many it saves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.probes.consistency import PROBE_CASES
from benchmarks.running.plan import LOOK
from benchmarks.statistics.grouping import Floats
from benchmarks.statistics.looks import level_of
from benchmarks.statistics.sample_size import cases_needed
from benchmarks.statistics.sequential import SHARES, StopRule
from benchmarks.studies.decisions.draws import ALPHA, Bools
from benchmarks.studies.decisions.pools import Pool

PAIRS = tuple(
    (target, round(target + away, 3))
    for target in (0.5, 0.7, 0.8, 0.9)
    for away in (-0.1, -0.05, -0.03, 0.03, 0.05, 0.08)
)
"""Target and truth of a single candidate."""
PATIENCE = 2
"""The most that is asked, in units of the fixed number of cases that decides 4 times in 5."""
ORDERS = 50
"""Random orders of asking a whole set of held-out cases."""


def against_a_fixed_number(target: float, truth: float, draws: int, seed: int) -> Mapping[str, float] | None:
    """Answers asked on average, and the fixed number of cases that is as powerful at the same level; None where either
    has no meaning for the pair."""
    fixed = cases_needed(target, truth, alpha=ALPHA)
    if fixed is None:
        return None
    right = np.random.default_rng(seed).random((draws, PATIENCE * fixed)) < truth
    decided = evidence(right if truth > target else ~right, target if truth > target else 1 - target) <= ALPHA
    power = float(decided.any(1).mean())
    asked = np.where(decided.any(1), decided.argmax(1) + 1, right.shape[1])
    equal = cases_needed(target, truth, alpha=ALPHA, power=min(power, 1 - 1 / draws))
    return None if equal is None else {"asked": float(asked.mean()), "power": power, "fixed": equal}


def evidence(right: Bools, target: float) -> Floats:
    """p-values of being no better than the target after each case, as `sequential.test_meets` gives them: the same shape."""
    running = right.cumsum(1)
    cases = np.arange(1, right.shape[1] + 1)
    won, lost = np.log1p(SHARES * (1 - target) / target), np.log1p(-SHARES)
    wealth = np.full(right.shape, -np.inf)
    for one, other in zip(won, lost, strict=True):
        wealth = np.logaddexp(wealth, running * one + (cases - running) * other)
    best = np.maximum.accumulate(wealth - np.log(len(SHARES)), axis=1)
    found: Floats = np.where(running / cases > target, np.exp(-np.maximum(best, 0.0)), 1.0)
    return found


def of_a_set(pool: Pool, target: float, seed: int) -> Mapping[str, int]:
    """Answers asked and answers there are, over random orders of all cases of the pool, in the units of a run."""
    rng = np.random.default_rng(seed)
    largest = max(len(group) for group in pool.groups)
    rule = StopRule(target=target, level=level_of(1) / len(pool.candidates), largest=largest)
    asked = 0
    for _ in range(ORDERS):
        order = rng.permutation(len(pool.groups))
        cases = np.concatenate([pool.groups[each] for each in order])
        names = np.repeat(order, [len(pool.groups[each]) for each in order]).tolist()
        asked += sum(_asked(scores, names, rule) for scores in pool.scores[:, cases])
    return {"asked": asked, "there": ORDERS * pool.scores.size}


def _asked(scores: Floats, names: list[int], rule: StopRule) -> int:
    edge = min(PROBE_CASES, len(names))
    while edge < len(names):
        while edge < len(names) and names[edge] == names[edge - 1]:
            edge += 1
        if rule(scores[:edge].tolist(), names[:edge]):
            return edge
        edge = min(edge + LOOK, len(names))
    return len(names)
