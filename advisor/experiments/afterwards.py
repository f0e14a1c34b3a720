"""The answer at other prices or another volume than were fixed before the run, and which part of it is exploratory for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from advisor.contract import Costs, Recommendation
from advisor.costs.economics import costs, over_limit
from advisor.costs.order_of_tests import order_of_tests
from advisor.decision.bounds import without_walk
from advisor.decision.decide import decide, unusable
from advisor.decision.decided import Before
from advisor.decision.every_goal import by_answers_alone
from advisor.decision.limits import breaks_another_limit
from advisor.material import Changed
from advisor.story.recommended import recommend
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.costs.prices import MachinePrices


@dataclass(frozen=True, kw_only=True)
class VerdictInputs:
    """What a verdict rests on beside what was measured: a benchmark, and the prices of everything."""

    benchmark: Benchmark
    prices: MachinePrices

    def bills(self, evaluations: Sequence[Evaluation]) -> tuple[Costs, ...]:
        return tuple(costs(each, self.benchmark, self.prices) for each in evaluations)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict with the bills that it rests on, and the benchmark with what turned out to be exploratory."""

    benchmark: Benchmark
    costs: tuple[Costs, ...]
    recommendation: Recommendation
    changed: Changed


def judged(evaluations: Sequence[Evaluation], now: VerdictInputs, fixed: VerdictInputs | None = None) -> Judged:
    """The verdict now. `fixed` is what was asked before the run, where that was something else.

    Who is tested first was fixed then, so what is shown stays as it was, whatever things cost. Only where the limit on costs
    rules out others than it did were those who take part in the tests chosen afterwards: bounds hold for every target at
    once then, over all that costs may bring in.
    """
    benchmark, bills = now.benchmark, now.bills(evaluations)
    if fixed is None:
        told = recommend(evaluations, bills, benchmark, now.prices)
        return Judged(
            benchmark=benchmark, costs=bills, recommendation=told, changed=Changed(goal=benchmark.exploratory)
        )
    before = fixed.bills(evaluations)
    tested = [
        each for each in evaluations if not unusable(each, benchmark) and not breaks_another_limit(each, benchmark)
    ]
    moved = _over(tested, before, fixed) != _over(tested, bills, now)
    changed = Changed(goal=benchmark.exploratory, costs=_what_differs(fixed, now), limit=moved)
    exploratory = benchmark.judges and (benchmark.exploratory or moved)
    procedure = without_walk(fixed.benchmark, benchmark.target)
    benchmark = replace(benchmark, procedure=procedure, exploratory=exploratory)
    told = recommend(evaluations, bills, benchmark, now.prices, _fixed(evaluations, before, fixed, exploratory))
    return Judged(benchmark=benchmark, costs=bills, recommendation=told, changed=changed)


def _fixed(
    evaluations: Sequence[Evaluation], bills: Sequence[Costs], inputs: VerdictInputs, exploratory: bool
) -> Before:
    order, target = order_of_tests(bills, evaluations), inputs.benchmark.target
    if not exploratory or target is None:
        return Before(order=order)
    statuses = decide(evaluations, bills, inputs.benchmark, inputs.prices).statuses
    return Before(order=order, stated={name: (target, by_answers_alone(each)) for name, each in statuses.items()})


def _over(tested: Sequence[Evaluation], bills: Sequence[Costs], inputs: VerdictInputs) -> set[str]:
    """Those that cost more than the limit beyond doubt."""
    names, limit = {each.candidate for each in tested}, inputs.benchmark.constraints.cost_per_month
    return {
        bill.candidate for bill in bills if bill.candidate in names and over_limit(bill, limit, inputs.prices.currency)
    }


def _what_differs(fixed: VerdictInputs, now: VerdictInputs) -> tuple[str, ...]:
    one, other = fixed.benchmark, now.benchmark
    differ = {
        "the volume": one.volume != other.volume,
        "the number of months": one.horizon_months != other.horizon_months,
        "the prices": fixed.prices != now.prices,
    }
    return tuple(name for name, changed in differ.items() if changed)
