"""Goes beyond a searched space where the search chose the largest of it: what is larger is tried with the budget that is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from strategies.search import FIRST, Finished, Standing, within_noise

Race = Callable[[Sequence[Any], float], Finished]
"""(configurations, share of the budget) -> how they stand."""
DEARER = 3.0
"""How many times as much a larger configuration may take for a case, about."""


def gone_beyond(chosen: Standing, larger: Sequence[Any], race: Race, left: float) -> tuple[Standing, Finished]:
    """What is chosen then, and how the larger ones stood; `left` is the share of the budget that nobody has spent.

    In doubt the smaller is kept. The search is not saturated where the budget does not pay for a look at the larger ones, or
    where the largest of them won.
    """
    told = race(larger, left)
    shared = min(len(chosen.scores), len(told.best.scores))
    if within_noise(told.best.scores[:shared], chosen.scores[:shared]):
        return chosen, replace(told, rising=False)
    return told.best, replace(told, rising=told.rising or told.best.configuration == larger[-1])


def pays(chosen: Standing, larger: Sequence[Any], tokens: float) -> bool:
    """Whether so many tokens pay for a first look at all of them."""
    return tokens >= DEARER * chosen.tokens_per_case * FIRST * len(larger)
