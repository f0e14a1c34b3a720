"""What twice the examples bring, foretold from fewer and then measured: rungs without a language model on real data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.comparison import Prepared, Wishes, prepare
from benchmarks.checked import CurvePoint
from benchmarks.consistency import PROBE_CASES
from benchmarks.curve import DRAWS, bracket, sampled, sizes
from benchmarks.workbench import bare
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.contract import Case, Query, Sampling, Strategy, Task

HELDOUT = 300
STRATEGIES: tuple[Strategy, ...] = (CopyNearest(), LinearHead())


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One task at one number of examples, with samples of the data."""

    task: str
    examples: int
    samples: int

    def pieces(self) -> Iterator[tuple[str, int, Strategy]]:
        for sample in range(self.samples):
            for strategy in STRATEGIES:
                yield f"{self.task}|{self.examples}|{sample}|{strategy.name}", sample, strategy


PLANS = (
    *(
        Plan(task=task, examples=examples, samples=samples)
        for task in ("banking77", "sms_spam")
        for examples, samples in ((150, 10), (300, 10), (600, 5))
    ),
    Plan(task="support-intents", examples=150, samples=10),
)


def measured(plan: Plan, sample: int, strategy: Strategy) -> Mapping[str, float]:
    """The bracket from curves of up to `plan.examples`, and the figure with twice as many. Raises `BadInput`."""
    wishes = Wishes(examples=2 * plan.examples, heldout=HELDOUT, seed=sample)
    prepared = prepare(plan.task, wishes)
    many = prepared.assembly.benchmark.task
    few = sampled(many, len(many.examples) // 2, DRAWS)
    heldout = prepared.assembly.benchmark.heldout
    asked = heldout[:PROBE_CASES]
    points = [
        CurvePoint(
            examples=size,
            scores=tuple(scores(strategy, prepared, sampled(few, size, draw), asked) for draw in range(DRAWS)),
        )
        for size in sizes(len(few.examples))
    ]
    now = scores(strategy, prepared, few, heldout)
    points.append(CurvePoint(examples=len(few.examples), scores=(now[: len(asked)],)))
    figure = sum(now) / len(now)
    later = scores(strategy, prepared, many, heldout)
    low, high = bracket(points, figure, len(many.examples))
    return {"low": low, "high": high, "now": figure, "later": sum(later) / len(later)}


def scores(strategy: Strategy, prepared: Prepared, task: Task, asked: Sequence[Case]) -> tuple[float, ...]:
    """Fitted on the task's examples, asked these cases."""
    with tempfile.TemporaryDirectory() as folder:
        bench = bare(prepared.models, "", Path(folder))
        found = dict(strategy.fit(task, bench).answer([Query.of(case.input) for case in asked], Sampling()))
    return tuple(task.score(case, found[Query.of(case.input).key]) for case in asked)
