"""Which approaches are tuned: here, or elsewhere before they came here."""

from __future__ import annotations

from benchmarks.contract import Evaluation
from benchmarks.costs.prices import MachinePrices
from strategies.contract import TUNED


def takes_tuning(evaluation: Evaluation, prices: MachinePrices | None) -> bool:
    """Whether it is tuned, here or elsewhere."""
    return evaluation.family in TUNED or only_elsewhere(evaluation, prices)


def only_elsewhere(evaluation: Evaluation, prices: MachinePrices | None) -> bool:
    """Whether all its tuning was done elsewhere, so that nothing of it can be measured here."""
    known = {} if prices is None else prices.tuned
    return evaluation.family not in TUNED and not known.keys().isdisjoint(evaluation.models)
