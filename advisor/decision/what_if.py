"""What a page needs to answer "what if the target, the volume or the price were another": statuses and cost terms.

Everything statistical is settled here; whoever reads it adds up costs and takes the least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from advisor.contract import Amount, Costs, Recommendation, Status
from advisor.costs.amounts import range_of
from advisor.costs.economics import costs
from advisor.decision.every_goal import OUT, goals, in_question, states
from advisor.panel import AskedPrice, Part, Terms, WhatIf
from advisor.wording import plain_percent, plain_points
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.costs.prices import MachinePrices, TokenPrices

STEPS = 100
Kind = Literal["input", "cached", "output"]
KINDS: Mapping[Kind, str] = {"input": "prompt tokens", "cached": "cached prompt tokens", "output": "answer tokens"}
LETTERS = {State.MEETS: "m", State.MISSES: "x", State.UNDECIDED: "?", State.COMPARED: "?"}


def what_if(
    evaluations: Sequence[Evaluation], benchmark: Benchmark, prices: MachinePrices, told: Recommendation
) -> WhatIf | None:
    """None where costs cannot all be compared, while some candidates are not measured yet or were not tried, and where a limit
    on costs decides whose best a margin is counted from."""
    if any(status.state is State.OPEN or status.too_few for status in told.statuses):
        return None
    statuses = {status.candidate: status for status in told.statuses}
    known = {each.candidate: each for each in evaluations}
    asked_of = {each.candidate for each in in_question(known, statuses, benchmark)}
    tested = [known[name] for name in statuses if name in asked_of]
    changeable = _changeable(tested, benchmark, prices)
    bills = [_bills(each, benchmark, prices, changeable) for each in tested]
    unit = _one_unit(bills)
    limit = benchmark.constraints.cost_per_month if unit == prices.currency else None
    if not unit or (limit is not None and benchmark.margin is not None):
        return None
    own = benchmark.target if benchmark.margin is None else benchmark.margin
    asked = sorted({*goals(benchmark, STEPS), *([] if own is None else [own])})
    place = None if own is None else asked.index(own)
    anew = states(known, statuses, benchmark, asked)
    found = anew if place is None else _as_told(anew, place, statuses)
    margin = benchmark.margin is not None
    return WhatIf(
        noun="margin" if margin else "target",
        goals=tuple((plain_points if margin else plain_percent)(goal) for goal in asked),
        own=place,
        candidates=tuple(
            _terms(each, bill, "".join(LETTERS[there[each.candidate]] for there in found))
            for each, bill in zip(tested, bills, strict=True)
        ),
        unit=unit,
        machine_hour=prices.machine_hour,
        volume=benchmark.volume,
        prices=tuple(AskedPrice(label=f"{KINDS[kind]} of {model}", value=value) for model, kind, value in changeable),
        limit=limit,
    )


def _one_unit(bills: Sequence[Sequence[Costs]]) -> str:
    """The unit of all monthly costs; empty where one is not known or they differ."""
    units = {bill.monthly.unit if bill.monthly.value is not None else "" for row in bills for bill in row}
    return units.pop() if len(units) == 1 else ""


def _as_told(
    found: Sequence[Mapping[str, State]], place: int, statuses: Mapping[str, Status]
) -> list[Mapping[str, State]]:
    """The states with the told ones at the stated goal: what was asked before the run keeps the procedure fixed for it."""
    kept = {name: statuses[name].state for name in found[place] if statuses[name].state not in OUT}
    return [*found[:place], {**found[place], **kept}, *found[place + 1 :]]


def _terms(evaluation: Evaluation, bills: Sequence[Costs], letters: str) -> Terms:
    """What its bills (see `_bills`) say a month and a request cost, beside the letters of its states."""
    free, priced, *others = bills
    return Terms(
        name=evaluation.candidate,
        simplicity=evaluation.simplicity,
        states=letters,
        fixed=(_fixed(free), _fixed(priced)),
        each=(_each(free), _each(priced)),
        at_least=(_least(free), _least(priced)),
        beside=(_beside(free), _beside(priced)),
        tokens=tuple((_less(_fixed(bill), _fixed(free)), _less(_each(bill), _each(free))) for bill in others),
    )


def _changeable(
    evaluations: Sequence[Evaluation], benchmark: Benchmark, prices: MachinePrices
) -> list[tuple[str, Kind, float]]:
    """(model, kind of tokens, price of a million) of the models that answered and are paid by their tokens; without those of
    which a long prompt was charged another price, and kinds of which none were counted."""
    found: list[tuple[str, Kind, float]] = []
    for model in dict.fromkeys(model for each in evaluations for model in each.models):
        stated, mine = prices.tokens.get(model), [each for each in evaluations if model in each.models]
        if stated is None or any(_long(each, benchmark, prices, stated) for each in mine):
            continue
        cached = any(each.answering is not None and each.answering.cached_tokens for each in mine)
        kinds: tuple[Kind, ...] = ("input", "cached", "output") if cached else ("input", "output")
        found += [(model, kind, getattr(stated, kind)) for kind in kinds]
    return found


def _long(evaluation: Evaluation, benchmark: Benchmark, prices: MachinePrices, stated: TokenPrices) -> bool:
    """Whether some of its prompts are charged as long ones are."""
    plain = replace(prices, tokens={**prices.tokens, stated.model: replace(stated, tiers=())})
    return (
        bool(stated.tiers)
        and costs(evaluation, benchmark, plain).monthly != costs(evaluation, benchmark, prices).monthly
    )


def _bills(
    evaluation: Evaluation, benchmark: Benchmark, prices: MachinePrices, changeable: Sequence[tuple[str, Kind, float]]
) -> list[Costs]:
    """With a machine and tokens that cost nothing; with a machine at a unit of money an hour, in seconds the same again; and
    with each of the prices that can be changed at one."""
    models = {model for model, _, _ in changeable}
    none = {
        model: replace(price, input=0.0, cached=0.0, output=0.0, tiers=()) if price and model in models else price
        for model, price in prices.tokens.items()
    }
    free = replace(prices, tokens=none, machine_hour=None if prices.machine_hour is None else 0.0)
    asked = [free, free if prices.machine_hour is None else replace(free, machine_hour=1.0)]
    for model, kind, _ in changeable:
        if (price := none[model]) is not None:
            one = {
                "input": replace(price, input=1.0),
                "cached": replace(price, cached=1.0),
                "output": replace(price, output=1.0),
            }
            asked.append(replace(free, tokens={**none, model: one[kind]}))
    return [costs(evaluation, benchmark, each) for each in asked]


def _less(one: Part, other: Part) -> Part:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _fixed(bill: Costs) -> Part:
    """What is due every month at any volume."""
    parts = [_part(item.amount) for item in bill.items if item.when == "monthly" and not item.by_request]
    value, low, high = (sum(part[place] for part in parts) for place in range(3))
    return float(value), float(low), float(high)


def _each(bill: Costs) -> Part:
    value, low, high = _part(bill.per_thousand)
    return value / 1000, low / 1000, high / 1000


def _beside(bill: Costs) -> Part:
    value, low, high = (0.0, 0.0, 0.0) if bill.beside is None else _part(bill.beside)
    return value / 1000, low / 1000, high / 1000


def _least(bill: Costs) -> float:
    return 0.0 if bill.at_least is None else bill.at_least.value or 0.0


def _part(amount: Amount) -> Part:
    return (amount.value or 0.0, *range_of(amount))
