"""What a run need not fit: where an approach without a language model is proven to meet the target, nothing with one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.contract import Candidate, Evaluation
from benchmarks.resampling import figure_above
from benchmarks.statistics import which_tests


@dataclass(frozen=True, kw_only=True)
class Economy:
    """The gate before each fit. An approach without a language model answers in milliseconds, so none with one is cheaper."""

    target: float
    level: float
    """One-sided, of the claim about one candidate."""
    stops_with: int | None = None
    """Cases of the largest group where asking may end before the last case (`Benchmark.stops_with`)."""

    def spares(self, candidate: Candidate, measured: Iterable[Evaluation]) -> str:
        """Why the candidate is not fitted; empty where it is."""
        if not candidate.model:
            return ""
        proven = next((each.candidate for each in measured if self._proven(each)), None)
        if proven is None:
            return ""
        return f"{proven} is proven to meet the target without any language model, so nothing with one was fitted (--economical)"

    def _proven(self, evaluation: Evaluation) -> bool:
        ours = not evaluation.model and evaluation.family != "recorded"
        if not ours or not evaluation.scores:
            return False
        if evaluation.over_rows:
            return figure_above(evaluation.resampled, self.level) >= self.target
        return which_tests(self.stops_with).meets(evaluation.scores, evaluation.groups, self.target) <= self.level
