"""What it is worth to find out whether a cheaper approach passes, beside what the labels cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.costs.prices import MachinePrices
from benchmarks.statistics.chances import chance_above, chance_shown
from benchmarks.statistics.confidence import clopper_pearson_lower, more_cases
from tests.situations import safe_but_cheaper_undecided
from tests.verdict_cases import Bakeoff, evaluation_of, scores_of


def steps(bakeoff: Bakeoff) -> list[str]:
    return [step for step in bakeoff.told().story.next_steps if "is thus worth about" in step]


def priced(label: float | None, hour: float = 6.0) -> Bakeoff:
    given = safe_but_cheaper_undecided()
    extras = dataclasses.replace(given.extras, label_price=None if label is None else (label, "USD"))
    return dataclasses.replace(given, prices=MachinePrices(machine_hour=hour), extras=extras)


def test_dear_labels_are_not_worth_it_and_cheap_ones_are() -> None:
    (dear,) = steps(priced(0.5))
    assert dear.endswith("and about 1,500 labels cost about USD 730: stop labelling and take retrieval.")
    (cheap,) = steps(priced(0.01))
    assert cheap.endswith("and about 1,500 labels cost about USD 15.00: finding out about linear head pays.")
    (unknown,) = steps(priced(None))
    assert unknown.endswith(": keep labelling only if that costs less.")
    assert "about 1,500 more held-out cases would show it with a chance of about 69 %" in unknown


def test_the_worth_is_the_chance_to_pass_and_to_be_shown_times_the_saving_over_the_horizon() -> None:
    """10,000 requests a month at 0.39 s less each are 65 minutes, 12 months of them 13 hours at 6 USD: USD 78. Passing has
    a chance of 90 %, being shown then one of 69 %: it would be 80 % if the figure were known to hold."""
    (said,) = steps(priced(None))
    assert "The chance that linear head meets the target is about 90 %" in said
    assert "USD 6.50 a month" in said
    assert "worth about USD 49.00 over 12 months" in said
    given = priced(None)
    longer = dataclasses.replace(given, benchmark=dataclasses.replace(given.benchmark, horizon_months=24))
    assert "worth about USD 98.00 over 24 months" in steps(longer)[0]


def test_nothing_is_said_of_one_below_the_target() -> None:
    """As many cases as show that it misses would seldom show that it meets, even where it does."""
    given = priced(None)
    below = dataclasses.replace(
        given,
        evaluations=(evaluation_of("linear head", scores_of(233, 300), seconds=0.01), *given.evaluations[1:]),
    )
    told = below.told()
    assert told.recommendation.cheaper_undecided == ("linear head",)
    assert told.recommendation.statuses[0].more_cases
    assert steps(below) == []


def test_nothing_is_said_where_no_saving_is_known() -> None:
    given = safe_but_cheaper_undecided()
    tied = tuple(
        dataclasses.replace(each, answering=given.evaluations[1].answering, simplicity=place)
        for place, each in enumerate(given.evaluations)
    )
    assert steps(dataclasses.replace(given, evaluations=tied)) == []


@pytest.mark.parametrize("scale", [1.0, 0.98])
def test_chances_are_those_of_the_figure_and_its_spread(scale: float) -> None:
    """Graded scores take the other way and come to about the same."""
    scores = scale * np.array(scores_of(249, 300))
    assert chance_above(scores, None, 0.83 * scale) == pytest.approx(0.5, abs=0.03)
    assert chance_above(scores, None, 0.8 * scale) == pytest.approx(0.91, abs=0.02)
    assert chance_above(scores, None, 0.95) < 0.001
    pairs = [str(place // 2) for place in range(300)]
    twice = np.repeat(scores[:150], 2)
    assert 0.5 < chance_above(twice, pairs, 0.8 * scale) < chance_above(twice, None, 0.8 * scale)


def test_rare_low_scores_that_no_case_shows_are_reckoned_with() -> None:
    """A hundred answers of six fields in seven: one in a hundred may be wholly wrong unseen, and .849 misses .85."""
    assert 0.4 < chance_above([6 / 7] * 100, None, 0.85) < 0.7
    twelve = [str(place // 10) for place in range(120)]
    assert chance_above([1.0] * 120, twelve, 0.9) < 0.95


@pytest.mark.parametrize(("right", "cases", "target"), [(249, 300, 0.8), (166, 200, 0.8), (184, 200, 0.9)])
def test_to_be_shown_is_averaged_over_what_the_figure_may_be(right: int, cases: int, target: float) -> None:
    """Beside a simulation of it: a share from its posterior that meets the target, further cases of that, and the test."""
    level, scores = 0.0096, scores_of(right, cases)
    more = more_cases(scores, None, target, level)
    assert more is not None
    dice = np.random.default_rng(0)
    shares = dice.beta(right + 0.5, cases - right + 0.5, 40_000)
    shares = shares[shares >= target]
    found = right + dice.binomial(more, shares)
    shown = np.mean([clopper_pearson_lower(int(each), cases + more, level) >= target for each in found[:4000]])
    assert chance_shown(scores, None, target, (more, 0.8)) == pytest.approx(shown, abs=0.03)
