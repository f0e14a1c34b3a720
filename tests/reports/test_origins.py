"""Numbers that are computed from others: each is what it says that it was computed from, and `--explain` tells it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from advisor.story.origins import origins
from benchmarks.statistics.confidence import exact_interval
from tests.situations import SITUATIONS
from tests.verdict_cases import Bakeoff

every_situation = pytest.mark.parametrize("build", SITUATIONS.values(), ids=list(SITUATIONS))


def facts_of(name: str) -> Any:
    return SITUATIONS[name]().told().story.facts


def lines(name: str) -> str:
    return "\n".join(line for told in origins(facts_of(name)).values() for line in told)


# ---------------------------------------------------------------- computed from what is said


@every_situation
def test_a_saving_is_the_difference_of_two_bills(build: Callable[[], Bakeoff]) -> None:
    facts = build().told().story.facts
    bills = {each["name"]: each["monthly"] for each in facts["candidates"]}
    for each in facts["savings"]:
        assert each["bills"] == {name: bills[name] for name in (each["dearer"], each["cheaper"])}
        difference = bills[each["dearer"]]["value"] - bills[each["cheaper"]]["value"]
        assert each["saved"]["value"] == pytest.approx(difference)


@every_situation
def test_what_it_is_worth_to_find_out_is_a_product(build: Callable[[], Bakeoff]) -> None:
    for each in build().told().story.facts["deciding"]:
        product = each["chance"] * each["power"] * each["saved"]["value"] * each["months"]
        assert each["worth"]["value"] == pytest.approx(product)
        assert 0.5 < each["power"] < 0.8  # Which it would be if the figure held.


def test_the_labels_of_these_cases_have_the_stated_price() -> None:
    facts = facts_of("limits_that_may_be_broken")
    (stake,) = facts["deciding"]
    assert stake["labels"]["value"] == pytest.approx(0.02 * stake["more"])
    assert facts["label_price"] == {"value": 0.02, "unit": "USD"}


@every_situation
def test_a_turning_point_is_a_multiple_of_what_is_now(build: Callable[[], Bakeoff]) -> None:
    for each in build().told().story.facts["turning_points"]:
        assert each["bills"]
        if each["now"] is None:  # Nothing was said of how often it changes.
            continue
        wanted = each["now"] / each["times"] if each["unit"] == "months" else each["now"] * each["times"]
        assert each["at"] == pytest.approx(wanted)


def test_at_the_turning_point_a_range_meets_the_limit() -> None:
    found = {each["of"]: each for each in facts_of("prices_in_money")["turning_points"]}
    hour = found["the price of a machine hour"]
    assert hour["bills"]["lora"]["value"] == pytest.approx(0.2 * 10_000 / 3600 * hour["at"])
    assert hour["bills"]["lora"]["low"] == pytest.approx(5.0, rel=1e-3), "above the limit beyond doubt"
    assert found["the price of big-one"]["bills"]["lora"]["high"] == pytest.approx(
        found["the price of big-one"]["bills"]["prompting"]["value"], rel=1e-2
    )


def test_the_prompt_is_worth_what_the_curve_says_of_its_figure() -> None:
    facts = facts_of("more_examples_would_help")
    curve = next(each["curve"] for each in facts["candidates"] if each["name"] == "lora")
    sizes = np.log([point["examples"] for point in curve])
    figures = [sum(point["figures"]) / point["samples"] for point in curve]
    worth = facts["prompt_worth"]
    assert worth["examples"] == pytest.approx(math.exp(np.interp(worth["figure"], figures, sizes)))
    assert worth["surely"] > worth["examples"]


@pytest.mark.parametrize(
    ("name", "check", "counted", "of"),
    [
        ("facts_in_the_documents_change", "changed", "new", "known"),
        ("facts_in_the_documents_change", "altered", "at_once", "cases"),
        ("labels_are_added", "added", "at_once", "cases"),
    ],
)
def test_intervals_are_those_of_the_counts(name: str, check: str, counted: str, of: str) -> None:
    found = [each[check] for each in facts_of(name)["candidates"] if each[check] is not None]
    assert len(found) > 2
    for each in found:
        wanted = list(exact_interval(each[counted], each[of])) if each[of] else None
        assert each["interval"] == (None if wanted is None else pytest.approx(wanted))


def test_what_fitting_took_is_paid_back_by_the_saving() -> None:
    facts = facts_of("fitting_is_paid_back")
    back, (saving,) = facts["paid_back"], facts["savings"]
    assert (saving["cheaper"], saving["dearer"]) == (back["candidate"], back["against"])
    assert back["months"] == pytest.approx(back["spent"]["value"] / saving["saved"]["value"])
    fitting = {each["name"]: each["spent"]["value"] for each in facts["candidates"]}
    assert back["spent"]["value"] == pytest.approx(fitting["lora"] - fitting["retrieval"])
    assert "What fitting lora cost more than fitting retrieval, 2.3 h, over what it saves a month" in lines(
        "fitting_is_paid_back"
    )


# ---------------------------------------------------------------- told


@every_situation
def test_lines_are_whole_and_stand_under_a_title(build: Callable[[], Bakeoff]) -> None:
    for title, told in origins(build().told().story.facts).items():
        assert title
        assert told
        assert all(line[0].isupper() or line[0].isdigit() for line in told)
        assert all(line.endswith(".") for line in told)
        assert not any("None" in line or "nan" in line.split() for line in told)


def test_each_number_is_told_with_what_it_comes_from() -> None:
    assert "Lora (USD 0.22) costs USD 8.18 less than prompting (USD 8.40)" in lines("prices_in_money")
    assert (
        "The price of a machine hour at USD 10.59 in place of USD 0.40 (26 times): bills a month are then lora USD 5.88 "
        "(USD 5.00 to USD 6.76) and prompting USD 8.40; the limit is 5.00." in lines("prices_in_money")
    )
    assert (
        "0.9049 x 0.693 (the chance that 1,455 more held-out cases show it) x 65 min saved a month x 12 months = 8.2 h."
        in lines("safe_but_cheaper_undecided")
    )
    examples = lines("more_examples_would_help")
    assert "Lora by its number of examples: 0.4500 with 37, 0.5800 with 75, 0.6800 with 150" in examples
    assert "as much as with 99 examples on average, and with 139 once" in examples
    assert "retrieval 47 of 52 (0.7897 to 0.9680)" in lines("facts_in_the_documents_change")


def test_limits_are_told_with_what_is_held_against_them() -> None:
    told = origins(facts_of("limits_that_may_be_broken"))["What the limits are held against"]
    assert len(told) == 7
    assert "lora 295 of 300 (at most 0.9934)" in told[5]
    assert "held against the lower bound:" in told[6]
    assert "lora 7 of 50 (at least 0.0676)" in told[6]
    assert "lora 4 of 50 (95th percentile 1.3 s)" in told[1]
    assert "lora 0.6500 of 40 cases where persona is chatty (at most 0.79" in told[2]
