"""What a run need not fit: what an order that is fixed beforehand puts after an approach that is proven to meet the target,
what could not be shown to be better than one that reaches it, and everything with a model where no score would be proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.contract import Benchmark, Candidate, Evaluation
from benchmarks.costs.dearer import Price, costs_more
from benchmarks.statistics.confidence import paired_difference, which_tests
from benchmarks.statistics.looks import level_of
from benchmarks.statistics.resampling import figure_above

SPARED = "spared"
"""In the note of a fit: it was left out because of what other approaches reached."""
TOO_FEW = "too few cases"
"""Likewise: it was left out since so few held-out cases could prove nothing of it."""
SHOWN = 0.05
"""Two-sided level at which one approach is shown to be better than another."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is fixed before the run, beside the benchmark."""

    models: Mapping[str, Price] = field(default_factory=dict)
    ceiling: tuple[float, float] | None = None
    """What an approach that is always right would score by labels of which some are wrong, from least to most."""
    ruled_out: Callable[[Evaluation], bool] = lambda measured: False
    """Whether a limit of the task rules out what was measured: it spares nothing then."""


@dataclass(frozen=True, kw_only=True)
class Economy:
    """The gate before each fit."""

    target: float
    level: float
    """One-sided, of the claim about one candidate."""
    stops_with: int | None = None
    """Cases of the largest group where asking may end before the last case (`Benchmark.stops_with`)."""
    hopeless: str = ""
    """Why nothing can be shown to meet the target (`above_the_ceiling`, `out_of_reach`); empty where something can."""
    too_few: bool = False
    """That is for want of cases, so whether something meets is open."""
    terms: Terms = field(default_factory=Terms)

    def may_spare(self, earlier: Candidate, later: Candidate) -> bool:
        """Whether the order that is fixed beforehand puts one of them after the other, so that the first may spare it."""
        return earlier.strategy.family != "recorded" and self._after(_place(later), _place(earlier))

    def spares(self, candidate: Candidate, measured: Iterable[Evaluation]) -> str:
        """Why the candidate is not fitted; empty where it is."""
        if not candidate.model or self.hopeless:
            return self.hopeless if candidate.model else ""
        before = [each for each in measured if self._before(each, candidate) and not self.terms.ruled_out(each)]
        proven = next((each for each in before if self._proven(each)), None)
        if proven is not None:
            return _enough(proven)
        best = max(before, key=lambda each: each.figure, default=None)
        return "" if best is None or self._leaves_room(best) else _no_room(best)

    def _before(self, evaluation: Evaluation, candidate: Candidate) -> bool:
        """Measured, and simpler and no dearer."""
        usable = bool(evaluation.scores) and evaluation.family != "recorded"
        return usable and self._after(_place(candidate), (evaluation.model, evaluation.simplicity))

    def _after(self, later: tuple[str, int], earlier: tuple[str, int]) -> bool:
        """What needs no language model comes before all that does. Else the later one is less simple and its model costs no
        less, or as simple and its model costs more; nothing is said of models whose costs cannot be compared."""
        if not later[0] or not earlier[0]:
            return bool(later[0])
        no_less = later[0] == earlier[0] or costs_more(self.terms.models, later[0], earlier[0])
        return no_less and (earlier[1] < later[1] or (earlier[1] == later[1] and later[0] != earlier[0]))

    def _proven(self, evaluation: Evaluation) -> bool:
        if evaluation.over_rows:
            return figure_above(evaluation.resampled, self.level) >= self.target
        return which_tests(self.stops_with).meets(evaluation.scores, evaluation.groups, self.target) <= self.level

    def _leaves_room(self, best: Evaluation) -> bool:
        """Whether something that is always right would be shown to be better, or something better is still needed."""
        if best.over_rows or best.figure < self.target:
            return True
        perfect = [1.0] * len(best.scores)
        found = paired_difference(perfect, best.scores, best.groups or None, stops_with=self.stops_with)
        return found.p_value <= SHOWN


def _place(candidate: Candidate) -> tuple[str, int]:
    return candidate.model, candidate.strategy.simplicity


def _enough(proven: Evaluation) -> str:
    if not proven.model:
        return (
            f"{proven.candidate} is proven to meet the target without any language model, so nothing with one was fitted "
            "(--economical)"
        )
    return (
        f"{proven.candidate} is proven to meet the target, so nothing was fitted that comes after it in the order that was "
        "fixed before the run (--economical): approaches from simple to involved, each with the same model or a larger or "
        "dearer one. What those would cost a request was not measured"
    )


def _no_room(best: Evaluation) -> str:
    return (
        f"{best.candidate} reaches the target with {100 * best.figure:.3g} % on {len(best.scores):,} held-out cases. Not even an "
        "approach that is always right could be shown to be better on these, so nothing that comes after it in the order that "
        "was fixed before the run was fitted (--economical). More held-out cases would tell"
    )


# ---------------------------------------------------------------- known before the run


_SO = "so nothing with a language model was fitted (--economical)"


def above_the_ceiling(benchmark: Benchmark, ceiling: tuple[float, float] | None) -> str:
    """Why nothing meets the target that is as right as answers allow of which some are wrong (`Terms.ceiling`); empty where
    something may, and for figures over rows."""
    target = benchmark.target
    if ceiling is None or target is None or benchmark.metric.over_rows or target <= ceiling[1]:
        return ""
    given = "labels" if benchmark.task.labels else "answers"
    return (
        f"by {given} of which some are wrong an approach that is always right would score at most {100 * ceiling[1]:.3g} %, and "
        f"the target of {100 * target:.3g} % is above that, {_SO}"
    )


def out_of_reach(benchmark: Benchmark) -> str:
    """Why no fit can be shown to meet the target at this look, not even a single one that is always right; empty where one
    can, and for figures over rows, of which that is not known beforehand."""
    cases, target = benchmark.heldout, benchmark.target
    if target is None or benchmark.metric.over_rows:
        return ""
    perfect = which_tests(benchmark.stops_with).meets([1.0] * len(cases), [case.group for case in cases], target)
    if perfect <= level_of(benchmark.look.number):
        return ""
    goal = f"{100 * target:.3g} %"
    return f"{len(cases):,} held-out cases cannot show that a target of {goal} is met, not even if all are right, {_SO}"
