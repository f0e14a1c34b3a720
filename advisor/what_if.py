"""What a page needs to answer "what if the target, the volume or the price were another": statuses and cost terms.

Everything statistical is settled here; whoever reads it adds up costs and takes the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from advisor.amounts import range_of
from advisor.contract import Amount, Costs, Part, Recommendation, Terms, WhatIf
from advisor.economics import costs
from advisor.every_goal import OUT, goals, in_question, states
from advisor.wording import plain_percent, plain_points
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.prices import MachinePrices

STEPS = 100
LETTERS = {State.MEETS: "m", State.MISSES: "x", State.UNDECIDED: "?", State.COMPARED: "?"}


def what_if(
    evaluations: Sequence[Evaluation], benchmark: Benchmark, prices: MachinePrices, told: Recommendation
) -> WhatIf | None:
    """None where costs cannot all be compared, while some candidates are not measured yet, and where a limit on costs decides
    whose best a margin is counted from."""
    if any(status.state is State.OPEN for status in told.statuses):
        return None
    statuses = {status.candidate: status for status in told.statuses}
    known = {each.candidate: each for each in evaluations}
    asked_of = {each.candidate for each in in_question(known, statuses, benchmark)}
    tested = [known[name] for name in statuses if name in asked_of]
    bills = [_bills(each, benchmark, prices) for each in tested]
    units = {bill.monthly.unit if bill.monthly.value is not None else "" for pair in bills for bill in pair}
    limit = benchmark.constraints.cost_per_month if units == {prices.currency} else None
    if len(units) != 1 or "" in units or (limit is not None and benchmark.margin is not None):
        return None
    own = benchmark.target if benchmark.margin is None else benchmark.margin
    asked = sorted({*goals(benchmark, STEPS), *([] if own is None else [own])})
    found = states(known, statuses, benchmark, asked)
    elsewhere = found[asked.index(own)] if own is not None and limit is not None else {}
    if own is not None:  # What was asked before the run keeps the procedure that was fixed for it.
        kept = {name: statuses[name].state for name in asked_of if statuses[name].state not in OUT}
        found[asked.index(own)] = {**found[asked.index(own)], **kept}
    over = {name for name in asked_of if statuses[name].state is State.RULED_OUT}
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
                over=each.candidate in over,
                elsewhere=LETTERS[elsewhere[each.candidate]] if elsewhere else "",
            )
            for each, (free, priced) in zip(tested, bills, strict=True)
        ),
        unit=units.pop(),
        machine_hour=prices.machine_hour,
        volume=benchmark.volume,
        limit=limit,
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
