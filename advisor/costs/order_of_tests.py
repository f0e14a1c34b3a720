"""In which order candidates are tested: that of their costs, so coarse that the luck of held-out answers does not decide it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from advisor.contract import Amount, Costs
from advisor.costs.a_request import NOISE
from advisor.costs.amounts import clearly_more, one_unit, range_of, times
from advisor.wording import TOKENS
from benchmarks.contract import Evaluation

_ERRORS = 2.0
"""Standard errors of the mean answer that other requests may change a cost by."""


def order_of_tests(costs: Sequence[Costs], evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    """The cheapest first; of costs that lie within 15 %, or within what other requests may change, the simpler, and then in the
    order of the plan.

    Costs come from the very answers that are tested: where wrong answers are longer, whoever was lucky is cheaper, and to test
    it first for that would let more than the stated error pass. So what such luck changes counts as equal.
    """
    ahead, places = {cost.candidate: cost.ahead for cost in costs}, {each.candidate: each for each in evaluations}
    keys = {name: (each.simplicity, place) for place, (name, each) in enumerate(places.items())}
    known = one_unit(ahead, ahead)
    near = {name: _widened(ahead[name], _share(places[name])) for name in known}
    left, order = list(known), list[str]()
    while left:
        order.append(min(_least(left, near), key=keys.__getitem__))
        left.remove(order[-1])
    return (*order, *sorted((name for name in ahead if name not in known), key=keys.__getitem__))


def _least(names: Sequence[str], near: Mapping[str, tuple[Amount, Amount]]) -> list[str]:
    """Those than which no other is clearly cheaper."""
    return [name for name in names if not any(clearly_more(near[name][0], near[other][1]) for other in names)]


def _widened(amount: Amount, share: float) -> tuple[Amount, Amount]:
    """As little, and as much, as it may be: by that share of it, part of which its own range may have."""
    low, high = range_of(amount)
    has = (high - low) / (2 * amount.value) if amount.value and not amount.unit.startswith(TOKENS) else 0.0
    more = max(0.0, share - has)
    return times(amount, max(0.0, 1 - more)), times(amount, 1 + more)


def _share(evaluation: Evaluation) -> float:
    """By how much other requests may change its cost: what answers say differs in length more than what is asked."""
    answers = np.array([answer for _, _, answer in evaluation.requests], dtype=float)
    if answers.size < 2 or not answers.any():
        return NOISE
    return max(NOISE, _ERRORS * float(answers.std(ddof=1)) / (float(answers.mean()) * math.sqrt(answers.size)))
