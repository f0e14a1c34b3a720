"""What share of a run's time its checks took, what for, and a word where that is more than is theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.material import Material
from advisor.wording import duration, listed, percent, plain_percent, start
from benchmarks.evaluation.taken import MOST, Taken

_NAMED: Mapping[str, str] = {
    "edit": "harmless edits",
    "repeat": "the same asked again",
    "format": "other forms of the prompt",
    "reworded": "requests in other words",
    "latency": "waiting times",
    "seed": "the second seed",
    "oracle": "right passages handed over",
    "handed": "wrong answers asked again",
    "forgetting": "general text",
    "by heart": "questions without documents",
    "curve": "fewer examples",
    "planted": "planted instructions",
    "rebuild": "rebuilds",
    "changed": "facts that changed",
    "added": "labels that were added",
    "altered": "an altered format",
}
_LEAST_NAMED = 0.01
"""Of the time: what took less is not named."""


def where_time_went(material: Material) -> Iterator[str]:
    """A sentence on the checks, one on what was asked for besides, and one on what was left out for want of time."""
    found = material.extras.taken
    if material.extras.left_out:
        yield f"{start(material.extras.left_out)}."
    if found.share is None:
        return
    yield (
        f"Checks took {percent(found.share)} of the time that models and retrieval took, {duration(found.checks)} of "
        f"{duration(found.without_request)} ({_parts(found, asked=False)}); they may take at most {plain_percent(MOST)}."
    )
    if found.on_request:
        yield f"What was asked for besides took {duration(found.on_request)} more ({_parts(found, asked=True)})."


def in_short(material: Material) -> str:
    """For the note of a table, with a space before it; empty where nothing was checked."""
    share = material.extras.taken.share
    if share is None:
        return ""
    more = f", more than the {plain_percent(MOST)} that they may take" if share > MOST else ""
    return f" The checks took {percent(share)} of the time that models and retrieval took{more}."


def checks_took_too_long(material: Material) -> Iterator[str]:
    """A next step: what made them long, and how to have it otherwise."""
    found = material.extras.taken
    if found.share is None or found.share <= MOST:
        return
    longest = max(_spent(found, asked=False), key=lambda each: each[1])
    option = "`--no-second-seed` leaves it out" if longest[0] == "seed" else "`--probes none` leaves out all checks"
    yield (
        f"The checks took {percent(found.share)} of the time that models and retrieval took, more than the {plain_percent(MOST)} "
        f"that they may take, {_NAMED.get(longest[0], longest[0])} the longest of them ({duration(longest[1])}). Where time is "
        f"short, {option}."
    )


def as_fact(found: Taken) -> dict[str, Any] | None:
    """Plain values; None where nothing was checked."""
    if found.share is None:
        return None
    return {
        "share": found.share,
        "at_most": MOST,
        "checks_seconds": found.checks,
        "of_seconds": found.without_request,
        "on_request_seconds": found.on_request,
        "by_kind": [{"kind": kind, "seconds": seconds} for kind, seconds in found.seconds.items()],
    }


def _spent(found: Taken, *, asked: bool) -> list[tuple[str, float]]:
    """Kind and seconds of what was asked for besides, or of the checks, the longest first."""
    kinds = found.asked_for if asked else found.own
    return sorted(((kind, found.seconds[kind]) for kind in kinds), key=lambda each: -each[1])


def _parts(found: Taken, *, asked: bool) -> str:
    total = sum(found.seconds.values())
    spent = _spent(found, asked=asked)
    told = [
        f"{_NAMED.get(kind, kind)} {duration(seconds)}" for kind, seconds in spent if seconds > _LEAST_NAMED * total
    ]
    return listed(told or [f"{_NAMED.get(kind, kind)} {duration(seconds)}" for kind, seconds in spent[:1]])
