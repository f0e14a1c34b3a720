"""A verdict with everything that it rests on, from which its reasons and what would change it are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from advisor.ask.triage import Expectation
from advisor.contract import Amount, AtTarget, Costs, Status, VerdictName
from advisor.costs.economics import Ranking, saving
from advisor.decision.beyond import Beyond, beyond_limits
from advisor.goal import Goal
from benchmarks.contract import Benchmark, Evaluation, Procedure, State
from benchmarks.costs.prices import MachinePrices


@dataclass(frozen=True, kw_only=True)
class Before:
    """What was fixed before the run, where something else is asked now."""

    order: tuple[str, ...]
    """In which candidates are tested (`costs.order_of_tests`)."""
    stated: Mapping[str, tuple[float, State]] = field(default_factory=dict)
    """candidate -> the target, and what was shown there by its answers: what follows from that is shown whatever is asked."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A verdict with everything that it rests on."""

    verdict: VerdictName
    safe: str | None
    """The cheapest candidate that meets, also where a cheaper one is undecided."""
    best: str | None
    unsettled: tuple[str, ...]
    procedure: Procedure
    at_targets: tuple[AtTarget, ...]
    evaluations: Mapping[str, Evaluation]
    costs: Mapping[str, Costs]
    statuses: Mapping[str, Status]
    ranking: Ranking
    benchmark: Benchmark
    prices: MachinePrices
    expectation: Expectation

    @property
    def named(self) -> str | None:
        """The candidate that the verdict is about, if any."""
        return self.safe or self.best

    @property
    def goal(self) -> Goal:
        return Goal.of(self.benchmark)

    def having(self, *states: State) -> list[str]:
        """Candidates in one of the states, in order of cost."""
        return [name for name in self.ranking.order if self.statuses[name].state in states]

    def beyond(self, name: str) -> Beyond | None:
        """The best that a limit rules out, where it is better than that one."""
        return beyond_limits(self.evaluations, self.statuses.values(), name)

    def saved(self, dearer: str, cheaper: str) -> Amount | None:
        """What the cheaper one saves a month, where it is clearly cheaper."""
        return saving(self.ranking, dearer, cheaper, self.benchmark.horizon_months)
