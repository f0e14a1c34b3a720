"""Few clean examples or many messy ones: every approach built from 300 clean ones, and from 600 and 3,000 with wrong labels."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from advisor.experiments.found import find
from benchmarks.data.assemble import Assembly, Limits
from benchmarks.data.split import cut_folds, grouped
from benchmarks.studies.faults.planting import flipped
from benchmarks.studies.rescored import scored_by
from strategies.catalog import approaches
from strategies.contract import Case, Embedder, Outcome, Query, Sampling, Strategy, Task, Workbench
from strategies.traits import prefers_cheapest

TASKS: Mapping[str, tuple[str, ...]] = {"sms_spam": ("any other",), "banking77": ("any other", "confusable")}
"""Task -> how a wrong label is chosen. With two labels the nearest other one is the only other one."""
CLEAN, NOISY = 300, (600, 3_000)
NOISE = (0.2, 0.4)
DRAWS, HELDOUT = 3, 300
SLOW = ("contrastive head",)
"""Without a language model, and minutes for each row all the same: asked with those that have one."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One sample of the examples with one share of wrong labels."""

    task: str
    of: int
    """Examples; all there are where there are fewer."""
    share: float
    how: str
    draw: int


def cells() -> Iterator[Cell]:
    """300 clean ones, 600 and 3,000 with wrong labels, and the same without, to tell numbers from noise."""
    for draw in range(DRAWS):
        for task, ways in TASKS.items():
            for of in (CLEAN, *NOISY):
                yield Cell(task=task, of=of, share=0.0, how="clean", draw=draw)
                for share in NOISE if of in NOISY else ():
                    yield from (Cell(task=task, of=of, share=share, how=how, draw=draw) for how in ways)


def slow_cells() -> Iterator[Cell]:
    """Of each task those that the question is about, one draw of each: what minutes to an hour a row leave room for."""
    for cell in cells():
        messy = (cell.share, cell.how) == (NOISE[0], "any other")
        if cell.draw == 0 and (messy or cell.of == CLEAN):
            yield cell


def quick() -> list[Strategy]:
    """Approaches that need no language model and take seconds."""
    return [each for each in _suitable() if not each.needs and each.name not in SLOW]


def slow() -> list[Strategy]:
    """The others that answer for themselves, each once at its best."""
    return [each for each in _suitable() if each.needs or each.name in SLOW]


def _suitable() -> list[Strategy]:
    """What can answer with labels by itself, each approach once, at its best."""
    task = Task(name="labels", kind="classification", instruction="", folds=(), score=_nothing, labels=("a", "b"))
    return [
        each
        for each in approaches()
        if each.family != "recorded" and not prefers_cheapest(each) and not each.unsuitable(task)
    ]


def _nothing(case: Case, outcome: Outcome) -> float:
    return 0.0


@cache
def data(task: str) -> Assembly:
    """With a score for each case as the metric, by which setups are chosen then too: the figure is a share of right answers."""
    return scored_by("accuracy", find(task).assembled(Limits(heldout=HELDOUT)))


def examples(cell: Cell, embedder: Embedder) -> list[Case]:
    """The sample of a cell: a larger one of the same draw holds the smaller one."""
    drawn = list(data(cell.task).benchmark.task.examples)
    random.Random(f"{cell.task} {cell.draw} grid").shuffle(drawn)
    drawn = drawn[: cell.of]
    if not cell.share:
        return drawn
    vectors = embedder.embed([case.input for case in drawn]) if cell.how == "confusable" else None
    dice = random.Random(f"{cell.task} {cell.of} {cell.share} {cell.draw} grid")
    return flipped(drawn, cell.share, vectors, dice)[0]


def figure(cell: Cell, strategy: Strategy, bench: Workbench) -> dict[str, Any]:
    """Share of right answers to held-out cases whose labels are as they were, and of how many examples it was built."""
    benchmark = data(cell.task).benchmark
    drawn = examples(cell, bench.embedder)
    learnt = replace(benchmark.task, folds=cut_folds(grouped(drawn), benchmark.task.kind, 0))
    found = dict(strategy.fit(learnt, bench).answer([Query.of(case.input) for case in benchmark.heldout], Sampling()))
    scores = [learnt.score(case, found[Query.of(case.input).key]) for case in benchmark.heldout]
    return {"figure": sum(scores) / len(scores), "examples": len(drawn)}


def means(rows: Sequence[Mapping[str, Any]], approach: str, task: str) -> dict[tuple[int, float, str], list[float]]:
    """(examples asked for, share of wrong labels, how) -> the figures of the draws."""
    found: dict[tuple[int, float, str], list[float]] = {}
    for row in rows:
        if (row["approach"], row["task"]) == (approach, task):
            found.setdefault((row["of"], row["share"], row["how"]), []).append(row["figure"])
    return found
