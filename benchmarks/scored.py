"""Asks a metric for a score or a figure, and says which metric it was where that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from benchmarks.contract import Answered, BadInput, Metric, ScoreFailure
from strategies.catalog import package_behind
from strategies.contract import Case, Outcome, Prediction


@dataclass(frozen=True, kw_only=True)
class MetricScore:
    """The score of an outcome by one metric: abstentions and failures are not right. Raises `ScoreFailure`."""

    metric: Metric

    def __call__(self, case: Case, outcome: Outcome) -> float:
        return text_score(self.metric, case, outcome.text) if isinstance(outcome, Prediction) else 0.0

    @property
    def over_rows(self) -> RowsFigure | None:
        """The metric, where its figure is one over rows of labels that counts of these give."""
        return RowsFigure(metric=self.metric) if self.metric.over_rows and hasattr(self.metric, "by_counts") else None


@dataclass(frozen=True, kw_only=True)
class RowsFigure:
    """A metric over rows as approaches choose by it (`strategies.contract.OverRows`)."""

    metric: Any

    @property
    def label(self) -> str:
        return str(getattr(self.metric, "label", ""))

    def figures(self, answers: Sequence[tuple[Case, str]], counts: Any) -> Any:
        """Array (draws,) of figures, from how often each of the answers counts: (draws, answers)."""
        scored = ((case, text, text_score(self.metric, case, text) if text else 0.0) for case, text in answers)
        rows = [Answered(case=case, text=text, score=score) for case, text, score in scored]
        return self.metric.by_counts(rows)(counts)


def text_score(metric: Metric, case: Case, text: str) -> float:
    """The metric's score of an answer's text, in [0, 1]. Raises `ScoreFailure` where it raises, or gives anything else."""
    try:
        score = metric.score(case, text)
    except ScoreFailure:
        raise
    except Exception as error:
        raise ScoreFailure(f"{_named(metric)} raised {type(error).__name__} on case {case.id}: {error}") from error
    if not isinstance(score, Real) or not 0 <= float(score) <= 1:
        raise ScoreFailure(f"{_named(metric)} gave {score!r} for case {case.id}, and a score is a number in [0, 1]")
    return float(score)


def figure_over(metric: Metric, rows: Sequence[Answered]) -> float:
    """The metric's figure over rows. Raises `ScoreFailure` where the metric raises, or gives no number."""
    try:
        return float(metric.summarise(rows))
    except BadInput:
        raise
    except Exception as error:
        raise ScoreFailure(
            f"{_named(metric)} raised {type(error).__name__} over {len(rows)} answers: {error}"
        ) from error


def _named(metric: Metric) -> str:
    package = package_behind(type(metric).__module__)
    return f"The metric {metric.name}{f' of the package {package}' if package else ''}"
