"""Handing the unsure ones to a person: where the threshold falls, what is counted, and that the bound keeps its word."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.checked import Handover
from benchmarks.contract import Row
from benchmarks.evaluation.handover import _threshold, handover
from strategies.contract import Evidence, Failure, Prediction
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of

TARGET = 0.8


def looks(pairs: Sequence[tuple[float, bool]]) -> list[list[Any]]:
    return [[f"s{place}", "text", float(right), sure] for place, (sure, right) in enumerate(pairs)]


def rows(pairs: Sequence[tuple[float, bool]], known: bool = True) -> list[Row]:
    return [
        Row(
            candidate="lora",
            purpose="heldout",
            key=f"h{place:03}",
            outcome=Prediction(text="refund", probabilities={"refund": sure, "other": 1 - sure} if known else None),
            score=float(right),
        )
        for place, (sure, right) in enumerate(pairs)
    ]


def drawn(dice: random.Random, count: int, honest: bool = True) -> list[tuple[float, bool]]:
    """Answers that are right as often as they are sure, or that only look sure."""
    sure = [dice.uniform(0.5, 1.0) for _ in range(count)]
    return [(each, dice.random() < (each if honest else 0.6)) for each in sure]


def test_the_threshold_is_the_lowest_that_reaches_the_target() -> None:
    right = [(1 - place / 100, 1.0) for place in range(30)]
    wrong = [(0.5 - place / 100, 0.0) for place in range(20)]
    assert _threshold(right + wrong, TARGET) == pytest.approx(0.44)  # 30 of 37 are .81, 30 of 38 are .79
    assert _threshold(right, TARGET) is None, "all of them do"
    assert _threshold(wrong + wrong, TARGET) is None, "none does"
    assert _threshold([(0.9, 1.0)] * 30 + [(0.9, 0.0)] * 10, TARGET) is None, "equal ones stay together"
    assert _threshold([*right, *wrong, *[(None, 1.0)] * 2], TARGET) == pytest.approx(0.44), "of those that say it"
    assert _threshold([*right, *wrong, *[(None, 1.0)] * 3], TARGET) is None, "more than one in twenty do not"
    assert _threshold(right[:10] + wrong[:5], TARGET) is None, "too few"
    assert _threshold([(0.9, 1.0)] * 16 + [(0.9, 0.0)] * 4 + [(0.5, 0.0)] * 5, TARGET) == 0.9, "16 of 20 reach it"


def test_what_it_does_is_counted_on_the_held_out_cases() -> None:
    dice = random.Random(1)
    looked, asked = drawn(dice, 200), drawn(dice, 300)
    found = handover(benchmark_of(target=TARGET), looks(looked), rows(asked), 0.05)
    assert found is not None
    kept = [right for sure, right in asked if sure >= found.threshold]
    assert (found.alone, found.of) == (len(kept), 300)
    assert found.figure == pytest.approx(sum(kept) / len(kept))
    assert found.lower < found.figure


def test_an_answer_as_sure_as_the_threshold_is_kept_and_cases_of_a_group_count_as_one() -> None:
    looked = looks([(0.9, True)] * 30 + [(0.5, False)] * 20)

    def found(kept: int, groups: Sequence[str] = ()) -> Handover | None:
        benchmark = benchmark_of(cases=100, target=TARGET, groups=groups)
        return handover(benchmark, looked, rows([(0.9, True)] * kept + [(0.5, False)] * (100 - kept)), 0.05)

    alone, together = found(60), found(60, [f"g{place // 6}" for place in range(100)])
    assert alone is not None
    assert together is not None
    assert alone.alone == together.alone == 60
    assert together.lower < alone.lower - 0.1
    assert [found(kept) is None for kept in (19, 20, 99, 100)] == [True, False, False, True]


def test_an_answer_that_was_lost_goes_to_the_person() -> None:
    dice = random.Random(1)
    looked, asked = looks(drawn(dice, 200)), rows(drawn(dice, 300))
    lost = Failure(kind="infrastructure", message="HTTP 503")

    def found(held_out: int, selected: int = 0) -> Handover | None:
        gone = [replace(row, outcome=lost, score=0.0) for row in asked[:held_out]]
        said = [[row[0], "", 0.0, None] for row in looked[:selected]]
        benchmark = benchmark_of(target=TARGET)
        return handover(benchmark, [*said, *looked[selected:]], [*gone, *asked[held_out:]], 0.05)

    whole, some = found(0), found(15)
    assert whole is not None
    assert some is not None
    gone = sum(row.outcome.probabilities["refund"] >= whole.threshold for row in asked[:15])  # type: ignore[union-attr, index]
    assert (some.threshold, some.of, some.alone) == (whole.threshold, 300, whole.alone - gone)
    assert found(0, selected=10) is not None
    assert [found(16), found(0, selected=11)] == [None, None]


def test_nothing_is_said_where_nothing_is_known() -> None:
    dice = random.Random(2)
    looked, asked = looks(drawn(dice, 200)), drawn(dice, 300)
    benchmark = benchmark_of(target=TARGET)
    assert handover(benchmark, looked, rows(asked), 0.05) is not None
    assert handover(benchmark, looked, rows(asked, known=False), 0.05) is None
    near = [(Evidence(document_id="d", text="t", score=sure),) for sure, _ in asked]
    found = [
        replace(row, outcome=Prediction(text="refund", evidence=each))
        for row, each in zip(rows(asked), near, strict=True)
    ]
    assert handover(benchmark, looked, found, 0.05) is None, "how near a passage is says nothing of a label"
    by_nearness = handover(benchmark, looked, found, 0.05, near=True)
    assert by_nearness == handover(benchmark, looked, rows(asked), 0.05), "but all of one that goes by nothing else"
    assert handover(benchmark, [], rows(asked), 0.05) is None
    assert handover(replace(benchmark, target=None), looked, rows(asked), 0.05) is None
    assert handover(replace(benchmark, sequential=True), looked, rows(asked), 0.05) is None
    of_rows = handover(replace(benchmark, metric=PlainMetric(over_rows=True)), looked, rows(asked), 0.05)
    assert of_rows == by_nearness, "single answers, whatever the metric"


@pytest.mark.parametrize("honest", [True, False])
def test_the_bound_is_above_the_truth_in_at_most_one_of_twenty(honest: bool) -> None:
    """Of approaches that know what they are unsure of, and of one that does not: 600 draws each."""
    too_high = said = 0
    for seed in range(600):
        dice = random.Random(seed)
        found = handover(benchmark_of(target=0.7), looks(drawn(dice, 60, honest)), rows(drawn(dice, 300, honest)), 0.05)
        if found is not None:
            said += 1
            truth = (found.threshold + 1) / 2 if honest else 0.6
            too_high += found.lower > truth
    assert said >= 30
    assert too_high / said <= 0.05 + 3 * float(np.sqrt(0.05 * 0.95 / said))


def told(part: Handover, right: int = 180) -> Any:
    return Bakeoff(
        evaluations=(
            replace(evaluation_of("lora", scores_of(right, 300)), handover=part),
            evaluation_of("majority", scores_of(20, 300)),
        ),
        benchmark=benchmark_of(target=TARGET),
    ).told()


def test_a_person_for_the_rest_is_a_next_step_only_where_it_is_proven_and_needed() -> None:
    proven = Handover(threshold=0.7, alone=150, of=300, figure=0.9, lower=0.84)
    story = told(proven).story
    assert story.handover.rows == (("lora", "50 %", "90 %", "84 %", "meets"),)
    wanted = "Let lora answer 50 % of the requests alone, 90 % of them right (at least 84)"
    assert any(step.startswith(wanted) for step in story.next_steps)
    open_still = told(replace(proven, lower=0.78)).story
    assert open_still.handover.rows[0][-1] == "undecided"
    assert not any("alone" in step for step in open_still.next_steps)
    assert told(proven, right=290).story.handover.rows == (), "it meets the target by itself"
