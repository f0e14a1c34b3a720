"""Who costs the least at which volume, and where each two cost the same: the tables, the numbers, and where they are shown."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import combinations

import pytest

from advisor.contract import Costs, Story
from advisor.costs.breakeven import Line
from advisor.costs.economics import costs
from advisor.figures.volumes import broken_even
from advisor.reports import render
from advisor.story.explain import premises
from benchmarks.contract import State
from benchmarks.costs.prices import MachinePrices, Upkeep
from tests.reports.test_what_if import BAKEOFFS
from tests.situations import SITUATIONS
from tests.stories import empty_story, rich_story
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of


def bills(bakeoff: Bakeoff, volume: float) -> dict[str, Costs]:
    benchmark = replace(bakeoff.benchmark, volume=volume)  # type: ignore[arg-type]
    return {each.candidate: costs(each, benchmark, bakeoff.prices) for each in bakeoff.evaluations}


def monthly(bakeoff: Bakeoff, volume: float) -> dict[str, float]:
    return {name: bill.monthly.value or 0.0 for name, bill in bills(bakeoff, volume).items()}


def meeting(bakeoff: Bakeoff) -> list[str]:
    return [each.candidate for each in bakeoff.recommended().statuses if each.state is State.MEETS]


@pytest.mark.parametrize("name", ["machine time", "money", "another machine", "a limit on costs"])
def test_the_band_around_a_volume_names_the_least_bill_of_those_that_meet(name: str) -> None:
    bakeoff, dice = BAKEOFFS[name], random.Random(name)
    found = bakeoff.told().story.facts["by_volume"]["cheapest"]
    safe = meeting(bakeoff)
    assert safe
    for volume in [10 ** dice.uniform(0, 8) for _ in range(40)]:
        (band,) = (each for each in found if each["above"] <= volume and (each["upto"] or 1e99) > volume)
        there = monthly(bakeoff, volume)
        assert there[band["name"]] == pytest.approx(min(there[one] for one in safe))


@pytest.mark.parametrize("name", list(BAKEOFFS))
def test_every_pair_has_its_break_even_or_none(name: str) -> None:
    bakeoff = BAKEOFFS[name]
    found = {
        frozenset((each["cheaper"], each["dearer"])): each for each in bakeoff.told().story.facts["by_volume"]["pairs"]
    }
    names = [each.candidate for each in bakeoff.evaluations]
    assert set(found) == {frozenset(pair) for pair in combinations(names, 2)}
    stated = monthly(bakeoff, bakeoff.benchmark.volume)
    for each in found.values():
        cheaper, dearer = each["cheaper"], each["dearer"]
        assert stated[cheaper] <= stated[dearer]
        for volume in each["break_even"]:
            below, at, above = (monthly(bakeoff, volume * factor) for factor in (0.98, 1, 1.02))
            assert at[cheaper] == pytest.approx(at[dearer])
            # A machine that is kept on anyway costs the same for both up to there.
            assert (below[cheaper] - below[dearer]) * (above[cheaper] - above[dearer]) <= 0
            assert below[cheaper] != pytest.approx(below[dearer]) or above[cheaper] != pytest.approx(above[dearer])
        if not each["break_even"]:
            far = [monthly(bakeoff, 10.0**power) for power in range(11)]
            signs = {
                (there[cheaper] > there[dearer] * (1 + 1e-9)) - (there[cheaper] < there[dearer] * (1 - 1e-9))
                for there in far
            }
            assert len(signs - {0}) <= 1


def test_the_tables_say_what_the_numbers_say() -> None:
    story = BAKEOFFS["money"].told().story
    assert story.bands.rows == (
        ("prompting", "up to about 270,000"),
        ("linear head", "from about 270,000 on"),
        ("retrieval", "never"),
        ("lora", "never"),
    )
    assert story.bands.emphasis == (0,)
    assert "Not decided, and so not among them: copy nearest." in story.bands.note
    rows = {row[:2]: row[2:] for row in story.pairs.rows}
    assert rows["prompting", "lora"] == ("USD 94.76", "about 720,000")
    assert rows["linear head", "retrieval"][1:] == ("never",)
    assert rows["retrieval", "lora"] == ("USD 60.10", "about 4.5 million")
    assert rows["copy nearest", "linear head"][0] == "too close to tell"
    assert len(rows) == 10, "each two of five that may be chosen; majority misses"


def test_where_a_machine_is_kept_on_two_cost_the_same_up_to_a_volume() -> None:
    """One was once said never to be the cheapest, and the two never to cost the same, by who came first."""
    bakeoff = Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(279, 300), seconds=0.01),
            evaluation_of("prompting", scores_of(285, 300, 5), seconds=0.4, model="m"),
        ),
        benchmark=benchmark_of(volume=10_000),
        prices=MachinePrices(machine_hour=1.0, upkeep=Upkeep(machine_hours=100)),
    )
    story = bakeoff.told().story
    assert monthly(bakeoff, 10_000) == {"linear head": 100.0, "prompting": 100.0}
    assert story.bands.rows == (("linear head", "any number"), ("prompting", "up to about 900,000"))
    assert story.pairs.rows == (("linear head", "prompting", "too close to tell", "up to about 900,000"),)
    kept_on, dearer = (Line(name=str(each), fixed=0.0, each=each, at_least=100.0) for each in (0.01, 0.02))
    assert broken_even(kept_on, dearer) == broken_even(dearer, kept_on) == "up to about 5,000"
    assert broken_even(kept_on, kept_on) == "any number"
    assert "If linear head cost a little more: prompting would be preferred." in story.would_change


def test_a_limit_on_costs_is_said_not_to_be_part_of_the_bands() -> None:
    said = "The limit on costs is not reckoned with here."
    assert said in BAKEOFFS["a limit on costs"].told().story.bands.note
    assert said not in BAKEOFFS["money"].told().story.bands.note


def test_months_stand_in_the_table_where_something_was_spent_once_only() -> None:
    assert BAKEOFFS["machine time"].told().story.pairs.columns[-1] == "paid back"
    assert SITUATIONS["everything_meets"]().told().story.pairs.columns[-1] == "the two cost the same at"
    (row,) = (row for row in BAKEOFFS["machine time"].told().story.pairs.rows if row[:2] == ("lora", "retrieval"))
    assert row[-1] == "after 2 months"


def test_where_nothing_meets_there_are_no_bands_and_all_pairs() -> None:
    story = SITUATIONS["nothing_meets"]().told().story
    assert story.bands.rows == ()
    assert [row[:2] for row in story.pairs.rows] == [
        ("majority", "prompting"),
        ("majority", "lora"),
        ("prompting", "lora"),
    ]
    assert story.facts["by_volume"]["cheapest"] == []


def test_what_has_no_comparable_cost_is_said_to_be_left_out() -> None:
    bakeoff = SITUATIONS["unknown_price"]()
    another = evaluation_of("retrieval", scores_of(285, 300, 3), seconds=0.5, model="smollm2-135m")
    story = replace(bakeoff, evaluations=(*bakeoff.evaluations, another)).told().story
    assert [row[0] for row in story.bands.rows] == ["lora", "retrieval"]
    assert "Of no comparable cost, and so not among them: prompting." in story.bands.note
    assert all("prompting" not in row[:2] for row in story.pairs.rows)


def test_one_alone_has_no_table_and_a_band_of_any_volume_in_the_numbers() -> None:
    bakeoff = Bakeoff(evaluations=(evaluation_of("lora", scores_of(280, 300)),), benchmark=benchmark_of())
    story = bakeoff.told().story
    assert (story.bands.rows, story.pairs.rows, story.pairs.note) == ((), (), "")
    assert story.facts["by_volume"] == {"cheapest": [{"name": "lora", "above": 0.0, "upto": None}], "pairs": []}


def told(story: Story, form: str) -> str:
    return render(story, form)


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_both_tables_stand_in_the_report_beside_what_a_month_costs(form: str) -> None:
    said = told(rich_story(), form)
    assert said.count("Which costs the least at which volume") >= 1
    assert said.count("Each pair by cost") >= 1
    assert "about 1,900 on" in said
    assert "Each pair by cost" not in told(empty_story(), form)


def test_the_page_has_them_where_no_line_can_be_drawn() -> None:
    page = told(replace(rich_story(), volumes=None), "html")
    assert page.index('id="volumes"') < page.index('id="bands-caption"') < page.index('id="numbers-pairs"')


def test_programs_get_the_numbers() -> None:
    found = json.loads(told(BAKEOFFS["money"].told().story, "json"))
    assert found["bands"]["rows"][0] == ["prompting", "up to about 270,000"]
    pair = next(
        each
        for each in found["facts"]["by_volume"]["pairs"]
        if each["dearer"] == "lora" and each["cheaper"] == "retrieval"
    )
    assert pair["months_to_pay_back"] is None, "fitting lora took more than the index"
    assert pair["saves_a_month"]["unit"] == "USD"
    found = json.loads(told(BAKEOFFS["machine time"].told().story, "json"))
    pairs = {(each["cheaper"], each["dearer"]): each for each in found["facts"]["by_volume"]["pairs"]}
    saved = pairs["lora", "retrieval"]["saves_a_month"]["value"]
    assert pairs["lora", "retrieval"]["months_to_pay_back"] == pytest.approx((1800 - 40) / saved)


def test_they_are_among_what_a_verdict_follows_from() -> None:
    lines = premises(BAKEOFFS["money"].told())
    (cheapest,) = (
        line for line in lines if line.startswith("Cheapest of those that meet, at so many requests a month: ")
    )
    assert "prompting up to about 270,000; linear head from about 270,000 on" in cheapest
    (even,) = (line for line in lines if line.startswith("Break-even volumes, in requests a month: "))
    assert "prompting and lora about 720,000" in even
    assert even.endswith("; never for any other two.")
    assert "Break-even volumes: never, for any two approaches." in premises(SITUATIONS["everything_meets"]().told())
    assert any(line.startswith("Cheapest of all, ") for line in premises(SITUATIONS["no_target"]().told()))
