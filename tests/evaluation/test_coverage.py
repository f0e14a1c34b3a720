"""How right the surest answers are: in order of sureness, ties on average, and nothing where nobody says how sure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest

from benchmarks.contract import Row
from benchmarks.evaluation.coverage import coverage
from strategies.contract import Abstention, Outcome, Prediction
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of


def row(place: int, sure: float | None, score: float) -> Row:
    found: Outcome = Abstention(reason="none")
    if sure is not None:
        found = Prediction(text="refund", probabilities={"refund": sure, "cancel": 1 - sure})
    return Row(candidate="c", purpose="heldout", key=f"h{place:03}", outcome=found, score=score)


def rows(pairs: Sequence[tuple[float | None, float]]) -> list[Row]:
    return [row(place, sure, score) for place, (sure, score) in enumerate(pairs)]


BENCHMARK = benchmark_of(cases=8)


def test_the_surest_are_right_where_sureness_means_something() -> None:
    found = coverage(BENCHMARK, rows([(0.9 - place / 100, float(place < 4)) for place in range(8)]))
    assert found is not None
    assert found.shares == (1.0, 0.9, 0.75, 0.5, 0.25)
    assert found.figures == pytest.approx((0.5, 4 / 7, 4 / 6, 1.0, 1.0))
    assert found.order == 1.0
    turned = coverage(BENCHMARK, rows([(0.6 + place / 100, float(place < 4)) for place in range(8)]))
    assert turned is not None
    assert (turned.figures[-1], turned.order) == (0.0, 0.0)


def test_equally_sure_answers_count_on_average_in_whatever_order_they_come() -> None:
    pairs: list[tuple[float | None, float]] = [(0.7, float(place < 2)) for place in range(8)]
    found = coverage(BENCHMARK, rows(pairs))
    assert found is not None
    assert found.figures == pytest.approx((0.25,) * 5)
    assert found.order == 0.5
    random.Random(1).shuffle(pairs)
    assert coverage(BENCHMARK, rows(pairs)) == found


def test_the_order_is_that_of_all_pairs() -> None:
    dice = random.Random(4)
    pairs = [(dice.choice([0.5, 0.6, 0.7, 0.8]), dice.choice([0.0, 0.5, 1.0])) for _ in range(40)]
    told = [(one, other) for one, other in combinations(pairs, 2) if one[1] != other[1]]
    better = [0.5 if one[0] == other[0] else float((one[0] > other[0]) == (one[1] > other[1])) for one, other in told]
    found = coverage(benchmark_of(cases=40), rows(pairs))
    assert found is not None
    assert found.order == pytest.approx(sum(better) / len(better))


def test_where_nobody_says_how_sure_nothing_is_said() -> None:
    assert coverage(BENCHMARK, rows([(None, 0.0)] * 8)) is None
    of_rows = coverage(replace(BENCHMARK, metric=PlainMetric(over_rows=True)), rows([(0.5, 1.0)] * 8))
    assert of_rows == coverage(BENCHMARK, rows([(0.5, 1.0)] * 8)), "single answers, whatever the metric"
    alike = coverage(BENCHMARK, rows([(0.5, 1.0)] * 8))
    assert alike is not None
    assert alike.order is None


def test_a_refusal_counts_as_the_least_sure() -> None:
    pairs: list[tuple[float | None, float]] = [(0.8, 1.0)] * 39 + [(None, 0.0)]
    found = coverage(benchmark_of(cases=40), rows(pairs))
    assert found is not None
    assert found.figures[:2] == (0.975, 1.0)


def test_the_story_shows_it_for_every_approach_that_is_sure_of_something() -> None:
    benchmark = benchmark_of(cases=100)
    scores = scores_of(84, 100)
    known = coverage(benchmark, rows([(0.5 + score / 4 + place / 1000, score) for place, score in enumerate(scores)]))
    evaluations = (
        replace(evaluation_of("linear head", scores), coverage=known),
        evaluation_of("majority", scores_of(30, 100)),
    )
    story = Bakeoff(evaluations=evaluations, benchmark=benchmark).told().story
    assert story.coverage.rows == (("linear head", "84 %", "93 %", "100 %", "100 %", "100 %", "100 %"),)
    facts = next(each for each in story.facts["candidates"] if each["name"] == "linear head")
    assert facts["coverage"]["figures"][0] == 0.84
