"""What a run need not fit: nothing with a language model where something without one is proven to meet the target, or where
not even a perfect score on the held-out cases would be proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.contract import Benchmark, Candidate, Evaluation
from benchmarks.looks import level_of
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
    hopeless: str = ""
    """Why nothing can be shown to meet the target (`out_of_reach`); empty where something can."""

    def spares(self, candidate: Candidate, measured: Iterable[Evaluation]) -> str:
        """Why the candidate is not fitted; empty where it is."""
        if not candidate.model or self.hopeless:
            return self.hopeless if candidate.model else ""
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


def out_of_reach(benchmark: Benchmark) -> str:
    """Why no fit can be shown to meet the target at this look, not even a single one that is always right; empty where one
    can, and for figures over rows, of which that is not known beforehand."""
    cases = benchmark.heldout
    if benchmark.target is None or benchmark.metric.over_rows:
        return ""
    perfect = which_tests(benchmark.stops_with).meets(
        [1.0] * len(cases), [case.group for case in cases], benchmark.target
    )
    if perfect <= level_of(benchmark.look.number):
        return ""
    return (
        f"{len(cases):,} held-out cases cannot show that a target of {100 * benchmark.target:.3g} % is met, not even if all are "
        "right, so nothing with a language model was fitted (--economical)"
    )
