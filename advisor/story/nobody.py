"""What is said of a run in which no approach can be named."""

from __future__ import annotations

from collections.abc import Iterable

from advisor.contract import Status
from benchmarks.contract import State

_NOBODY = {
    State.OPEN: ("Not decided yet", "No approach is measured and within the limits of the task so far."),
    State.SKIPPED: (
        "Not decided yet",
        "Approaches with a language model were not tried, since no score on these held-out cases would be proof.",
    ),
    State.RULED_OUT: ("Nothing to use", "Every approach that was measured breaks a limit of the task."),
    State.INVALID: ("No answer", "No approach has figures that may be used."),
}


def without_figures(statuses: Iterable[Status]) -> str:
    """Of a run in which no approach can be named: what most of all keeps it from that, as a sentence."""
    return _why_nobody(statuses)[1]


def nobody_named(statuses: Iterable[Status]) -> str:
    """The same as a headline."""
    head, said = _why_nobody(statuses)
    return f"{head}: {said[:1].lower()}{said[1:]}"


def _why_nobody(statuses: Iterable[Status]) -> tuple[str, str]:
    states = {status.state for status in statuses if status.state is not State.SKIPPED or status.too_few}
    asked = (State.OPEN, State.SKIPPED, State.RULED_OUT)
    return _NOBODY[next((state for state in asked if state in states), State.INVALID)]
