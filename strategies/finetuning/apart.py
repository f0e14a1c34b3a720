"""Which examples a refit keeps apart: they tell when it is to stop, which share of its adapter answers best, and how well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from strategies.contract import Case, Task
from strategies.leaning import LEAST_CASES, Leaning
from strategies.search import selection_items

APART, LEAST_APART = 48, 24
"""Examples that are kept apart, a twelfth of all: at most, and with fewer training on them brings more."""
FEWEST = 30
"""At least, where any are and groups allow it: from as many answers in common a cascade can be chosen."""


def kept_apart(task: Task, seed: int) -> tuple[Case, ...]:
    """Whole groups of selection cases of the first fold, those first that the searches of other approaches look at first; none
    where there are too few examples.

    For a metric over rows of labels they are drawn in proportion to the labels, with as many of the rare ones as it takes to
    choose by the metric, where there are so many.
    """
    twelfth = min(APART, len(task.examples) // 12)
    if twelfth < LEAST_APART:
        return ()
    looked_at = [item.case for item in selection_items(task, seed) if item.fold == 0]
    leaning = Leaning.of(task)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in looked_at if leaning is None else _in_proportion(looked_at, leaning):
        groups[case.group or case.id].append(case)
    size = max(FEWEST, twelfth)
    apart = _whole(list(groups.values()), size, size)
    if len(apart) < FEWEST:
        apart = _whole(list(groups.values()), FEWEST, APART)
    return tuple(apart) if len(apart) >= LEAST_APART else ()


def _whole(groups: Sequence[Sequence[Case]], enough: int, most: int) -> list[Case]:
    """The cases of whole groups, of the first ones first, until they are enough; at most so many."""
    found: list[Case] = []
    for members in groups:
        if len(found) < enough and len(found) + len(members) <= most:
            found += members
    return found


def _in_proportion(cases: Sequence[Case], leaning: Leaning) -> list[Case]:
    """The cases in an order of which any beginning holds each label about as often as all of them do; a few of the rare labels
    come before it."""
    counts, seen = Counter(case.output for case in cases), Counter[str]()
    places: dict[str, float] = {}
    for case in cases:
        places[case.id] = (seen[case.output] + 0.5) / counts[case.output]
        seen[case.output] += 1
    order = sorted(cases, key=lambda case: places[case.id])
    first = {case.id for case in [case for case in order if case.output in leaning.rare][:LEAST_CASES]}
    return sorted(order, key=lambda case: case.id not in first)
