"""Goes beyond a searched space where the search chose the largest of it: what is larger is tried with the budget that is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from strategies.search import FIRST, SearchResult, Standing, outdone

Race = Callable[[Sequence[Any], float], SearchResult]
"""(configurations, share of the budget) -> how they stand."""
DEARER = 3.0
"""How many times as much a larger configuration may take for a case, about."""


def gone_beyond(
    searched: tuple[SearchResult, Standing], larger: Sequence[Any], race: Race, means: tuple[float, float]
) -> tuple[Standing, SearchResult | None]:
    """What is chosen then, and how the larger ones stood; None where what is left does not pay for a look at them. `searched` is
    how the search ended and what it chose, `means` its tokens and those of all searches.

    In doubt the smaller is kept. Where the largest of them wins the search is not saturated.
    """
    (outcome, chosen), (tokens, budget) = searched, means
    left = tokens - sum(standing.tokens for standing in outcome.standings)
    if not pays(chosen, larger, left):
        return chosen, None
    told = race(larger, left / budget)
    if not outdone(chosen, told.best):
        return chosen, replace(told, rising=False)
    return told.best, replace(told, rising=told.rising or told.best.configuration == larger[-1])


def pays(chosen: Standing, larger: Sequence[Any], tokens: float) -> bool:
    """Whether so many tokens pay for a first look at all of them."""
    return tokens >= DEARER * chosen.tokens_per_case * FIRST * len(larger)
