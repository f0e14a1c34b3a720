"""Scores stored answers by a metric: that of the task, or another one that is shown beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from benchmarks.contract import Answered, Benchmark, Metric, Row, ScoreFailure
from benchmarks.scored import figure_over, text_score
from benchmarks.storage.outcomes import text_of
from strategies.contract import Case, Outcome, Prediction


def scored(metric: Metric, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> list[Answered]:
    """Each case with its answer and score; what is no answer scores 0. Raises `ScoreFailure` where the metric fails."""
    return [
        Answered(
            case=case,
            text=text_of(outcome),
            score=text_score(metric, case, outcome.text) if isinstance(outcome, Prediction) else 0.0,
        )
        for case, outcome in zip(cases, outcomes, strict=True)
    ]


def shown_figures(benchmark: Benchmark, cases: Sequence[Case], rows: Sequence[Row]) -> dict[str, float]:
    """The other metrics over the same stored answers, by name; without one that fails, as by a schema whose pattern takes too
    long."""
    found, outcomes = dict[str, float](), [row.outcome for row in rows]
    for metric in benchmark.shown_metrics:
        with suppress(ScoreFailure):
            found[metric.name] = figure_over(metric, scored(metric, cases, outcomes))
    return found
