"""Whether sets of requests are alike, in a sentence: examples and held-out cases, older and newer ones, real requests."""

from __future__ import annotations

from advisor.wording import percent, start
from benchmarks.data.population import EXAMPLES, POPULATION, TIME, Apart

_MEANS = {
    POPULATION: "Label some of those requests before you rely on the figures.",
    EXAMPLES: "What is learnt from the examples may not be what the held-out cases ask for.",
    TIME: "Requests change: let the newest be the held-out cases, and measure again before long.",
}


def told_apart(key: str, found: Apart) -> str:
    """What a classifier made of two sets, and what follows where it tells them apart."""
    told = (
        f"a classifier trained to tell the two apart is right on {percent(found.share)} of the texts that it was not shown, "
        "against 50 % by guessing"
    )
    if not found.differ:
        return f"{start(found.one)} and {found.other} look alike: {told}."
    return f"{start(found.one)} and {found.other} are not alike: {told}. {_MEANS[key]}"
