"""The best of the approaches that a limit rules out, where it is better than what a report names, so that none is called the
best, or the highest, as if it were not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from advisor.contract import Status
from advisor.wording import clause, percent, start
from benchmarks.contract import Evaluation, State


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """One approach that a limit rules out."""

    candidate: str
    figure: float
    reason: str
    """Which limit it breaks, as a sentence."""

    @property
    def sentence(self) -> str:
        """With its figure and the limit."""
        return f"{start(self.candidate)} ({percent(self.figure)}) is ruled out: {clause(self.reason)}."


def beyond_limits(
    evaluations: Mapping[str, Evaluation], statuses: Iterable[Status], named: str | None
) -> Beyond | None:
    """The one with the highest figure of those that a limit rules out; None unless that is above the figure of `named`."""
    if named is None:
        return None
    found = [
        Beyond(candidate=each.candidate, figure=evaluations[each.candidate].figure, reason=each.reason)
        for each in statuses
        if each.state is State.RULED_OUT and evaluations[each.candidate].figure > evaluations[named].figure
    ]
    return max(found, key=lambda each: each.figure, default=None)


def stands_in_the_way(beyond: Beyond | None, target: float | None) -> bool:
    """Whether the limit keeps something from the goal: what it rules out has a figure at the target; with a margin the best is
    what is left, so any that is better counts."""
    return beyond is not None and (target is None or beyond.figure >= target)
