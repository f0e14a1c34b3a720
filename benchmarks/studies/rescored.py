"""Counts a task of a study by another metric than its own."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.data.assemble import Assembly
from benchmarks.metrics import load
from benchmarks.scored import MetricScore


def scored_by(metric: str, assembly: Assembly) -> Assembly:
    """The same cases; approaches choose by it too, and it is what counts."""
    benchmark = assembly.benchmark
    found = load(metric, kind=benchmark.task.kind)
    task = replace(benchmark.task, score=MetricScore(metric=found))
    return replace(assembly, benchmark=replace(benchmark, task=task, metric=found))
