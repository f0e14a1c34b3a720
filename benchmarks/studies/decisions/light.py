"""Pools of the public tasks that have no whole bake-off: approaches without a language model, over all held-out cases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from advisor.experiments.found import find
from benchmarks.contract import Benchmark
from benchmarks.data.assemble import Limits, Loaded, assemble
from benchmarks.running.models import Models
from benchmarks.running.workbench import bare
from benchmarks.specs.spec import MetricSpec
from benchmarks.statistics.grouping import Floats, group_codes
from benchmarks.studies.decisions.pools import Pool, members
from benchmarks.studies.floors.goals import TASKS as PUBLIC
from benchmarks.studies.settings import SETTINGS
from strategies.catalog import approaches
from strategies.contract import Case, Query, Sampling, Strategy, Task

TASKS = tuple(task for task in PUBLIC if task not in {each.task for each in SETTINGS})
EXAMPLES = 600
METRICS = {"sms_spam": "accuracy"}
"""In place of the task's own, which exists only over rows."""
NAME = "{} without a model"


def measured(task: str) -> Mapping[str, Any]:
    """Scores of what suits the task, the simplest first, which is the cheapest here. Raises `BadInput`."""
    spec = find(task).spec
    benchmark = benchmark_of(task)
    models = Models(spec.models, embedder_spec=spec.embedder)
    found = {each.name: scores_of(each, models, benchmark.task, benchmark.heldout) for each in suitable(benchmark)}
    return {
        "task": task,
        "cases": len(benchmark.heldout),
        "groups": group_codes([case.group for case in benchmark.heldout], len(benchmark.heldout)).tolist(),
        "scores": {name: written(scores) for name, scores in found.items()},
    }


def benchmark_of(task: str) -> Benchmark:
    found = find(task)
    whole = found.assembled(Limits(examples=EXAMPLES)).benchmark
    if task not in METRICS:
        return whole
    spec = found.spec.model_copy(update={"metric": MetricSpec(name=METRICS[task])})
    data = Loaded(examples=whole.task.examples, heldout=whole.heldout, documents=whole.task.documents)
    return assemble(spec, data=data).benchmark


def suitable(benchmark: Benchmark) -> list[Strategy]:
    known = [each for each in approaches() if not each.needs and each.family != "recorded"]
    return sorted((each for each in known if not each.unsuitable(benchmark.task)), key=lambda each: each.simplicity)


def scores_of(strategy: Strategy, models: Models, task: Task, asked: Sequence[Case]) -> list[float]:
    """Fitted on the task's examples, asked these cases."""
    with tempfile.TemporaryDirectory() as folder:
        bench = bare(models, "", Path(folder))
        found = dict(strategy.fit(task, bench).answer([Query.of(case.input) for case in asked], Sampling()))
    return [task.score(case, found[Query.of(case.input).key]) for case in asked]


def written(scores: Sequence[float]) -> str | list[float]:
    """Right or wrong as four cases a letter; graded scores as numbers."""
    if all(score in (0, 1) for score in scores):
        return np.packbits(np.array(scores, dtype=np.bool_)).tobytes().hex()
    return [round(score, 4) for score in scores]


def read(text: str | Sequence[float], cases: int) -> Floats:
    if not isinstance(text, str):
        return np.array(text, dtype=np.float64)
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8), count=cases).astype(np.float64)


def pools(rows: Sequence[Mapping[str, Any]]) -> Iterator[Pool]:
    """Those that were measured, of tasks that still have no bake-off."""
    for row in rows:
        if row["part"] == "pool" and row["task"] in TASKS:
            scores = np.array([read(text, row["cases"]) for text in row["scores"].values()])
            yield Pool(
                name=NAME.format(row["task"]),
                candidates=tuple(row["scores"]),
                scores=scores,
                truth=scores.mean(1),
                groups=members(np.array(row["groups"], dtype=np.intp)),
            )
