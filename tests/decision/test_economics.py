"""What candidates cost, and which of two costs is the lower: money, seconds, unknown, ties."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from advisor.contract import Amount, Costs, Verdict
from advisor.costs.a_request import ANSWER_TOKEN, CACHED_TOKEN, NOISE
from advisor.costs.amounts import clearly_more
from advisor.costs.breakeven import Line
from advisor.costs.economics import (
    Ranking,
    costs,
    in_money,
    over_limit,
    rank,
    saving,
)
from advisor.costs.order_of_tests import order_of_tests
from benchmarks.contract import BadInput, Evaluation, PartOf
from benchmarks.costs.prices import MachinePrices, Tier, TokenPrices, Upkeep, machine_prices, token_prices
from benchmarks.evaluation.evaluate import requests
from benchmarks.specs.spec import parse_spec
from strategies.contract import Usage
from strategies.search import add
from tests.verdict_cases import FAMILIES, Bakeoff, benchmark_of, evaluation_of, scores_of

DAY = date(2026, 11, 25)
BENCH = benchmark_of(cases=100, volume=20_000)
PRICE = TokenPrices(model="big-one", input=2.0, cached=0.2, output=8.0, source="price stated for this task")
TIERED = dataclasses.replace(PRICE, tiers=(Tier(above=300, input=4.0, cached=0.4, output=12.0),))


def local(name: str = "lora", seconds: float = 0.1, fitting: tuple[Usage, ...] = ()) -> Evaluation:
    return evaluation_of(name, scores_of(90, 100), seconds=seconds, model="smollm2-135m", fitting=fitting)


def hosted(**usage: int) -> Evaluation:
    answering = Usage(model="big-one", step="answering", calls=100, seconds=50.0, **usage)
    return dataclasses.replace(evaluation_of("prompting", scores_of(90, 100), model="big-one"), answering=answering)


def ranking_of(ahead: dict[str, tuple[float | None, str, float]]) -> Ranking:
    """name -> (value, unit, share of noise), under names of known simplicity."""
    bills = []
    for name, (value, unit, noise) in ahead.items():
        low, high = (None, None) if value is None else (value * (1 - noise), value * (1 + noise))
        amount = Amount(value=value, unit=unit, low=low, high=high)
        bills.append(Costs(candidate=name, items=(), spent=amount, per_thousand=amount, monthly=amount, ahead=amount))
    return rank(bills, [evaluation_of(name, scores_of(9, 10)) for name in ahead])


# ---------------------------------------------------------------- prices


def test_a_known_model_has_list_prices_with_source_and_day() -> None:
    found = token_prices("gpt-4o-mini", "https://api.openai.com/v1", DAY)
    assert found is not None
    assert 0 < found.cached < found.input < found.output
    assert found.currency == "USD"
    assert "genai-prices" in found.source
    assert "2026-11-25" in found.source


def test_a_model_that_no_table_knows_has_no_price() -> None:
    assert token_prices("a-model-of-our-own", on=DAY) is None


def test_a_well_known_model_on_an_own_server_does_not_get_the_price_of_a_provider() -> None:
    assert token_prices("gpt-4o-mini", on=DAY) is not None
    assert token_prices("gpt-4o-mini", "http://models.example.org/v1", DAY) is None


def test_a_request_is_charged_as_the_table_does_it_on_both_sides_of_a_tier() -> None:
    from genai_prices import Usage as Spent
    from genai_prices import calc_price

    for model in ("gemini-2.5-pro", "claude-sonnet-4-5", "gpt-5.4"):
        found = token_prices(model, on=DAY)
        assert found is not None
        (tier,) = found.tiers
        for prompt in (1000, tier.above, tier.above + 1, 3 * tier.above):
            spent = Spent(input_tokens=prompt, cache_read_tokens=prompt // 4, output_tokens=500)
            noon = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
            listed = calc_price(spent, model, genai_request_timestamp=noon).total_price
            assert found.money(prompt, prompt // 4, 500) == pytest.approx(float(listed))


def test_what_so_many_tokens_cost_at_most_is_at_the_dearest_price_that_a_prompt_may_have() -> None:
    assert TIERED.at_most(1000, 10, 300) == TIERED.money(1000, 0, 10, calls=10)
    assert TIERED.at_most(1000, 10, 301) == pytest.approx((1000 * 4.0 + 10 * 12.0) / 1e6)


def test_cached_tokens_are_part_of_the_prompt_and_cost_less() -> None:
    assert PRICE.money(1_000_000, 0, 0) == pytest.approx(2.0)
    assert PRICE.money(1_000_000, 1_000_000, 0) == pytest.approx(0.2)
    assert PRICE.money(0, 0, 500_000) == pytest.approx(4.0)


def spec_with(models: object, prices: object = None) -> MachinePrices:
    values = {"name": "t", "instruction": "Do.", "examples": "e.jsonl", "models": models, "prices": prices}
    return machine_prices(parse_spec(values), DAY)


def test_local_models_and_servers_on_this_machine_are_billed_by_its_seconds() -> None:
    prices = spec_with(["smollm2-135m", {"name": "gpt-4o-mini", "endpoint": "http://127.0.0.1:8000/v1"}])
    assert prices.tokens == {}
    assert prices.machine_hour is None


def test_a_person_states_prices_in_their_own_currency() -> None:
    model = {"name": "m", "endpoint": "http://models.example.org/v1", "input_per_million": 1, "output_per_million": 3}
    prices = spec_with([model], {"machine_hour": 0.5, "currency": "EUR"})
    stated = prices.tokens["m"]
    assert stated is not None
    assert (stated.input, stated.cached, stated.output, stated.currency) == (1.0, 1.0, 3.0, "EUR")
    assert (prices.machine_hour, prices.currency) == (0.5, "EUR")


@pytest.mark.parametrize("stated", [{"input_per_million": 1}, {"output_per_million": 1}, {"cached_per_million": 1}])
def test_a_price_that_is_stated_in_part_is_refused_with_what_to_write(stated: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=r"stated in part\. Write both input_per_million and output_per_million"):
        spec_with([{"name": "m", **stated}])


def test_a_model_may_have_the_price_of_another_machine_and_a_fixed_amount() -> None:
    far = {"name": "far", "endpoint": "https://models.example.org/v1", "machine_hour": 2}
    prices = spec_with([far, {"name": "smollm2-135m", "machine_hour": 0.9, "monthly": 50}], {"machine_hour": 0})
    assert prices.tokens == {}, "who pays for hours does not pay for tokens"
    assert (prices.hours, prices.monthly) == ({"far": 2.0, "smollm2-135m": 0.9}, {"smollm2-135m": 50.0})
    assert [prices.hour(name) for name in ("far", "smollm2-135m", "another", "")] == [2.0, 0.9, 0.0, 0.0]


def test_what_a_server_by_the_hour_is_asked_while_fitting_has_its_price_too() -> None:
    far = {"name": "far", "endpoint": "https://models.example.org/v1", "machine_hour": 36}
    prices = spec_with([far, {"name": "tuned", "machine_hour": 72}], {"machine_hour": 3.6})
    searched = (
        Usage(model="far", step="search", seconds=100.0),
        Usage(model="minilm-l6", step="search", seconds=10.0),
        Usage(model="tuned", step="training", seconds=1000.0),
        Usage(model="far", step="answering", seconds=50.0),
    )
    bill = costs(dataclasses.replace(local(seconds=0.1, fitting=searched), model="far"), BENCH, prices)
    spent = [(item.name, item.amount.value) for item in bill.items if item.when == "spent"]
    choosing = "choosing the configuration"
    assert [name for name, _ in spent] == [choosing, choosing, "training", "answering while fitting"]
    assert [value for _, value in spent] == pytest.approx([1.0, 0.01, 1.0, 0.5]), (
        "what answers elsewhere was trained here"
    )
    assert bill.spent.value == pytest.approx(2.51)
    assert "36 USD an hour of the machine of far" in bill.items[0].source
    assert "3.6 USD an hour, stated" in bill.items[1].source


def test_the_own_list_says_it_too_and_what_stands_with_the_model_goes_first() -> None:
    listed = {"models": {"a": {"machine_hour": 3, "monthly": 7}, "known-there": {"monthly": 9}}}
    there = {"name": "b", "model": "known-there", "endpoint": "http://127.0.0.1:8000/v1"}
    prices = spec_with([{"name": "a", "machine_hour": 2}, there], listed)
    assert (prices.hours, prices.monthly) == ({"a": 2.0}, {"a": 7.0, "b": 9.0})


@pytest.mark.parametrize("listed", [None, {"models": {"m": {"input_per_million": 1, "output_per_million": 2}}}])
def test_hours_and_tokens_of_one_model_are_refused(listed: object) -> None:
    tokens = {} if listed else {"input_per_million": 1, "output_per_million": 2}
    with pytest.raises(
        BadInput, match=r"has a price for its tokens and one for an hour \(machine_hour\)\. Keep the one"
    ):
        spec_with([{"name": "m", "machine_hour": 2, **tokens}], listed)


# ---------------------------------------------------------------- costs


def test_without_a_price_an_hour_local_candidates_cost_machine_seconds() -> None:
    bill = costs(local(seconds=0.1), BENCH, MachinePrices())
    assert bill.per_thousand.value == pytest.approx(100.0)
    assert bill.monthly.value == pytest.approx(2000.0)
    assert bill.ahead.value == pytest.approx(24_000.0)
    assert bill.ahead.unit == "machine s"
    assert bill.ahead.low == pytest.approx(24_000 * (1 - NOISE))
    assert bill.ahead.high == pytest.approx(24_000 * (1 + NOISE))


def test_a_price_an_hour_turns_seconds_into_money() -> None:
    bill = costs(local(seconds=0.36), BENCH, MachinePrices(machine_hour=2.0, currency="EUR"))
    assert bill.monthly.value == pytest.approx(20_000 * 0.36 / 3600 * 2)
    assert bill.monthly.unit == "EUR"
    assert "2 EUR an hour" in next(item.source for item in bill.items if item.when == "monthly")


def test_hosted_candidates_cost_their_tokens_and_not_the_time_spent_waiting() -> None:
    evaluation = hosted(prompt_tokens=40_000, cached_tokens=10_000, answer_tokens=1_000)
    bill = costs(evaluation, BENCH, MachinePrices(machine_hour=5.0, tokens={"big-one": PRICE}))
    per_request = (300 * 2.0 + 100 * 0.2 + 10 * 8.0) / 1e6
    assert bill.monthly.value == pytest.approx(20_000 * per_request)
    assert bill.monthly.low == bill.monthly.high == bill.monthly.value
    by_hour = dataclasses.replace(PRICE, least=0.5)
    varies = costs(evaluation, BENCH, MachinePrices(machine_hour=5.0, tokens={"big-one": by_hour})).monthly
    assert varies.low == pytest.approx(10_000 * per_request), "nobody knows the hour"
    assert varies.high == varies.value


def test_a_tuned_model_on_a_machine_of_its_own_beside_a_small_head_on_the_server_that_is_there_anyway() -> None:
    prices = MachinePrices(machine_hour=0.0, hours={"smollm2-135m": 2.0}, upkeep=Upkeep(machine_hours=730))
    trained = (Usage(model="smollm2-135m", step="training", seconds=3600.0),)
    tuned = costs(local(seconds=0.1, fitting=trained), BENCH, prices)
    head = costs(evaluation_of("linear head", scores_of(90, 100), seconds=0.1), BENCH, prices)
    assert (tuned.monthly.value, head.monthly.value) == (1460.0, 0.0)
    assert tuned.per_thousand.value == pytest.approx(100 / 3600 * 2)
    assert tuned.spent.value == 0.0, "it was trained here"
    busy = dataclasses.replace(prices, upkeep=Upkeep())
    found = costs(dataclasses.replace(local(seconds=0.1), beside_s=4.0), BENCH, busy)
    assert found.monthly.value == pytest.approx(20_000 * 0.1 / 3600 * 2), "looking up is done there too"
    (source,) = (item.source for item in found.items if item.by_request)
    assert "2 USD an hour of the machine of smollm2-135m" in source


def test_a_fixed_amount_is_due_at_any_volume_beside_tokens_and_beside_seconds() -> None:
    prices = MachinePrices(
        machine_hour=3.6, tokens={"big-one": PRICE}, monthly={"big-one": 500.0, "smollm2-135m": 20.0}
    )
    for evaluation, amount in ((hosted(prompt_tokens=40_000), 500.0), (local(), 20.0)):
        without = costs(evaluation, BENCH, dataclasses.replace(prices, monthly={}))
        bill = costs(evaluation, BENCH, prices)
        assert bill.monthly.value == pytest.approx((without.monthly.value or 0.0) + amount)
        assert bill.per_thousand == without.per_thousand
        assert Line.of(bill).at(0) == pytest.approx(amount)  # type: ignore[union-attr]
    assert costs(evaluation_of("linear head", scores_of(9, 10)), BENCH, prices).monthly.value == pytest.approx(2.0)


def looking_up(seconds: float, **usage: int) -> Evaluation:
    """A hundred answers of a hosted model, for which this machine looked things up for so many seconds in all."""
    return dataclasses.replace(hosted(**usage), beside_s=seconds)


def test_looking_up_for_a_hosted_model_costs_time_of_this_machine_beside_its_tokens() -> None:
    prices = MachinePrices(machine_hour=3.6, tokens={"big-one": PRICE})
    bill = costs(looking_up(2.0, prompt_tokens=40_000), BENCH, prices)
    tokens, here = 400 * 2.0 / 1e6, 0.02 * 0.001
    assert bill.per_thousand.value == pytest.approx(1000 * (tokens + here))
    assert bill.monthly.value == pytest.approx(20_000 * (tokens + here))
    assert bill.monthly.low == pytest.approx(20_000 * (tokens + here * (1 - NOISE)))
    assert bill.monthly.high == pytest.approx(20_000 * (tokens + here * (1 + NOISE)))
    parts = {item.name: item.amount.value for item in bill.items if item.by_request}
    assert parts == pytest.approx({"answering": 20_000 * tokens, "this machine's part": 20_000 * here})


def test_a_cascade_pays_for_the_machine_that_is_kept_on_for_its_first_part_beside_the_tokens_of_its_second() -> None:
    """It was once billed by tokens and seconds alone, and so recommended over the first part's own machine."""
    prices = MachinePrices(machine_hour=3.6, tokens={"big-one": PRICE}, upkeep=Upkeep(machine_hours=10))
    searching = looking_up(2.0, prompt_tokens=40_000)
    cascade = dataclasses.replace(searching, approach="cascade", begins_here=True)
    first = evaluation_of("linear head", scores_of(90, 100), seconds=0.02)
    tokens, here = 400 * 2.0 / 1e6, 0.02 * 0.001
    for volume, kept in ((20_000, 36.0), (2_000_000, 40.0)):
        bill, alone, found = (
            costs(each, dataclasses.replace(BENCH, volume=volume), prices) for each in (cascade, first, searching)
        )
        assert bill.monthly.value == pytest.approx(volume * tokens + kept)
        assert (bill.monthly.value or 0.0) >= (alone.monthly.value or 0.0)
        assert Line.of(bill).at(volume) == pytest.approx(bill.monthly.value)  # type: ignore[union-attr]
        parts = {item.name: item.amount.value for item in bill.items if item.by_request}
        assert parts == pytest.approx({"answering": volume * tokens, "this machine's part": kept})
        assert found.monthly.value == pytest.approx(volume * (tokens + here)), "an index keeps no machine on"
        assert bill.per_thousand == found.per_thousand
    assert "10 hours a month that the machine is kept on" in costs(cascade, BENCH, prices).items[-1].source
    unpriced = dataclasses.replace(prices, machine_hour=None)
    for seconds in (0.0, 2.0):
        unknown = costs(dataclasses.replace(cascade, beside_s=seconds), BENCH, unpriced)
        assert unknown.monthly.value is None, "seconds of a machine beside money for tokens"


def handing_on(first: str, second: str) -> Evaluation:
    """Of a hundred answers, the second model gave 20: with 400 prompt tokens and half a second each."""
    usage = Usage(model=first, step="answering", calls=100, seconds=10.0, prompt_tokens=10_000)
    later = Usage(model=second, step="answering", calls=100, seconds=10.0, prompt_tokens=8_000)
    parts = (
        PartOf(model=first, family="finetuning", answering=usage, requests=((100, 0, 0),) * 100),
        PartOf(model=second, family="prompting", answering=later, requests=((400, 0, 0),) * 20, beside_s=1.0),
    )
    whole = evaluation_of("prompting", scores_of(90, 100), model=second)
    return dataclasses.replace(whole, answering=add(usage, later), parts=parts)


TWO_MODELS: list[tuple[tuple[str, str], float | None, float | None, float, float, list[str]]] = [
    (("small", "big-one"), 3.6, 0.00011, 0.00016, 36.0, ["answering by big-one", "answering by small"]),
    (("small", "rented"), 3.6, 0.0003, 0.0, 36.0 + 72.0, ["answering by small and rented"]),
    (("small", "unpriced"), 3.6, None, 0.0, 0.0, []),
    (("small", "big-one"), None, None, 0.0, 0.0, []),
    (("small", "large"), None, 0.2, 0.0, 36_000.0, ["answering by small and large"]),
    (
        ("cheap-one", "big-one"),
        3.6,
        0.00001,
        0.00026,
        100 * 0.00001,
        ["answering by cheap-one", "answering by big-one", "this machine's part"],
    ),
]
"""Models, price of this machine, what machines do in a request and what its tokens cost, what it costs at least to keep the
machines on, and the items."""


@pytest.mark.parametrize(("models", "hour", "each", "beside", "kept", "names"), TWO_MODELS)
def test_a_cascade_of_two_models_has_the_bills_of_both(
    models: tuple[str, str], hour: float | None, each: float | None, beside: float, kept: float, names: list[str]
) -> None:
    """Unknown where a price is, or where seconds stand beside money."""
    tokens = {"big-one": PRICE, "cheap-one": dataclasses.replace(PRICE, model="cheap-one", input=1.0), "unpriced": None}
    prices = MachinePrices(machine_hour=hour, tokens=tokens, hours={"rented": 7.2})
    bill = costs(handing_on(*models), BENCH, prices)
    if each is None:
        assert (bill.monthly.value, bill.per_thousand.value) == (None, None)
        return
    assert bill.per_thousand.value == pytest.approx(1000 * (each + beside))
    assert bill.monthly.value == pytest.approx(20_000 * (each + beside))
    assert [item.name for item in bill.items if item.by_request] == names
    upkeep, fixed = Upkeep(machine_hours=10), dict.fromkeys(models, 5.0) if hour else {}
    upkept = dataclasses.replace(prices, upkeep=upkeep, monthly=fixed)
    idle = costs(handing_on(*models), dataclasses.replace(BENCH, volume=100), upkept)
    assert idle.monthly.value == pytest.approx(kept + 100 * beside + sum(fixed.values()))
    assert Line.of(idle).at(100) == pytest.approx(idle.monthly.value)  # type: ignore[union-attr]


def test_looking_up_for_a_model_on_this_machine_is_part_of_its_seconds_and_not_counted_twice() -> None:
    evaluation = local(seconds=0.1)
    assert costs(dataclasses.replace(evaluation, beside_s=4.0), BENCH, MachinePrices()) == costs(
        evaluation, BENCH, MachinePrices()
    )


def test_tokens_with_a_price_and_seconds_without_one_are_unknown_and_the_price_to_give_is_named() -> None:
    prices = MachinePrices(tokens={"big-one": PRICE})
    searched = dataclasses.replace(looking_up(2.0, prompt_tokens=40_000), candidate="retrieval")
    evaluations = [hosted(prompt_tokens=90_000), searched]
    bills = [costs(each, BENCH, prices) for each in evaluations]
    assert bills[1].monthly.value is None
    ranking = rank(bills, evaluations)
    assert ranking.unranked == ("retrieval",)
    assert "give the price of an hour of this machine (machine_hour" in ranking.note
    assert "input_per_million" not in ranking.note
    free = dataclasses.replace(prices, machine_hour=0.0)
    assert rank([costs(each, BENCH, free) for each in evaluations], evaluations).order == ("retrieval", "prompting")


def test_with_neither_price_both_are_asked_for() -> None:
    evaluations = [
        local(),
        dataclasses.replace(looking_up(2.0, prompt_tokens=40_000), candidate="retrieval"),
    ]
    ranking = rank([costs(each, BENCH, MachinePrices(tokens={"big-one": None})) for each in evaluations], evaluations)
    assert ranking.unranked == ("retrieval",)
    assert ranking.note.startswith("The cost of retrieval is not known: give the price of the model's tokens")


def test_at_an_unknown_price_tokens_are_counted_and_are_no_money() -> None:
    bill = costs(hosted(prompt_tokens=40_000), BENCH, MachinePrices(tokens={"big-one": None}))
    assert bill.per_thousand.unit == bill.ahead.unit == "tokens of big-one"
    assert not in_money(bill, "USD")
    assert not over_limit(bill, 0.0, "USD")
    assert "the price of its tokens is not known" in next(item.source for item in bill.items if item.when == "monthly")


@given(
    ours=st.tuples(*[st.integers(0, 2000)] * 3),
    theirs=st.tuples(*[st.integers(0, 2000)] * 3),
    prices=st.tuples(st.floats(0.01, 50), st.floats(*CACHED_TOKEN), st.floats(*ANSWER_TOKEN)),
)
@example(ours=(900, 0, 10), theirs=(100, 900, 10), prices=(1.0, 0.1, 1.0))
@example(ours=(900, 0, 10), theirs=(950, 0, 2), prices=(1.0, 1.0, 8.0))
def test_what_takes_clearly_fewer_tokens_is_cheaper_at_whatever_price(
    ours: tuple[int, int, int], theirs: tuple[int, int, int], prices: tuple[float, float, float]
) -> None:
    """Each is (prompt tokens that are not cached, cached ones, answer tokens) of a hundred requests."""
    a_token, cached, answer = prices
    known = TokenPrices(model="m", input=a_token, cached=a_token * cached, output=a_token * answer, source="stated")
    counted, money = [], []
    for fresh, read, written in (ours, theirs):
        asked = dataclasses.replace(
            hosted(),
            answering=Usage(
                model="big-one",
                step="answering",
                calls=100,
                prompt_tokens=fresh + read,
                cached_tokens=read,
                answer_tokens=written,
            ),
        )
        counted.append(costs(asked, BENCH, MachinePrices(tokens={"big-one": None})).ahead)
        money.append(costs(asked, BENCH, MachinePrices(tokens={"big-one": known})).ahead.value or 0.0)
    if clearly_more(counted[1], counted[0]):
        assert money[0] <= money[1] * (1 + 1e-9)
    fresh, read, written = (its - mine for mine, its in zip(ours, theirs, strict=True))
    ends = [fresh + each * read + most * written for each in CACHED_TOKEN for most in ANSWER_TOKEN]
    assert clearly_more(counted[1], counted[0]) or min(ends) < 1e-6, "more at whatever price is no tie"


def test_of_two_prompts_on_one_model_of_unknown_price_the_longer_costs_more_whatever_a_token_costs() -> None:
    """Their ranges overlap, since an answer may cost as much as 160 prompt tokens, but it is the same answer."""
    short, long = ("prompting", 150, 20), ("retrieval", 250, 20)
    unknown = MachinePrices(tokens={"big-one": None})

    def told(*given: tuple[str, int, int]) -> Verdict:
        found = [
            evaluation_of(name, scores_of(279, 300, place), model="big-one", tokens=(asked, written))
            for place, (name, asked, written) in enumerate(given)
        ]
        return Bakeoff(evaluations=tuple(found), benchmark=benchmark_of(), prices=unknown).told()

    verdict = told(short, long)
    assert verdict.recommendation.choice == "prompting"
    assert verdict.story.a_month[1:] == ("Each month that is 1,000,000 tokens of big-one less than retrieval (93 %).",)
    assert told(("prompting", 250, 20), ("retrieval", 150, 20)).recommendation.choice == "retrieval", (
        "though less simple"
    )
    depends = told(("prompting", 150, 40), ("retrieval", 250, 20))
    assert depends.recommendation.choice == "prompting"
    assert depends.story.a_month[1:] == (
        "It costs about as much as retrieval (93 %); which of the two is the lower depends on the price of the tokens, which is "
        "not known.",
    )
    assert told(short, ("retrieval", 150, 20)).story.a_month[1:] == ("It costs as much as retrieval (93 %).",)


def test_timings_are_the_reason_only_where_there_are_some() -> None:
    found = tuple(evaluation_of(name, scores_of(279, 300), seconds=0.1) for name in ("linear head", "prompting"))
    for hour, said in (
        (0.4, "It costs about as much as prompting (93 %); timings do not tell the costs apart."),
        (0.0, "It costs as much as prompting (93 %)."),
    ):
        prices = MachinePrices(machine_hour=hour)
        told = Bakeoff(evaluations=found, benchmark=benchmark_of(), prices=prices).told()
        assert said in told.story.a_month


def test_tokens_without_a_price_are_ranked_among_themselves_and_after_what_has_a_unit() -> None:
    of = "tokens of big-one"
    ranking = ranking_of(
        {"retrieval": (900.0, of, 0.1), "prompting": (300.0, of, 0.1), "linear head": (1.0, "machine s", 0.1)}
    )
    assert ranking.unranked == ("retrieval", "prompting")
    assert ranking.first(["retrieval", "prompting"]) == "prompting"
    assert saving(ranking, "retrieval", "prompting", 12) is not None
    assert saving(ranking, "retrieval", "linear head", 12) is None
    assert ranking.note.startswith("The cost of retrieval and prompting is not known: give the price")
    assert ranking_of({"lora": (9.0, of, 0.1), "prompting": (1.0, of, 0.1)}).order == ("prompting", "lora")
    assert len(ranking_of({"lora": (9.0, of, 0.1), "prompting": (1.0, "tokens of another", 0.1)}).unranked) == 1


def answering_of(evaluation: Evaluation) -> tuple[float, str]:
    """Money for a request where prices are tiered, and what is said of it."""
    bill = costs(evaluation, BENCH, MachinePrices(tokens={"big-one": TIERED}))
    (item,) = (item for item in bill.items if item.name == "answering")
    assert item.amount.value is not None
    return item.amount.value / BENCH.volume, item.source


def test_each_request_has_the_price_of_its_own_prompt() -> None:
    """On average the prompts are short, and a tenth of them is not."""
    requests = ((200, 100, 10),) * 90 + ((1000, 500, 10),) * 10
    mixed = dataclasses.replace(
        hosted(prompt_tokens=28_000, cached_tokens=14_000, answer_tokens=1_000), requests=requests
    )
    money, source = answering_of(mixed)
    short, long = 100 * 2.0 + 100 * 0.2 + 10 * 8.0, 500 * 4.0 + 500 * 0.4 + 10 * 12.0
    assert money == pytest.approx((90 * short + 10 * long) / 100 / 1e6)
    assert "10 of 100 requests have a prompt above 300 tokens and are charged the price of such" in source
    all_short = dataclasses.replace(hosted(prompt_tokens=20_000), requests=((200, 0, 0),) * 100)
    money, source = answering_of(all_short)
    assert money == pytest.approx(200 * 2.0 / 1e6)
    assert source.endswith("measured here; price stated for this task")


def test_where_only_sums_are_known_the_mean_prompt_decides_and_that_is_said() -> None:
    said = "charged by the mean length of the prompts, since that of each was not kept"
    for tokens, price in ((29_000, 2.0), (31_000, 4.0)):
        money, source = answering_of(hosted(prompt_tokens=tokens))
        assert money == pytest.approx(tokens / 100 * price / 1e6)
        assert said in source
    assert said not in answering_of(hosted(prompt_tokens=300))[1], "none of them can be a long one"
    searched = Usage(model="big-one", step="search", prompt_tokens=40_000, calls=100)
    bill = costs(
        dataclasses.replace(hosted(prompt_tokens=300), fitting=(searched,)),
        BENCH,
        MachinePrices(tokens={"big-one": TIERED}),
    )
    (item,) = (item for item in bill.items if item.when == "spent")
    assert item.amount.value == pytest.approx(40_000 * 4.0 / 1e6)
    assert said in item.source


def test_rows_of_single_requests_are_kept_apart_and_sums_are_not_taken_for_one() -> None:
    looked_up = Usage(model="minilm-l6", step="answering", seconds=1.0)
    one, other = (Usage(model="m", step="answering", prompt_tokens=tokens, answer_tokens=3) for tokens in (10, 400))
    assert requests([looked_up, one, other]) == ((10, 0, 3), (400, 0, 3))
    assert requests([one, dataclasses.replace(other, calls=2)]) == ()


def test_what_was_spent_stands_by_step_and_beside_what_lies_ahead() -> None:
    fitting = (
        Usage(model="smollm2-135m", step="search", seconds=60.0),
        Usage(model="smollm2-135m", step="search", seconds=30.0),
        Usage(model="minilm-l6", step="index", seconds=5.0),
        Usage(model="smollm2-135m", step="training", seconds=300.0),
    )
    bill = costs(local(fitting=fitting), BENCH, MachinePrices())
    spent = {item.name: item.amount.value for item in bill.items if item.when == "spent"}
    assert spent == {"choosing the configuration": 90.0, "building the index": 5.0, "training": 300.0}
    assert bill.spent.value == pytest.approx(395.0)
    assert bill.ahead.value == costs(local(), BENCH, MachinePrices()).ahead.value
    assert [item.amount.value for item in bill.items if item.when == "once"] == [0.0]


def test_seconds_and_money_are_not_added() -> None:
    fitting = (
        Usage(model="minilm-l6", step="index", seconds=5.0),
        Usage(model="big-one", step="search", prompt_tokens=9),
    )
    evaluation = dataclasses.replace(hosted(prompt_tokens=40_000), fitting=fitting)
    assert costs(evaluation, BENCH, MachinePrices(tokens={"big-one": PRICE})).spent.value is None
    priced = costs(evaluation, BENCH, MachinePrices(machine_hour=0.0, tokens={"big-one": PRICE}))
    assert priced.spent.value == pytest.approx(9 * 2.0 / 1e6)


def test_recorded_answers_cost_what_their_file_says_and_else_are_unknown() -> None:
    recorded = evaluation_of("recorded", scores_of(90, 100))
    assert recorded.answering is not None
    assert costs(recorded, BENCH, MachinePrices()).ahead.value is None
    billed = dataclasses.replace(recorded, answering=dataclasses.replace(recorded.answering, cost=2.0))
    assert costs(billed, BENCH, MachinePrices(currency="EUR")).monthly == Amount(
        value=400.0, unit="EUR", low=400.0, high=400.0
    )


def test_a_candidate_without_answers_has_an_unknown_cost() -> None:
    assert costs(evaluation_of("lora", model="smollm2-135m"), BENCH, MachinePrices()).ahead.value is None


# ---------------------------------------------------------------- order


def test_clearly_cheaper_comes_first_whatever_is_simpler() -> None:
    ranking = ranking_of({"lora": (100.0, "machine s", 0.15), "prompting": (200.0, "machine s", 0.15)})
    assert ranking.order == ("lora", "prompting")
    assert not ranking.tie("lora", "prompting")


def test_overlapping_costs_are_a_tie_that_the_simpler_wins() -> None:
    ranking = ranking_of({"lora": (100.0, "machine s", 0.15), "prompting": (120.0, "machine s", 0.15)})
    assert ranking.tie("lora", "prompting")
    assert ranking.order == ("prompting", "lora")
    assert ranking.first(["lora", "prompting"]) == "prompting"


def test_ties_that_chain_do_not_run_in_a_circle() -> None:
    """lora ties with retrieval, retrieval with prompting, but lora is clearly cheaper than prompting, the simplest."""
    chain = {"lora": (100.0, "USD", 0.1), "retrieval": (120.0, "USD", 0.1), "prompting": (140.0, "USD", 0.1)}
    for names in itertools.permutations(chain):
        ranking = ranking_of({name: chain[name] for name in names})
        assert ranking.order == ("retrieval", "lora", "prompting")
        assert ranking.first(["retrieval", "prompting"]) == "prompting"


def test_seconds_and_money_are_not_compared_and_the_price_to_give_is_named() -> None:
    ranking = ranking_of(
        {"lora": (9e9, "machine s", 0.15), "linear head": (5.0, "machine s", 0.15), "prompting": (1.0, "USD", 0.0)}
    )
    assert ranking.order == ("linear head", "lora", "prompting")
    assert ranking.unranked == ("prompting",)
    assert not ranking.comparable("lora", "prompting")
    assert "machine_hour" in ranking.note
    assert saving(ranking, "lora", "prompting", 12) is None


def test_an_unknown_cost_comes_last_and_says_which_price_is_missing() -> None:
    ranking = ranking_of({"linear head": (None, "USD", 0.0), "lora": (9.0, "USD", 0.0)})
    assert ranking.order == ("lora", "linear head")
    assert ranking.note.startswith("The cost of linear head is not known: give the price of the model's tokens")


def test_two_currencies_are_not_converted() -> None:
    ranking = ranking_of({"lora": (1.0, "EUR", 0.0), "prompting": (1.0, "USD", 0.0)})
    assert len(ranking.unranked) == 1
    assert "one currency" in ranking.note


def test_a_saving_is_a_month_of_the_difference() -> None:
    ranking = ranking_of({"lora": (240.0, "USD", 0.0), "prompting": (120.0, "USD", 0.0)})
    assert saving(ranking, "lora", "prompting", 12) == Amount(value=10.0, unit="USD")
    assert saving(ranking, "prompting", "lora", 12) is None


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(FAMILIES)),
        st.tuples(st.one_of(st.none(), st.floats(1, 1000)), st.sampled_from(["USD", "machine s"]), st.floats(0, 0.3)),
        min_size=1,
    )
)
def test_the_order_holds_everyone_once_and_never_puts_a_clearly_dearer_one_first(
    ahead: dict[str, tuple[float | None, str, float]],
) -> None:
    ranking = ranking_of(ahead)
    assert sorted(ranking.order) == sorted(ahead)
    ranked = [name for name in ranking.order if name not in ranking.unranked]
    for one, other in itertools.combinations(ranked, 2):
        low = ranking.ahead[one].low or 0.0
        assert low <= (ranking.ahead[other].high or 0.0)


def test_luck_on_the_held_out_cases_does_not_order_the_tests() -> None:
    """Wrong answers of ten times as many tokens: whoever is right more often is cheaper by that, and must not be tested first."""
    price = TokenPrices(model="m", input=0.15, cached=0.15, output=0.6, source="stated")
    prices = MachinePrices(tokens={"m": price})

    def asked(name: str, right: int, prompt: int = 120) -> Evaluation:
        scores = scores_of(right, 300)
        rows = tuple((prompt, 0, 8 if score else 80) for score in scores)
        usage = Usage(
            model="m",
            step="answering",
            calls=300,
            prompt_tokens=300 * prompt,
            answer_tokens=sum(row[2] for row in rows),
        )
        return dataclasses.replace(evaluation_of(name, scores, model="m"), answering=usage, requests=rows)

    def orders(*given: Evaluation) -> tuple[tuple[str, ...], tuple[str, ...]]:
        bills = [costs(each, benchmark_of(), prices) for each in given]
        return rank(bills, given).order, order_of_tests(bills, given)

    lucky = asked("prompting (cheapest)", 255)
    assert orders(asked("prompting", 225), lucky) == (
        ("prompting (cheapest)", "prompting"),
        ("prompting", "prompting (cheapest)"),
    )
    shorter = asked("prompting (cheapest)", 225, prompt=10)
    assert orders(asked("prompting", 255), shorter)[1] == ("prompting (cheapest)", "prompting")
