"""What a page needs to answer "what if the target, the volume or the price were another": statuses and cost terms.

Everything statistical is settled here; whoever reads it adds up costs and takes the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.amounts import range_of
from advisor.contract import Amount, Costs, Part, Recommendation, Terms, WhatIf
from advisor.economics import costs
from advisor.every_goal import OUT, goals, states
from advisor.wording import plain_percent, plain_points
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.prices import MachinePrices

STEPS = 100
LETTERS = {State.MEETS: "m", State.MISSES: "x", State.UNDECIDED: "?", State.COMPARED: "?"}


def what_if(
    evaluations: Sequence[Evaluation], benchmark: Benchmark, prices: MachinePrices, told: Recommendation
) -> WhatIf | None:
    """None where costs cannot all be compared, where a limit on costs decides which approaches are tested at all, or while some
    are not measured yet."""
    if any(status.state is State.OPEN for status in told.statuses):
        return None
    statuses = {status.candidate: status for status in told.statuses}
    known = {each.candidate: each for each in evaluations}
    tested = [known[name] for name in statuses if statuses[name].state not in OUT]
    bills = [_bills(each, benchmark, prices) for each in tested]
    units = {bill.monthly.unit if bill.monthly.value is not None else "" for pair in bills for bill in pair}
    if len(units) != 1 or "" in units or benchmark.constraints.cost_per_month is not None:
        return None
    own = benchmark.target if benchmark.margin is None else benchmark.margin
    asked = sorted({*goals(benchmark, STEPS), *([] if own is None else [own])})
    found = states(known, statuses, benchmark, asked)
    if own is not None:  # What was asked before the run keeps the procedure that was fixed for it.
        found[asked.index(own)] = {each.candidate: statuses[each.candidate].state for each in tested}
    margin = benchmark.margin is not None
    return WhatIf(
        noun="margin" if margin else "target",
        goals=tuple((plain_points if margin else plain_percent)(goal) for goal in asked),
        own=None if own is None else asked.index(own),
        candidates=tuple(
            Terms(
                name=each.candidate,
                simplicity=each.simplicity,
                states="".join(LETTERS[there[each.candidate]] for there in found),
                fixed=(_fixed(free), _fixed(priced)),
                each=(_each(free), _each(priced)),
                at_least=(_least(free), _least(priced)),
            )
            for each, (free, priced) in zip(tested, bills, strict=True)
        ),
        unit=units.pop(),
        machine_hour=prices.machine_hour,
        volume=benchmark.volume,
    )


def _bills(evaluation: Evaluation, benchmark: Benchmark, prices: MachinePrices) -> tuple[Costs, Costs]:
    """With a machine that costs nothing, and with one at a unit of money an hour; in seconds twice the same."""
    if prices.machine_hour is None:
        bill = costs(evaluation, benchmark, prices)
        return bill, bill
    free, unit = (costs(evaluation, benchmark, replace(prices, machine_hour=price)) for price in (0.0, 1.0))
    return free, unit


def _fixed(bill: Costs) -> Part:
    """What is due every month at any volume."""
    parts = [_part(item.amount) for item in bill.items if item.when == "monthly" and not item.by_request]
    value, low, high = (sum(part[place] for part in parts) for place in range(3))
    return float(value), float(low), float(high)


def _each(bill: Costs) -> Part:
    value, low, high = _part(bill.per_thousand)
    return value / 1000, low / 1000, high / 1000


def _least(bill: Costs) -> float:
    return 0.0 if bill.at_least is None else bill.at_least.value or 0.0


def _part(amount: Amount) -> Part:
    return (amount.value or 0.0, *range_of(amount))
