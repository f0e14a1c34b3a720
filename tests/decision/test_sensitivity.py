"""How far away another recommendation is: what is said is what comes out when the thing is really changed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from advisor.contract import Recommendation
from advisor.costs.sensitivity import Flip, flips, question_of
from advisor.costs.turning_words import of_their_price, rounded_beside
from benchmarks.contract import Constraints, State
from benchmarks.costs.prices import MachinePrices, Tier, TokenPrices, Upkeep
from strategies.contract import Usage
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of

BIG = TokenPrices(model="big-one", input=2.0, cached=0.2, output=8.0, source="price stated for this task")
KEPT = Upkeep(facts_months=6, task_months=6, labels=20, label_price=0.5, machine_hours=100)
PRICES = MachinePrices(machine_hour=0.4, tokens={"big-one": BIG}, upkeep=KEPT)


def bakeoff(**changes: object) -> Bakeoff:
    """A hosted model that is prompted against one of ours that is trained; both meet the target."""
    trained = [Usage(model="small", step="training", seconds=9_000)]
    given = Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(288, 300), model="big-one", tokens=(400, 5)),
            evaluation_of("lora", scores_of(276, 300, 5), seconds=0.2, model="small", fitting=trained),
            evaluation_of("linear head", scores_of(249, 300, 7), seconds=2.0),
        ),
        benchmark=benchmark_of(task=task_of(kind="qa", documents=("The return window is 28 days.",))),
        prices=PRICES,
    )
    return dataclasses.replace(given, **changes)  # type: ignore[arg-type]


def found(given: Bakeoff) -> dict[tuple[str, bool], Flip]:
    """By what is turned, and whether up."""
    told = given.told().recommendation
    meeting = [each.candidate for each in told.statuses if each.state is State.MEETS]
    may = [each.candidate for each in told.statuses if each.state is State.UNDECIDED]
    by_name = {each.candidate: each for each in given.evaluations}
    question = question_of(by_name, given.benchmark, given.prices, (meeting, may, [told.safe or ""]))
    return {(flip.knob.noun, flip.factor > 1): flip for flip in flips(question)[0]}


def named(told: Recommendation) -> tuple[str | None, tuple[str, ...]]:
    return told.safe, tuple(sorted(told.cheaper_undecided))


def hour(given: Bakeoff, factor: float) -> Bakeoff:
    return dataclasses.replace(given, prices=dataclasses.replace(given.prices, machine_hour=0.4 * factor))


def volume(given: Bakeoff, factor: float) -> Bakeoff:
    benchmark = dataclasses.replace(given.benchmark, volume=round(given.benchmark.volume * factor))
    return dataclasses.replace(given, benchmark=benchmark)


def tokens(given: Bakeoff, factor: float) -> Bakeoff:
    price = dataclasses.replace(BIG, input=2.0 * factor, cached=0.2 * factor, output=8.0 * factor)
    return dataclasses.replace(given, prices=dataclasses.replace(given.prices, tokens={"big-one": price}))


def facts(given: Bakeoff, factor: float) -> Bakeoff:
    kept = dataclasses.replace(given.prices.upkeep, facts_months=6 / factor)
    return dataclasses.replace(given, prices=dataclasses.replace(given.prices, upkeep=kept))


def own_hour(given: Bakeoff, factor: float) -> Bakeoff:
    return dataclasses.replace(given, prices=dataclasses.replace(given.prices, hours={"small": 0.4 * factor}))


def own_month(given: Bakeoff, factor: float) -> Bakeoff:
    return dataclasses.replace(given, prices=dataclasses.replace(given.prices, monthly={"small": 3.0 * factor}))


NOT_KEPT_ON = dataclasses.replace(KEPT, machine_hours=None)


@pytest.mark.parametrize(
    ("noun", "turned"),
    [
        ("the price of a machine hour", hour),
        ("the volume", volume),
        ("the price of big-one", tokens),
        ("how often facts change", facts),
        ("the price of an hour of small", own_hour),
        ("the price of a month of small", own_month),
    ],
)
def test_the_recommendation_changes_there_and_not_before(
    noun: str, turned: Callable[[Bakeoff, float], Bakeoff]
) -> None:
    kept = NOT_KEPT_ON if turned in (facts, own_month) else KEPT
    given = turned(bakeoff(prices=dataclasses.replace(PRICES, upkeep=kept)), 1.0)
    now = named(given.told().recommendation)
    sides = [flip for (what, _), flip in found(given).items() if what == noun]
    assert sides
    for flip in sides:
        beyond, short = (1.001, 0.999) if flip.factor > 1 else (0.999, 1.001)
        then = named(turned(given, flip.factor * beyond).told().recommendation)
        assert then == (flip.then.safe, flip.then.unsettled) != now
        assert named(turned(given, flip.factor * short).told().recommendation) == now


def test_long_prompts_that_are_charged_by_a_tier_grow_dearer_with_the_price() -> None:
    """A tier that stayed as it was made the price of a model seem to change nothing."""
    alike = TokenPrices(model="big-one", input=2.0, cached=2.0, output=8.0, source="price stated for this task")
    tier = Tier(above=100_000, input=2.0, cached=2.0, output=8.0)
    tiered = dataclasses.replace(alike, input=1.0, cached=1.0, output=4.0, tiers=(tier,))
    asked = dataclasses.replace(
        evaluation_of("prompting", scores_of(288, 300), model="big-one", tokens=(150_000, 10)),
        requests=((150_000, 0, 10),) * 300,
    )
    trained = evaluation_of("lora", scores_of(285, 300, 5), seconds=3_600, model="small")
    told = [
        Bakeoff(
            evaluations=(asked, trained),
            benchmark=benchmark_of(),
            prices=MachinePrices(machine_hour=0.5, tokens={"big-one": price}),
        ).told()
        for price in (alike, tiered)
    ]
    said = [[line for line in each.recommendation.would_change if "big-one" in line] for each in told]
    assert said[0] == said[1]
    assert said[0][0].startswith("Tokens of big-one at ")


def test_what_is_near_is_told_with_what_it_is_now() -> None:
    lines = bakeoff().told().story.would_change
    assert any(line.startswith("A machine hour below USD ") and "(0.40 now): " in line for line in lines)
    assert any("requests a month (10,000 now): " in line for line in lines)
    assert any(line.startswith("Tokens of big-one at ") for line in lines)
    (steady,) = (line for line in lines if line.startswith("Not "))
    assert "the price of labels" in steady  # Both are labelled for alike.


def test_a_cost_that_leaves_the_limit_is_told() -> None:
    alone = bakeoff(
        evaluations=(evaluation_of("lora", scores_of(276, 300), seconds=0.2, model="small"),),
        benchmark=benchmark_of(constraints=Constraints(cost_per_month=5.0)),
        prices=MachinePrices(machine_hour=0.4),
    )
    (line,) = (line for line in alone.told().story.would_change if line.startswith("A machine hour"))
    # 10,000 requests of 0.2 seconds are 0.56 hours, of which 5 USD are too few above 9 USD, and beyond doubt above 10.6.
    assert (
        line
        == "A machine hour above USD 10.59 (0.40 now): nothing that is shown to meet would be within the limit of cost."
    )


def test_who_is_tied_and_simpler_stays_until_it_is_clearly_dearer() -> None:
    """Ten times the seconds: at ten times its costs the simpler one is as dear, and dearer beyond doubt at 13.5 times."""
    given = Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(279, 300), seconds=0.03),
            evaluation_of("lora", scores_of(285, 300, 9), seconds=0.3),
        ),
        benchmark=benchmark_of(),
    )
    (line,) = (line for line in given.told().story.would_change if line.startswith("If linear head"))
    assert line == "If linear head cost 14 times as much: lora would be preferred."


@pytest.mark.parametrize(
    ("turns_at", "now", "shown"), [(11_040, 11_025, 11_040), (10_960, 11_025, 11_000), (29_312, 10_000, 29_000)]
)
def test_a_volume_at_which_it_turns_is_rounded_on_its_side_of_the_present_one(
    turns_at: float, now: float, shown: float
) -> None:
    assert rounded_beside(turns_at, now) == pytest.approx(shown, rel=5e-4)
    assert (rounded_beside(turns_at, now) > now) == (turns_at > now)


def test_a_price_that_turns_it_close_by_is_a_little_away() -> None:
    assert [of_their_price(factor) for factor in (1.02, 0.997, 1.3, 0.5)] == [
        "a little above their price",
        "a little below their price",
        "at 1.3 times their price or more",
        "at 0.5 times their price or less",
    ]


@pytest.mark.parametrize(("volume", "far"), [(55_000, True), (95_000, False)])
def test_where_another_is_cheaper_between_two_volumes_only_both_are_told(volume: int, far: bool) -> None:
    """A machine that is kept on costs the same until it is full: beyond that, and below, tokens are cheaper. Powers of two alone
    stepped over it, and "not the volume" was said."""
    hosted = TokenPrices(model="hosted", input=10.0, cached=10.0, output=10.0, source="stated")
    given = Bakeoff(
        evaluations=(
            evaluation_of("prompting", scores_of(285, 300), model="hosted", tokens=(90, 10), seconds=0.001),
            evaluation_of("retrieval", scores_of(285, 300, 3), model="local", seconds=7.2),
        ),
        benchmark=benchmark_of(cases=300, volume=volume),
        prices=MachinePrices(
            machine_hour=1.0, tokens={"hosted": hosted}, monthly={"hosted": 100.0}, upkeep=Upkeep(machine_hours=180)
        ),
    )
    told = given.told()
    assert told.recommendation.choice == "prompting"
    (line,) = (line for line in told.story.would_change if "requests a month" in line)
    low, high = (int(each.replace(",", "")) for each in re.findall(r"about ([\d,]+)", line))
    assert line.startswith(
        f"Between about {low:,} and about {high:,} requests a month ({volume:,} now): retrieval would be"
    )
    for asked, name in ((low * 0.98, "prompting"), ((low + high) / 2, "retrieval"), (high * 1.02, "prompting")):
        there = dataclasses.replace(given, benchmark=dataclasses.replace(given.benchmark, volume=round(asked)))
        assert there.told().recommendation.choice == name
    assert far == (low > volume)
