"""What twice the examples bring, foretold from fewer and then measured: rungs without a language model on real data.

What is kept are the scores of single cases, so that a bracket drawn by another rule needs no further fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from advisor.experiments.comparison import Prepared, Wishes, prepare
from benchmarks.learning import CurvePoint
from benchmarks.probes.curve import DRAWS, bracket, sampled, sizes
from benchmarks.studies.decisions.light import read as scores
from benchmarks.studies.decisions.light import scores_of, written
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.contract import Strategy

HELDOUT = 300
STRATEGIES: tuple[Strategy, ...] = (CopyNearest(), LinearHead())
JUDGED, TRIED = range(10), range(10, 15)
"""Samples of the data on which the rule is judged, and others on which it was made."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One task at one number of examples, with samples of the data."""

    task: str
    examples: int
    samples: Sequence[int]

    def pieces(self) -> Iterator[tuple[str, int, Strategy]]:
        for sample in self.samples:
            for strategy in STRATEGIES:
                yield f"{self.task}|{self.examples}|{sample}|{strategy.name}", sample, strategy


PLANS = (
    *(
        Plan(task=task, examples=examples, samples=(*samples, *TRIED))
        for task in ("banking77", "sms_spam")
        for examples, samples in ((150, JUDGED), (300, JUDGED), (600, JUDGED[:5]))
    ),
    Plan(task="support-intents", examples=150, samples=(*JUDGED, *TRIED)),
)


def measured(plan: Plan, sample: int, strategy: Strategy) -> Mapping[str, Any]:
    """The scores with up to `plan.examples` and with twice as many, on the same cases. Raises `BadInput`."""
    prepared = _prepared(plan.task, 2 * plan.examples, sample)
    many = prepared.assembly.benchmark.task
    few = sampled(many, len(many.examples) // 2, DRAWS)
    heldout = prepared.assembly.benchmark.heldout
    found = {
        size: [scores_of(strategy, prepared.models, sampled(few, size, draw), heldout) for draw in range(DRAWS)]
        for size in sizes(len(few.examples))
    }
    found |= {len(task.examples): [scores_of(strategy, prepared.models, task, heldout)] for task in (few, many)}
    return {
        "task": plan.task,
        "examples": plan.examples,
        "sample": sample,
        "cases": len(heldout),
        "right": [[size, *map(written, rows)] for size, rows in found.items()],
    }


@lru_cache(maxsize=1)
def _prepared(task: str, examples: int, sample: int) -> Prepared:
    return prepare(task, Wishes(examples=examples, heldout=HELDOUT, seed=sample))


def read(row: Mapping[str, Any]) -> list[CurvePoint]:
    """The points of a piece, the last with twice the examples."""

    points = [(size, [tuple(scores(text, row["cases"]).tolist()) for text in rows]) for size, *rows in row["right"]]
    return [CurvePoint(examples=size, scores=tuple(lines)) for size, lines in points]


def foretold(row: Mapping[str, Any], asked: int = HELDOUT) -> Mapping[str, float]:
    """The bracket for twice the examples, from a curve over so many of the cases and the figure over all of them; and what
    came. A run asks them all where no language model answers."""
    *points, twice = read(row)
    now, later = (float(np.mean(point.scores)) for point in (points[-1], twice))
    known = [
        CurvePoint(examples=point.examples, scores=tuple(line[:asked] for line in point.scores)) for point in points
    ]
    low, high = bracket(known, now, twice.examples)
    return {"low": low, "high": high, "now": now, "later": later}
