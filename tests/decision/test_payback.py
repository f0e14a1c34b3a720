"""After how many months what fitting took is saved again: the months, and the sentence about the named approach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.costs.economics import rank
from advisor.material import Material
from advisor.story.payback import months_to_pay_back, paid_back, when
from benchmarks.costs.prices import MachinePrices, TokenPrices
from strategies.contract import Usage
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of


def given(trained: float = 9_000, seconds: float = 0.4, right: int = 280) -> Bakeoff:
    """Lora takes 1,000 seconds a month and took `trained` to fit; retrieval takes 4,000 and nothing."""
    fitting = [Usage(model="small", step="training", seconds=trained)] if trained else []
    return Bakeoff(
        evaluations=(
            evaluation_of("lora", scores_of(285, 300), seconds=0.1, model="small", fitting=fitting),
            evaluation_of("retrieval", scores_of(right, 300, 5), seconds=seconds, model="small"),
        ),
        benchmark=benchmark_of(volume=10_000),
    )


def material(bakeoff: Bakeoff) -> Material:
    found = bakeoff.judged()
    return Material(
        recommendation=found.recommendation,
        evaluations={each.candidate: each for each in bakeoff.evaluations},
        costs={each.candidate: each for each in found.costs},
        benchmark=found.benchmark,
        extras=bakeoff.extras,
        ranking=rank(found.costs, bakeoff.evaluations),
    )


@pytest.mark.parametrize(("trained", "months"), [(9_000, 3.0), (3_000, 1.0), (600, 0.2), (45_000, 15.0)])
def test_the_months_are_what_was_spent_over_what_is_saved_in_one(trained: float, months: float) -> None:
    assert months_to_pay_back(material(given(trained)), "lora", "retrieval") == pytest.approx(months)


@pytest.mark.parametrize(("theirs", "months"), [(3_000, 2.0), (9_000, None), (36_000, None)])
def test_what_fitting_the_other_took_too_need_not_be_paid_back(theirs: float, months: float | None) -> None:
    lora, retrieval = given().evaluations
    also = replace(retrieval, fitting=(Usage(model="small", step="training", seconds=theirs),))
    found = material(replace(given(), evaluations=(lora, also)))
    assert months_to_pay_back(found, "lora", "retrieval") == (months and pytest.approx(months))
    assert bool(paid_back(found)) == (months is not None)


@pytest.mark.parametrize(
    "bakeoff",
    [
        pytest.param(given(trained=0), id="nothing was spent"),
        pytest.param(given(seconds=0.11), id="timings do not tell the two apart"),
        pytest.param(given(seconds=0.02), id="it costs more to run"),
    ],
)
def test_there_are_none_where_nothing_is_to_be_paid_back_or_nothing_is_saved(bakeoff: Bakeoff) -> None:
    assert months_to_pay_back(material(bakeoff), "lora", "retrieval") is None
    assert paid_back(material(bakeoff)) == ()


def test_there_are_none_between_seconds_and_money() -> None:
    price = TokenPrices(model="big", input=2.0, cached=2.0, output=8.0, source="a list")
    hosted = evaluation_of("prompting", scores_of(280, 300, 5), model="big", tokens=(400, 5))
    bakeoff = replace(
        given(), evaluations=(given().evaluations[0], hosted), prices=MachinePrices(tokens={"big": price})
    )
    assert months_to_pay_back(material(bakeoff), "lora", "prompting") is None
    assert paid_back(material(bakeoff)) == ()


@pytest.mark.parametrize(
    ("trained", "said"),
    [
        (9_000, "after 3 months."),
        (9_001, "after 4 months."),
        (3_000, "in the first month."),
        (45_000, "after 15 months, which is beyond the months that are counted here."),
    ],
)
def test_it_is_told_of_the_named_one_against_the_next_that_meets(trained: float, said: str) -> None:
    bakeoff = given(trained)
    assert bakeoff.told().recommendation.safe == "lora"
    assert paid_back(material(bakeoff)) == (f"What fitting lora cost more than fitting retrieval is paid back {said}",)
    assert bakeoff.told().story.reasons.count(paid_back(material(bakeoff))[0]) == 1


def test_one_that_misses_is_no_alternative_that_it_is_compared_with() -> None:
    assert paid_back(material(given(right=150))) == ()


def test_nothing_is_told_where_nothing_is_safe() -> None:
    missed = replace(given(), benchmark=benchmark_of(target=0.99))
    assert missed.told().recommendation.safe is None
    assert paid_back(material(missed)) == ()


def test_of_several_that_meet_the_next_by_cost_is_taken_that_is_clearly_dearer() -> None:
    alike = evaluation_of("prompting", scores_of(282, 300, 9), seconds=0.105, model="small")
    simpler = replace(alike, simplicity=60)
    bakeoff = replace(given(), evaluations=(*given().evaluations, simpler))
    (said,) = paid_back(material(bakeoff))
    assert said.endswith("fitting retrieval is paid back after 3 months.")


def test_months_are_rounded_up() -> None:
    assert [when(each) for each in (0.0, 1.0, 1.01, 2.0)] == [
        "in the first month",
        "in the first month",
        "after 2 months",
        "after 2 months",
    ]
