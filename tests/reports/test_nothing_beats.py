"""Whether the verdict says that nothing beats one answer to every request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.contract import Evaluation, State
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

CONSTANT = evaluation_of("majority", scores_of(114, 200), chosen={"answer": "yes"})
SAID = "Nothing is shown to beat majority, which gives every request the same answer and reaches 57 %."


def told(*others: Evaluation, constant: Evaluation = CONSTANT, target: float | None = None) -> list[str]:
    bakeoff = Bakeoff(evaluations=(constant, *others), benchmark=benchmark_of(cases=200, target=target))
    return [reason for reason in bakeoff.recommended().reasons if "every request the same answer" in reason]


@pytest.mark.parametrize("target", [None, 0.5, 0.8])
def test_what_is_not_shown_to_be_ahead_does_not_beat_it_whatever_the_target(target: float | None) -> None:
    (said,) = told(evaluation_of("lora", scores_of(118, 200, 1)), target=target)
    assert said.startswith(SAID)
    reasons = Bakeoff(
        evaluations=(CONSTANT, evaluation_of("lora", scores_of(118, 200, 1))),
        benchmark=benchmark_of(cases=200, target=target),
    ).recommended()
    assert reasons.reasons[0] == said


def test_the_lead_that_would_have_shown_is_told_where_it_is_known() -> None:
    (said,) = told(evaluation_of("lora", scores_of(118, 200, 1)))
    lead = said.removeprefix(f"{SAID} A true lead of ").removesuffix(
        " points would show on these 200 cases 4 times in 5."
    )
    assert 10 < int(lead) < 20
    assert told(evaluation_of("lora", CONSTANT.scores)) == [SAID]


@pytest.mark.parametrize("right", [150, 190])
def test_nothing_is_said_where_something_is_ahead(right: int) -> None:
    weak = evaluation_of("prompting", scores_of(40, 200, 1))
    assert told(weak, evaluation_of("lora", scores_of(right, 200, 1))) == []
    assert told(weak, evaluation_of("lora", scores_of(right, 200, 1)), target=0.5) == []
    assert told(weak) != []


def test_nothing_is_said_where_it_stands_alone_or_was_not_asked() -> None:
    lost = evaluation_of("lora", state=State.CANNOT_RUN, problem="It does not fit.")
    assert told() == []
    assert told(lost) == []
    assert (
        told(evaluation_of("lora", scores_of(118, 200)), constant=evaluation_of("linear head", scores_of(114, 200)))
        == []
    )


def test_of_a_metric_over_rows_the_intervals_are_compared() -> None:
    def over_rows(name: str, figure: float, bounds: tuple[float, float]) -> Evaluation:
        made = evaluation_of(name, scores_of(100, 200), over_rows=(figure, [bounds[0]] * 50 + [bounds[1]] * 50))
        return replace(made, lower=bounds[0], upper=bounds[1])

    constant = over_rows("majority", 0.4, (0.35, 0.45))
    (said,) = told(over_rows("lora", 0.5, (0.44, 0.56)), constant=constant)
    assert said == "Nothing is shown to beat majority, which gives every request the same answer and reaches 40 %."
    assert told(over_rows("lora", 0.6, (0.5, 0.7)), constant=constant) == []
