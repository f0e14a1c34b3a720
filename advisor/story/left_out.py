"""Approaches that have no figures to judge by, so that no sentence speaks of all, or of the best, as if these were among them."""

from __future__ import annotations

from collections.abc import Iterable

from advisor.contract import Status
from advisor.wording import listed, start
from benchmarks.contract import State


def unjudged(statuses: Iterable[Status]) -> list[str]:
    """Those that failed or cannot run here."""
    return [each.candidate for each in statuses if each.state in (State.INVALID, State.CANNOT_RUN)]


def judged(statuses: Iterable[Status]) -> str:
    """`that could be judged `, to stand behind those that are spoken of; empty where all could."""
    return "that could be judged " if unjudged(statuses) else ""


def so_far(statuses: Iterable[Status]) -> str:
    """With a space before it; empty where all are measured."""
    return " so far" if any(each.state is State.OPEN for each in statuses) else ""


def not_the_best_meant(statuses: Iterable[Status]) -> str:
    """Beside a claim of closeness to the best, as a sentence with a space before it."""
    names = unjudged(statuses)
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return f" {start(listed(names))} could not be judged, and so {verb} not among those whose best is meant."
