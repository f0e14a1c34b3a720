"""What holds of every verdict whatever was measured: bake-offs are drawn at random, and rules are checked on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.contract import Amount, Recommendation
from advisor.costs.economics import costs, rank
from benchmarks.contract import Constraints, Evaluation, Procedure, State
from benchmarks.costs.prices import MachinePrices, TokenPrices, Upkeep
from strategies.contract import Usage
from tests.verdict_cases import FAMILIES, Bakeoff, PlainMetric, benchmark_of, evaluation_of

CASES = 60
MODELS = ("", "small", "priced", "unpriced", "in euros")
TOKENS = {
    "priced": TokenPrices(model="priced", input=1.0, cached=0.1, output=4.0, source="a list"),
    "in euros": TokenPrices(model="in euros", input=2.0, cached=2.0, output=2.0, currency="EUR", source="a list"),
    "unpriced": None,
}
PROCEDURES: tuple[Procedure, ...] = ("cheapest first", "holm", "fixed sequence", "max-t", "finalist")
USABLE = (State.MEETS, State.MISSES, State.UNDECIDED)
quickly = settings(max_examples=25, deadline=None)


@st.composite
def evaluations(draw: st.DrawFn) -> tuple[Evaluation, ...]:
    """One to five candidates of random accuracy, cost and model; now and then one that failed."""
    names = draw(st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=5, unique=True))
    return tuple(_evaluation(draw, name) for name in names)


def _evaluation(draw: st.DrawFn, name: str) -> Evaluation:
    if draw(st.integers(0, 9)) == 0:
        return evaluation_of(name, state=State.INVALID, problem="Too many answers failed.")
    right, shift = draw(st.integers(0, CASES)), draw(st.integers(0, CASES))
    scores = tuple(float((place + shift) % CASES < right) for place in range(CASES))
    return evaluation_of(
        name,
        scores,
        seconds=draw(st.sampled_from([0.001, 0.01, 0.1, 0.11, 1.0])),
        tokens=(draw(st.integers(1, 500)), draw(st.integers(1, 50))),
        model=draw(st.sampled_from(MODELS)),
        fitting=[Usage(model="small", step="training", seconds=draw(st.floats(0, 5000)))],
    )


@st.composite
def prices(draw: st.DrawFn) -> MachinePrices:
    hour = draw(st.sampled_from([None, 0.0, 0.4, 4.0]))
    months = draw(st.sampled_from([None, 1.0, 6.0]))
    upkeep = Upkeep(facts_months=months, task_months=draw(st.sampled_from([None, 3.0])))
    return MachinePrices(machine_hour=hour, tokens=TOKENS, upkeep=upkeep)


@st.composite
def bakeoffs(draw: st.DrawFn) -> Bakeoff:
    limit = draw(st.sampled_from([None, None, 0.5]))
    benchmark = benchmark_of(
        cases=CASES,
        target=draw(st.sampled_from([0.3, 0.6, 0.8, 0.95, 1.0])),
        constraints=Constraints(cost_per_month=limit),
        volume=draw(st.sampled_from([1, 10_000, 1_000_000])),
    )
    procedure: Procedure = draw(st.sampled_from(PROCEDURES))
    return Bakeoff(
        evaluations=draw(evaluations()),
        benchmark=dataclasses.replace(benchmark, procedure=procedure),
        prices=draw(prices()),
    )


def states(told: Recommendation, *wanted: State) -> list[str]:
    return [each.candidate for each in told.statuses if each.state in wanted]


@quickly
@given(bakeoffs())
def test_a_choice_is_proven_and_nothing_that_may_still_meet_would_be_preferred(bakeoff: Bakeoff) -> None:
    told = bakeoff.recommended()
    bills = [costs(each, bakeoff.benchmark, bakeoff.prices) for each in bakeoff.evaluations]
    ranking = rank(bills, bakeoff.evaluations)
    meeting, undecided = states(told, State.MEETS), states(told, State.UNDECIDED)
    assert (told.choice is None) == (told.verdict != "choose")
    if told.safe is None:
        assert not meeting
        return
    assert told.safe in meeting
    assert ranking.first(meeting) == told.safe
    if told.choice is not None:
        assert told.cheaper_undecided == ()
        # Whoever of the undecided turns out to meet, in whatever combination of two, the choice stays.
        for one in undecided:
            for other in undecided:
                assert ranking.first([*meeting, one, other]) == told.choice
        assert all(ranking.comparable(name, told.choice) for name in [*meeting, *undecided] if name != told.choice)


@quickly
@given(bakeoffs())
def test_an_unknown_price_is_never_money(bakeoff: Bakeoff) -> None:
    for evaluation in bakeoff.evaluations:
        bill = costs(evaluation, bakeoff.benchmark, bakeoff.prices)
        amounts = (bill.per_thousand, bill.monthly, bill.ahead)
        if not evaluation.scores:
            assert {each.value for each in amounts} == {None}
        elif evaluation.model == "unpriced":
            assert {each.unit for each in amounts} == {"tokens of unpriced"}


@quickly
@given(bakeoffs(), st.floats(0.05, 1.0), st.floats(0.05, 1.0))
def test_a_higher_target_proves_nothing_new(bakeoff: Bakeoff, one: float, other: float) -> None:
    """Not where who is tested in full depends on the target: a finalist, or the first by cost that may be chosen."""
    procedure = bakeoff.benchmark.procedure
    if procedure in ("finalist", "cheapest first"):
        return
    low, high = (
        dataclasses.replace(bakeoff, benchmark=dataclasses.replace(bakeoff.benchmark, target=each))
        .told()
        .recommendation
        for each in sorted((one, other))
    )
    assert set(states(high, State.MEETS)) <= set(states(low, State.MEETS))
    assert set(states(low, State.MISSES)) <= set(states(high, State.MISSES))


@quickly
@given(bakeoffs())
def test_other_targets_agree_with_each_other(bakeoff: Bakeoff) -> None:
    """In the table of other targets nothing that meets a high target fails to meet a lower one."""
    known = [each for each in bakeoff.recommended().at_targets if each.verdict != "compared"]
    order = ["choose", "safe but cheaper undecided", "undecided", "nothing meets"]
    proven = [each.named is not None for each in known]
    assert proven == sorted(proven, reverse=True)
    gone = [order.index(each.verdict) == 3 for each in known]
    assert gone == sorted(gone)


@quickly
@given(bakeoffs(), st.sampled_from([0.5, 0.9, 3.0]))
def test_the_volume_alone_changes_nothing_where_all_costs_are_by_request(bakeoff: Bakeoff, factor: float) -> None:
    plain = dataclasses.replace(bakeoff.prices, upkeep=Upkeep())
    benchmark = dataclasses.replace(bakeoff.benchmark, constraints=Constraints())
    more = dataclasses.replace(benchmark, volume=max(1, round(benchmark.volume * factor)))
    one, other = (
        dataclasses.replace(bakeoff, benchmark=each, prices=plain).recommended() for each in (benchmark, more)
    )
    assert (one.verdict, one.safe, one.choice) == (other.verdict, other.safe, other.choice)


@quickly
@given(bakeoffs())
def test_a_limit_on_money_rules_out_what_is_surely_dearer_and_nothing_else(bakeoff: Bakeoff) -> None:
    limit = bakeoff.benchmark.constraints.cost_per_month
    usable = [each for each in bakeoff.evaluations if each.scores]
    bills = [costs(each, bakeoff.benchmark, bakeoff.prices) for each in usable]
    dear = {
        bill.candidate
        for bill in bills
        if limit is not None and _surely_above(bill.monthly, limit, bakeoff.prices.currency)
    }
    assert set(states(bakeoff.recommended(), State.RULED_OUT)) == dear


def _surely_above(monthly: Amount, limit: float, currency: str) -> bool:
    return monthly.value is not None and monthly.unit == currency and (monthly.low or 0.0) > limit


@quickly
@given(bakeoffs(), st.integers(0, 2))
def test_the_order_of_the_candidates_decides_nothing(bakeoff: Bakeoff, turn: int) -> None:
    turned = (*bakeoff.evaluations[turn:], *bakeoff.evaluations[:turn])
    one, other = (
        dataclasses.replace(bakeoff, evaluations=each).recommended() for each in (bakeoff.evaluations, turned)
    )
    assert (one.verdict, one.safe, set(one.cheaper_undecided)) == (
        other.verdict,
        other.safe,
        set(other.cheaper_undecided),
    )


@settings(max_examples=6, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), min_size=40, max_size=40), min_size=1, max_size=3),
    st.sampled_from([1, 2, 5]),
    st.floats(0.05, 0.99),
    st.floats(0.05, 0.99),
)
def test_graded_and_grouped_scores_prove_less_of_a_higher_target(
    rows: Sequence[Sequence[float]], together: int, one: float, other: float
) -> None:
    names = sorted(FAMILIES)[: len(rows)]
    groups = [f"g{place // together}" for place in range(40)] if together > 1 else []
    metric = PlainMetric(name="token_f1", graded=True)
    low, high = (_told(names, rows, groups, benchmark_target, metric) for benchmark_target in sorted((one, other)))
    assert set(states(high, State.MEETS)) <= set(states(low, State.MEETS))
    assert set(states(low, State.MISSES)) <= set(states(high, State.MISSES))
    for told, target in ((low, min(one, other)), (high, max(one, other))):
        for status in told.statuses:
            if status.state in USABLE:
                assert status.lower is not None
                assert status.upper is not None
                assert 0 <= status.lower <= status.upper <= 1
                assert (status.state is State.MEETS) == (status.lower >= target)


def _told(
    names: Sequence[str], rows: Sequence[Sequence[float]], groups: Sequence[str], target: float, metric: PlainMetric
) -> Recommendation:
    found = tuple(evaluation_of(name, row, groups=groups) for name, row in zip(names, rows, strict=True))
    benchmark = benchmark_of(cases=40, target=target, metric=metric, groups=groups)
    return Bakeoff(evaluations=found, benchmark=benchmark).recommended()
