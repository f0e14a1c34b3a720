"""Which of the trainings at length is the best: by the mean score on selection cases, or by a metric over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from strategies.search import Standing

if TYPE_CHECKING:
    from strategies.finetuning.lengths import Lengths
    from strategies.finetuning.race import Entry
    from strategies.selection import Kitchen


def in_order(kitchen: Kitchen, tried: Sequence[tuple[Entry, Lengths]]) -> list[tuple[Entry, Lengths]]:
    """The best first; of those that are as good the one with the shorter rows, then the one that was first."""
    judged = [_judged(kitchen, entry) for entry, _ in tried]
    over_rows = all(each.worths for each in judged if each.scores)  # One that failed answered nothing.
    marks = [
        each.mark if over_rows and each.scores else entry.score for each, (entry, _) in zip(judged, tried, strict=True)
    ]
    order = sorted(range(len(tried)), key=lambda place: (-marks[place], tried[place][1].row))
    return [tried[place] for place in order]


def _judged(kitchen: Kitchen, entry: Entry) -> Standing:
    """How the entry stands by a metric over rows, where that is the task's."""
    standing = Standing(entry.tuning.setup, notes=[*(entry.notes or ())])
    kitchen.judge(standing)
    return standing
