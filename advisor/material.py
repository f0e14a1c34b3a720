"""Everything that a story is made from: the decision with what it rests on, and what the run says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.contract import Costs, Recommendation, ShownCases, Status
from advisor.costs.economics import Ranking
from advisor.panel import WhatIf
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.costs.prices import MachinePrices
from benchmarks.data.population import Apart
from benchmarks.evaluation.judging import Judge
from benchmarks.evaluation.mistakes import Mistakes
from benchmarks.evaluation.taken import Taken
from benchmarks.statistics.grouping import binomial_counts, group_codes
from strategies.contract import Trial


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What was changed when the figures were known."""

    goal: bool = False
    """The target or margin."""
    costs: tuple[str, ...] = ()
    """What costs are reckoned by, in words: `the volume`, `the prices`."""
    limit: bool = False
    """By these the limit on costs rules out others than before."""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a story tells besides measurements: where and how they were made, and cases to look at."""

    provenance: Mapping[str, str] = field(default_factory=dict)
    """Versions, hashes, dtype and the like, one value a key, shown as they are."""
    machine: str = ""
    """What it ran on, as a clause: `2 cores, bfloat16`."""
    heldout_from: str = ""
    """Where the held-out cases come from, as a clause: `a file of their own`."""
    seed: int = 0
    described: Mapping[str, str] = field(default_factory=dict)
    """What each approach does, by its name (`strategies.catalog.described`)."""
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)
    """candidate -> every configuration that its fit tried."""
    cases: ShownCases | None = None
    predicted_order: tuple[str, ...] = ()
    """Candidates, best first, as predicted and written down before the first run."""
    predicted_outcome: str = ""
    predicted_target: float | None = None
    """For which the outcome was predicted."""
    predicted_why: str = ""
    """The reason that was given for it."""
    population: Apart | None = None
    """How well real requests are told from the held-out cases, where there is a sample of them."""
    alike: Mapping[str, Apart] = field(default_factory=dict)
    """The same of examples and held-out cases, and of older and newer ones, by the keys of `benchmarks.data.population`."""
    mistakes: Mistakes | None = None
    """Of the candidate that the story is about, on the selection cases."""
    all_mistakes: Mapping[str, Mistakes] = field(default_factory=dict)
    """The same of every candidate with selection answers."""
    what_if: WhatIf | None = None
    taken: Taken = field(default_factory=Taken)
    """What the seconds of the run went into."""
    left_out: str = ""
    """Which check was not made for want of time, as a clause."""
    prices: MachinePrices | None = None
    """What the run's machine and models cost, as far as it is known."""
    label_price: tuple[float, str] | None = None
    """What the label of one example costs, and the currency, where the task says so."""
    endings: Mapping[str, str] = field(default_factory=dict)
    """Models on servers that stop to answer on a day that was announced, with a clause on when."""
    list_prices: Mapping[str, str] = field(default_factory=dict)
    """Models whose list price is another one before the horizon is over, with a sentence that has both."""
    changed: Changed = Changed()
    judge: Judge | None = None
    """What a judge of the person's own said of the answers; None where none was asked."""
    recorded: bool = False
    """The story of a stored example run."""
    by_name: bool = False
    """Of a bundled task or public dataset: nobody writes down who looked at its held-out cases."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything a story is made from, looked up by candidate; `order` is that of the statuses, cheapest first."""

    recommendation: Recommendation
    evaluations: Mapping[str, Evaluation]
    costs: Mapping[str, Costs]
    benchmark: Benchmark
    extras: Extras
    ranking: Ranking

    @property
    def statuses(self) -> Sequence[Status]:
        return self.recommendation.statuses

    @property
    def suitable(self) -> Sequence[Status]:
        """Statuses of the approaches that have something to offer for the task."""
        return [status for status in self.statuses if status.state != State.SKIPPED]

    @property
    def named(self) -> str | None:
        """The candidate that the story is about: the choice, else the safe one, else the best."""
        told = self.recommendation
        return told.choice or told.safe or told.best

    def meets(self, name: str) -> bool:
        return any(each.candidate == name and each.state is State.MEETS for each in self.statuses)

    @property
    def groups(self) -> tuple[int, int]:
        """How many groups hold more than one held-out case, and how many cases they hold."""
        sizes = Counter(case.group for case in self.benchmark.heldout if case.group)
        several = [size for size in sizes.values() if size > 1]
        return len(several), sum(several)

    @property
    def selection_score(self) -> str:
        """What a selection score is called: of right-or-wrong answers it is no figure of a metric over rows."""
        metric = self.benchmark.metric
        return "right on selection cases" if metric.over_rows and not metric.graded else "selection score"

    @property
    def by_metric(self) -> bool:
        """Whether configurations were compared by a metric over rows; of runs of earlier versions nobody can say."""
        return any(trial.mark is not None for trials in self.extras.trials.values() for trial in trials)

    @property
    def compared_by(self) -> str:
        """What the score is called by which configurations were compared."""
        return "selection score" if self.by_metric else self.selection_score

    @property
    def right_or_wrong(self) -> bool:
        """True where every score is 0 or 1 and every case stands alone, so that exact methods apply."""
        scores = {score for evaluation in self.evaluations.values() for score in evaluation.scores}
        return scores <= {0.0, 1.0} and self.groups == (0, 0)

    @property
    def exact_among_graded(self) -> int:
        """How many have no score but 0 and 1 although others have, where every case stands alone: the exact methods apply to
        these there."""
        if self.right_or_wrong or self.groups != (0, 0):
            return 0
        return sum(bool(each.scores) and set(each.scores) <= {0.0, 1.0} for each in self.evaluations.values())

    @property
    def effective(self) -> bool:
        """True where right-or-wrong scores of cases in groups are bounded as so many independent cases as they are worth."""
        groups = [case.group for case in self.benchmark.heldout]
        measured = [np.array(each.scores) for each in self.evaluations.values() if len(each.scores) == len(groups)]
        codes = group_codes(groups, len(groups))
        return self.groups != (0, 0) and all(binomial_counts(scores, codes) is not None for scores in measured)
