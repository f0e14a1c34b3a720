"""The figures of a story as values: they say what the program says when it is asked one volume or target at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest

from advisor.contract import Story
from advisor.costs.economics import costs
from advisor.drawn import Cell, WinnerMap
from advisor.figures.searching import expected
from advisor.reports.lines import draw_lines
from advisor.story.explain import premises
from advisor.wording import percent
from benchmarks.costs.prices import MachinePrices
from benchmarks.probes.curve import bracket
from benchmarks.statistics.confidence import wilson
from strategies.contract import Trial
from tests.reports.test_what_if import BAKEOFFS, decided, shipped, wanted
from tests.situations import SITUATIONS, edits, figures
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of


def with_panel(bakeoff: Bakeoff) -> Bakeoff:
    return replace(bakeoff, extras=replace(bakeoff.extras, what_if=shipped(bakeoff)))


def drawn(bakeoff: Bakeoff) -> WinnerMap:
    found = with_panel(bakeoff).told().story.winners
    assert found is not None
    return found


def cell_at(chart: WinnerMap, goal: str, volume: float) -> Cell:
    place = chart.goals.index(goal)
    (strip,) = (strip for strip in chart.strips if strip.first <= place <= strip.last)
    (cell,) = (cell for cell in strip.cells if cell.above < volume <= cell.upto)
    return cell


# ---------------------------------------------------------------- the map


@pytest.mark.parametrize("name", list(BAKEOFFS))
def test_the_map_says_at_every_volume_and_goal_what_the_program_says(name: str) -> None:
    bakeoff, dice = BAKEOFFS[name], random.Random(name)
    chart = drawn(bakeoff)
    ends = chart.strips[0].cells[0].above, chart.strips[0].cells[-1].upto
    edges = {cell.upto for strip in chart.strips for cell in strip.cells[:-1]}
    volumes = {round(edge * factor) for edge in edges for factor in (0.995, 1.005)}
    volumes |= {round(ends[0] * (ends[1] / ends[0]) ** dice.uniform(0.01, 0.99)) for _ in range(6)}
    asked = 0
    for volume in sorted(volumes):
        benchmark, told = decided(bakeoff, volume, bakeoff.prices.machine_hour)
        for goal, named, unsettled in wanted(benchmark, told):
            cell = cell_at(chart, goal, volume)
            assert (cell.named, set(cell.unsettled)) == (named, set(unsettled)), (volume, goal)
            assert (cell.verdict == "choose") == (named is not None and not unsettled)
            asked += 1
    assert asked > 50


@pytest.mark.parametrize("name", list(BAKEOFFS))
def test_the_map_covers_every_goal_and_volume_once_and_has_no_border_within_one_answer(name: str) -> None:
    chart = drawn(BAKEOFFS[name])
    assert [place for strip in chart.strips for place in range(strip.first, strip.last + 1)] == list(
        range(len(chart.goals))
    )
    for strip in chart.strips:
        for one, other in pairwise(strip.cells):
            assert one.upto == other.above
            assert (one.verdict, one.named, one.unsettled) != (other.verdict, other.named, other.unsettled)
    assert len(chart.table.rows) == sum(len(strip.cells) for strip in chart.strips)
    assert chart.goals[chart.own or 0] in chart.title


def test_there_is_no_map_where_nothing_is_shown_to_meet_any_target() -> None:
    bakeoff = Bakeoff(
        evaluations=(evaluation_of("majority", scores_of(0, 20)), evaluation_of("lora", scores_of(0, 20))),
        benchmark=benchmark_of(cases=20),
    )
    assert with_panel(bakeoff).told().story.winners is None
    assert BAKEOFFS["money"].told().story.winners is None, "without the terms of the panel"


# ---------------------------------------------------------------- costs


@pytest.mark.parametrize("name", list(BAKEOFFS))
def test_every_point_of_a_cost_line_is_the_bill_at_that_volume(name: str) -> None:
    bakeoff = BAKEOFFS[name]
    chart = bakeoff.told().story.volumes
    assert chart is not None
    measured = {each.candidate: each for each in bakeoff.evaluations}
    for each in chart.series:
        for volume, cost in each.points[::5]:
            benchmark = replace(bakeoff.benchmark, volume=volume)  # type: ignore[arg-type]
            bill = costs(measured[each.name], benchmark, bakeoff.prices).monthly
            assert bill.value == pytest.approx(cost)
            assert bill.unit == chart.unit


def test_what_costs_nothing_is_the_cheapest_and_no_line() -> None:
    """A small head on the server that is there anyway, beside models that are paid by the hour."""
    bakeoff = Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(285, 300)),
            evaluation_of("lora", scores_of(288, 300), model="small"),
            evaluation_of("prompting", scores_of(30, 300), model="small"),
        ),
        benchmark=benchmark_of(),
        prices=MachinePrices(machine_hour=0.0, hours={"small": 2.0}),
    )
    told = bakeoff.told()
    assert told.recommendation.choice == "linear head"
    chart = told.story.volumes
    assert chart is not None
    assert chart.title == "Linear head costs the least of those that meet the target, at any volume"
    assert {each.name for each in chart.series} == {"lora", "prompting"}
    assert "linear head" in {row[0] for row in chart.table.rows}


@pytest.mark.parametrize(
    ("right", "prompts", "wanted"),
    [
        (
            (150, 276),
            288,
            "Of those whose costs can be compared only lora is shown to meet the target: 33 min a month at",
        ),
        (
            (270, 276),
            288,
            "Linear head costs the least of those that meet the target and whose costs can be compared, at any",
        ),
        (
            (150, 180),
            288,
            "What a month costs at which volume; the cost of prompting, which meets the target, cannot be",
        ),
        ((150, 276), 150, "Only lora is shown to meet the target: 33 min a month at 10,000 requests"),
    ],
)
def test_who_meets_at_a_cost_that_cannot_be_compared_is_not_forgotten(
    right: tuple[int, int], prompts: int, wanted: str
) -> None:
    prompting = evaluation_of("prompting", scores_of(prompts, 300, 3), model="house-llm", tokens=(400, 5), seconds=0.5)
    told = Bakeoff(
        evaluations=(
            evaluation_of("linear head", scores_of(right[0], 300), seconds=0.01),
            prompting,
            evaluation_of("lora", scores_of(right[1], 300, 5), seconds=0.2, model="smollm2-135m"),
        ),
        benchmark=benchmark_of(),
        prices=MachinePrices(tokens={"house-llm": None}),
    ).told()
    assert told.story.volumes is not None
    assert told.story.volumes.title.startswith(wanted)
    argument = premises(told)
    assert "In order of cost, where the simpler one wins a tie: linear head and lora." in argument
    assert "Of a cost that is not known or in another unit, and so in no such order: prompting." in argument


def test_a_break_even_is_where_two_bills_are_the_same_and_never_is_said_where_there_is_none() -> None:
    bakeoff = BAKEOFFS["money"]
    told = bakeoff.told()
    chart, named = told.story.volumes, told.recommendation.safe
    assert chart is not None
    assert chart.signs
    for sign in chart.signs:
        benchmark = replace(bakeoff.benchmark, volume=sign.x)  # type: ignore[arg-type]
        bills = [costs(each, benchmark, bakeoff.prices).monthly.value for each in bakeoff.evaluations]
        assert sum(bill == pytest.approx(sign.y) for bill in bills) >= 2
    rows = {row[0]: row[-1] for row in chart.table.rows}
    assert rows[named or ""] == "-"
    assert rows["linear head"].startswith("about ")
    seconds = BAKEOFFS["machine time"].told().story.volumes
    assert seconds is not None
    assert not seconds.signs
    assert {row[-1] for row in seconds.table.rows} == {"-", "never"}


# ---------------------------------------------------------------- the others


def test_the_forest_holds_every_difference_and_tells_those_that_are_shown() -> None:
    told = BAKEOFFS["money"].told()
    forest = told.story.apart
    assert forest is not None
    found = told.recommendation.differences
    assert [each.name for each in forest.estimates] == [each.second for each in found]
    for each, row, difference in zip(forest.estimates, told.story.differences.rows, found, strict=True):
        assert (each.value, each.lower, each.upper) == (difference.mean, difference.lower, difference.upper)
        assert row[3] in each.text
        assert (each.tone == "open") == (difference.lower <= 0 <= difference.upper)
        assert (each.tone == "above") == (difference.lower > 0)


def test_the_forest_shows_no_difference_that_the_test_of_the_table_does_not_show() -> None:
    lora = (1.0,) * 120 + (0.0,) * 180
    constant = (1.0,) * 100 + (0.0,) * 20 + (1.0,) * 9 + (0.0,) * 171
    evaluations = (evaluation_of("majority", constant, seconds=0.0001), evaluation_of("lora", lora, seconds=0.3))
    story = Bakeoff(evaluations=evaluations, benchmark=benchmark_of()).told().story
    (difference,) = story.facts["differences"]
    assert difference["lower"] > 0
    assert difference["p_value"] > 0.05
    assert story.apart is not None
    assert story.apart.estimates[0].tone == "open"
    assert "is not shown to differ from majority" in story.apart.title


def test_single_answers_are_not_told_as_better_or_worse_where_the_metric_is_one_over_rows() -> None:
    """Always saying no is right more often than finding every rare label with false alarms, whose F1 is higher."""
    forest = SITUATIONS["metric_over_rows"]().told().story.apart
    assert forest is not None
    assert forest.title == "Single answers on the same cases, not the macro F1 over all"
    assert {each.tone for each in forest.estimates} == {"open"}
    assert forest.sides == ("fewer right", "more right")


def test_the_share_of_same_answers_has_the_interval_of_its_pairs() -> None:
    forest = SITUATIONS["everything_meets"]().told().story.stable
    assert forest is not None
    first = forest.estimates[0]
    assert (first.name, first.value) == ("linear head", 0.96)
    assert (first.lower, first.upper) == wilson(96, 100)
    assert forest.title.startswith("From 90 % (prompting) to 96 % (linear head)")


def test_checks_of_one_candidate_alone_are_not_drawn() -> None:
    one = evaluation_of("lora", scores_of(250, 300), agreements=[edits(90, 6, 4)])
    other = evaluation_of("prompting", scores_of(240, 300), agreements=[edits(0, 0, 0)])
    assert Bakeoff(evaluations=(one, other), benchmark=benchmark_of()).told().story.stable is None


def trials(*looks: tuple[float, int, int]) -> list[Trial]:
    return [
        Trial(approach="a", configuration={}, score=score, cases=cases, tokens=tokens) for score, cases, tokens in looks
    ]


def test_what_fewer_tries_would_have_found_is_the_mean_over_all_ways_to_take_them() -> None:
    tried = trials((0.5, 75, 100), (0.4, 75, 100), (0.6, 20, 30), (0.2, 20, 30), (0.1, 20, 40), (0, 0, 300))
    ranked = [0.5, 0.4, 0.4, 0.2, 0.1]
    for taken, (tokens, score) in enumerate(expected(tried), start=1):
        picks = [ranked[min(some)] for some in combinations(range(5), taken)]
        assert score == pytest.approx(sum(picks) / len(picks))
        assert tokens == pytest.approx(300 + taken * 60)
    assert expected(tried)[-1] == (600.0, 0.5)
    scores = [score for _, score in expected(tried)]
    assert scores == sorted(scores)


def searched(rising: bool) -> Story:
    tried = {"lora": trials((0.8, 60, 900), (0.7, 60, 900)), "linear head": trials((0.8, 60, 0), (0.7, 60, 0))}
    bakeoff = SITUATIONS["everything_meets"]()
    evaluations = tuple(replace(each, rising=rising and each.candidate == "lora") for each in bakeoff.evaluations)
    return replace(bakeoff, evaluations=evaluations, extras=replace(bakeoff.extras, trials=tried)).told().story


def test_a_search_without_tokens_is_left_out_and_one_that_was_cut_short_is_named() -> None:
    chart = searched(rising=True).searched
    assert chart is not None
    assert [(each.name, each.note) for each in chart.series] == [("lora", "cut short")]
    assert chart.title == "Cut short by its budget: lora"
    calm = searched(rising=False).searched
    assert calm is not None
    assert calm.title == "No search was cut short by its budget"


def test_a_search_that_was_cut_short_after_one_score_is_a_dot_and_named() -> None:
    bakeoff = SITUATIONS["everything_meets"]()
    tried = {"prompting": trials((0.8, 60, 900), (0.7, 60, 900)), "lora": trials((0.7, 60, 1900), (0, 0, 300))}
    tried["lora"] = [replace(each, approach="lora") for each in tried["lora"]]
    evaluations = tuple(replace(each, rising=each.candidate == "lora") for each in bakeoff.evaluations)
    bakeoff = replace(bakeoff, evaluations=evaluations, extras=replace(bakeoff.extras, trials=tried))
    chart = bakeoff.told().story.searched
    assert chart is not None
    assert chart.title == "Cut short by its budget: lora; no other was"
    assert {each.name: (each.points[-1], each.note) for each in chart.series} == {
        "prompting": ((1800.0, 0.8), ""),
        "lora": ((2200.0, 0.7), "cut short"),
    }
    (row,) = (row for row in chart.table.rows if row[0] == "lora")
    assert row == ("lora", "1", "70 %", "70 %", "70 %", "70 %", "2,200", "cut short")
    ET.fromstring(draw_lines(chart, 900, "searched"))
    alone = replace(bakeoff, extras=replace(bakeoff.extras, trials={"lora": tried["lora"]}))
    assert alone.told().story.searched is None, "nothing was chosen among several"
    once = replace(bakeoff, extras=replace(bakeoff.extras, trials={"lora": tried["lora"][:1]})).told().story.tuning
    assert {row[0]: row[4] for row in once.rows}["lora"] == "cut short", "more of it might have been a choice"


def test_the_learning_curve_is_that_of_the_table() -> None:
    told = SITUATIONS["more_examples_would_help"]().told()
    chart = told.story.learning
    assert chart is not None
    rows = {row[0]: row for row in told.story.examples.rows}
    for each in chart.series:
        evaluation = next(one for one in told.evaluations if one.candidate == each.name)
        assert evaluation.curve is not None
        assert [percent(y) for _, y in each.points] == list(rows[each.name][1:5])
        assert all(low <= y <= high for (_, y), (_, low, high) in zip(each.points, each.ranges, strict=False))
        assert each.expected[-1] == (1200, *bracket(evaluation.curve.points, each.points[-1][1], 1200))
    assert chart.table == told.story.examples


def test_nothing_is_drawn_where_nothing_was_measured() -> None:
    assert figures(SITUATIONS["cannot_run"]().told().story) == []


@pytest.mark.parametrize("build", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_a_candidate_has_one_colour_in_all_figures(build: Callable[[], Bakeoff]) -> None:
    story = build().told().story
    lines = [figure for figure in (story.volumes, story.learning, story.searched) if figure]
    colours = {(each.name, each.colour) for figure in lines for each in figure.series}
    assert len(dict(colours)) == len(colours)
