"""Added labels: what an approach makes of labels that nobody had when it was built, at once and after it is built again.

It is built without some of the labels and without their examples, in the configuration that it has anyway. Then it is given
both, as on the day on which somebody opens a new queue: what looks examples up and what chooses among a list can use them
at once, what has the labels in its weights has to be fitted again. The run itself has measured how it does then.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.checked import Added
from benchmarks.contract import Benchmark, Row
from benchmarks.data.split import LEAST_EXAMPLES, cut_folds
from benchmarks.probes.changed import asked_first
from benchmarks.statistics.counted import by_group
from strategies.answers import is_lost
from strategies.contract import Case, Task

CASES, FEWEST = 30, 10
"""Held-out cases of the labels that are added: as many labels as it takes for so many, and none where there are fewer."""
ASKED = 100
"""Held-out cases that are asked for, of the new labels and of the others, at most."""
SHARE = 3
"""At most one label in so many is a new one."""


def adds_labels(benchmark: Benchmark, seed: int) -> bool:
    """Whether there are labels that could be new ones."""
    return bool(new_labels(benchmark, seed))


def new_labels(benchmark: Benchmark, seed: int) -> tuple[str, ...]:
    """The labels that are added, the same for every approach; empty where there are too few labels or cases.

    Never the commonest of the examples: an approach that always gives that one would stand for nothing without it.
    """
    task = benchmark.task
    known = Counter(case.output for case in task.examples)
    asked = Counter(case.output for case in asked_first(benchmark, seed))
    commonest = max(task.labels, key=lambda label: known[label], default="")
    found: list[str] = []
    for label in random.Random(f"labels {seed}").sample(task.labels, len(task.labels)):
        few = sum(asked[each] for each in found) < CASES
        if few and len(found) < len(task.labels) // SHARE and label != commonest and asked[label] and known[label]:
            found.append(label)
    left = sum(number for label, number in known.items() if label not in found)
    enough = sum(asked[label] for label in found) >= FEWEST and left >= LEAST_EXAMPLES
    return tuple(sorted(found)) if enough else ()


def without(task: Task, labels: Sequence[str], seed: int) -> Task:
    """The task as it was before these labels: without them and their examples, with folds cut anew."""
    kept = tuple(label for label in task.labels if label not in labels)
    cases = [case for case in task.examples if case.output not in labels]
    return replace(task, labels=kept, folds=cut_folds(cases, task.kind, seed))


@dataclass(frozen=True)
class Asked:
    """The held-out cases that are asked: of the new labels, and of the others."""

    new: tuple[Case, ...]
    others: tuple[Case, ...]

    @classmethod
    def of(cls, benchmark: Benchmark, labels: Sequence[str], seed: int) -> Asked:
        order = list(asked_first(benchmark, seed))
        new = [case for case in order if case.output in labels]
        return cls(tuple(new[:ASKED]), tuple(case for case in order if case.output not in labels)[:ASKED])

    @property
    def all(self) -> tuple[Case, ...]:
        return (*self.new, *self.others)

    @property
    def keys(self) -> tuple[list[str], list[str]]:
        return [case.id for case in self.new], [case.id for case in self.others]


# ---------------------------------------------------------------- what came out


def added(
    benchmark: Benchmark, note: Mapping[str, Any], heldout: Mapping[str, Row], rows: Sequence[Row]
) -> Added | None:
    """From what the unit noted, the answers of the run itself, and those before and after the labels were handed over.

    A case of which one of these answers was lost is left out. None where it was not asked for, or where the approach was not
    built without them.
    """
    if "asked" not in note:
        return None
    lost = {row.key for row in (*heldout.values(), *rows) if is_lost(row.outcome)}
    new, others = ([key for key in keys if key in heldout and key not in lost] for keys in note["asked"])
    before = {row.key: row.score for row in rows if row.variant == "before"}
    after = {row.key: row.score for row in rows if row.variant == "after"}
    at_once = [after.get(key, before.get(key, 0.0)) for key in new]
    cases = {case.id: case for case in benchmark.heldout}
    return Added(
        labels=tuple(note["labels"]),
        examples=note["examples"],
        cases=len(new),
        takes=note["takes"],
        at_once=_right(at_once),
        refitted=_right([heldout[key].score for key in new]),
        others=len(others),
        before=_right([before[key] for key in others]),
        after=_right([after.get(key, before[key]) for key in others]),
        seconds=note["seconds"],
        by_group=by_group([cases[key] for key in new], [bool(_right([score])) for score in at_once]),
    )


def _right(scores: Sequence[float]) -> int:
    return sum(score >= 0.999 for score in scores)
