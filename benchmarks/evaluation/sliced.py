"""What each part of the held-out cases gives, such as those of one language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from benchmarks.contract import Answered, Benchmark
from benchmarks.scored import figure_over
from benchmarks.statistics.confidence import resampled_metric
from benchmarks.statistics.looks import ALPHA
from benchmarks.statistics.resampling import draws_for


def by_slice(benchmark: Benchmark, answered: Sequence[Answered]) -> dict[str, dict[str, tuple[float, int]]]:
    """Slice -> value -> (figure of the metric, cases)."""
    return {
        name: {value: (figure_over(benchmark.metric, part), len(part)) for value, part in parts.items()}
        for name, parts in _parts(benchmark, answered).items()
    }


def slice_upper(benchmark: Benchmark, answered: Sequence[Answered]) -> dict[str, dict[str, float]]:
    """By a bootstrap of each part, of a metric over rows with a limit on the parts; see `Evaluation.slice_upper`."""
    if not benchmark.metric.over_rows or benchmark.constraints.slice_at_least is None:
        return {}
    found = _parts(benchmark, answered)
    level = ALPHA / max(1, sum(map(len, found.values())))
    return {
        name: {
            value: resampled_metric(benchmark.metric, part, draws_for(level)).upper(level)
            for value, part in parts.items()
        }
        for name, parts in found.items()
    }


def _parts(benchmark: Benchmark, answered: Sequence[Answered]) -> dict[str, dict[str, list[Answered]]]:
    found = {}
    for name in benchmark.slices:
        parts: dict[str, list[Answered]] = defaultdict(list)
        for row in answered:
            parts[row.case.slices.get(name, "")].append(row)
        found[name] = dict(sorted(parts.items()))
    return found
