"""Which of the undecided further held-out cases would tell most of, and how many it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from advisor.contract import Status
from benchmarks.contract import Evaluation


def soonest(
    undecided: Iterable[Status], evaluations: Mapping[str, Evaluation], target: float | None
) -> tuple[int, str] | None:
    """How many further cases, and whom they decide about: of those whose figure reaches the target, which may be recommended
    then, the one that takes fewest; of all where none does. None where no number is known."""
    needed = [(each.more_cases, each.candidate) for each in undecided if each.more_cases is not None]
    reach = [each for each in needed if target is not None and evaluations[each[1]].figure >= target]
    return min(reach or needed, default=None)
