"""Limits on shares of answers: only what is shown to break one is ruled out; what is beyond it, or not measured, is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scipy import stats

from advisor.contract import Recommendation
from advisor.decision import shares
from advisor.decision.share_limits import SHARE_LIMITS, measured, unchecked
from benchmarks.checked import ByGroup, Grounding, Planted
from benchmarks.contract import BadInput, Constraints, Evaluation, State
from benchmarks.evaluation.misfits import OUTSIDE
from benchmarks.specs.spec import parse_spec
from benchmarks.statistics.counted import lower
from strategies.contract import Case
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of

CASES = 100
GOALS: dict[str, Any] = {
    "valid_at_least": 0.95,
    "grounded_at_least": 0.9,
    "declined_at_least": 0.5,
    "planted_at_most": 0.1,
}


def having(key: str, count: int, by_group: ByGroup = ()) -> Evaluation:
    """With `count` of `CASES` of what the limit counts."""
    alone = evaluation_of("prompting", scores_of(95, CASES))
    stands = Grounding(
        declined=0,
        declined_wrong=0,
        evidence=count,
        documents=0,
        nowhere=CASES - count,
        nowhere_wrong=0,
        vague=0,
        unanswerable=CASES,
        unanswerable_answered=CASES - count,
        grounded_by_group=by_group,
        declined_by_group=by_group,
    )
    if key == "valid_at_least":
        return replace(alone, failures={OUTSIDE: CASES - count}, valid_by_group=by_group)
    if key == "planted_at_most":
        return replace(alone, planted=(Planted(place="request", cases=CASES, followed=count, by_group=by_group),))
    return replace(alone, grounding=stands)


def decided(found: Evaluation, **limits: Any) -> Recommendation:
    return Bakeoff(
        evaluations=(found,), benchmark=benchmark_of(cases=CASES, constraints=Constraints(**limits))
    ).recommended()


@pytest.mark.parametrize("key", SHARE_LIMITS)
def test_of_each_limit_there_are_three_states(key: str) -> None:
    """One of twenty approaches that are exactly at the limit is ruled out at the most."""
    goal, most = GOALS[key], SHARE_LIMITS[key].most
    seen = set()
    for count in range(CASES + 1):
        side = "greater" if most else "less"
        broken = stats.binomtest(count, CASES, goal, alternative=side).pvalue < 0.05
        beyond = count > goal * CASES if most else count < goal * CASES
        found = decided(having(key, count), **{key: goal})
        said = " ".join(found.reasons)
        assert (found.statuses[0].state is State.RULED_OUT) == broken, count
        assert (f"may be beyond the limit on {SHARE_LIMITS[key].name}" in said) == (beyond and not broken), count
        assert f"{goal * 100:g} %" in said if broken else True
        seen.add((broken, beyond))
    assert seen == {(False, False), (False, True), (True, True)}


@pytest.mark.parametrize(("key", "groups"), [*zip(SHARE_LIMITS, (17, 16, 8, 4), strict=True)])
def test_cases_of_one_group_count_as_one(key: str, groups: int) -> None:
    """So many groups of 5 that have it as a whole: as cases that stand alone they would be proof, as groups they are none."""
    whole = ((5, 5),) * groups + ((0, 5),) * (20 - groups)
    goal = {key: GOALS[key]}
    assert decided(having(key, 5 * groups), **goal).statuses[0].state is State.RULED_OUT
    assert decided(having(key, 5 * groups, whole), **goal).statuses[0].state is not State.RULED_OUT
    count = 100 if SHARE_LIMITS[key].most else 0
    broken = having(key, count, ((count // 20, 5),) * 20)
    assert decided(broken, **goal).statuses[0].state is State.RULED_OUT


def test_two_places_share_the_level() -> None:
    """5 of 20 alone would be shown to be above a tenth, and not where two places were looked at."""
    one, other = (Planted(place=place, cases=20, followed=5) for place in ("request", "passage"))
    alone = replace(evaluation_of("prompting", scores_of(95, CASES)), planted=(one,))
    assert decided(alone, planted_at_most=0.1).statuses[0].state is State.RULED_OUT
    both = replace(alone, planted=(one, other))
    assert decided(both, planted_at_most=0.1).statuses[0].state is not State.RULED_OUT
    limits = benchmark_of(cases=CASES, constraints=Constraints(planted_at_most=0.1))
    assert [each["lower"] for each in measured(both, limits)["planted_at_most"]] == [lower(5, 20, (), 0.05 / 2)] * 2
    one_of_them = replace(alone, planted=(replace(one, followed=18), replace(other, followed=0)))
    assert decided(one_of_them, planted_at_most=0.1).statuses[0].state is State.RULED_OUT


def test_what_was_not_measured_is_said_once_for_all_and_rules_nothing_out() -> None:
    limits = Constraints(grounded_at_least=0.9, declined_at_least=0.5, planted_at_most=0.0)
    found = [evaluation_of(name, scores_of(95, CASES)) for name in ("prompting", "lora")]
    told = Bakeoff(evaluations=tuple(found), benchmark=benchmark_of(cases=CASES, constraints=limits)).recommended()
    for key in ("grounded_at_least", "declined_at_least", "planted_at_most"):
        (line,) = [line for line in told.reasons if f"The limit on {SHARE_LIMITS[key].name}" in line]
        assert "was not checked for prompting and lora" in line
    assert all(status.state is not State.RULED_OUT for status in told.statuses)


def test_what_meets_is_not_said_to_where_a_limit_was_not_measured() -> None:
    """At its target and at any other, whatever is changed afterwards; what misses by its answers misses."""
    limits = benchmark_of(cases=CASES, constraints=Constraints(planted_at_most=0.1))
    found = [evaluation_of(name, scores_of(right, CASES)) for name, right in (("linear head", 40), ("prompting", 95))]
    told = Bakeoff(evaluations=tuple(found), benchmark=limits).told()
    states = {each.candidate: each.state for each in told.recommendation.statuses}
    assert states == {"linear head": State.MISSES, "prompting": State.UNDECIDED}
    assert told.story.settled == "undecided"
    assert told.story.headline == (
        "Not decided yet: prompting (95 %) meets the target of 80 %, but whether it keeps the limit on planted instructions was "
        "not measured."
    )
    assert not any(each.named for each in told.recommendation.at_targets)
    step = "Have the limit on planted instructions checked for prompting, or take it out of the task: go on with"
    assert any(line.startswith(step) for line in told.recommendation.next_steps)
    assert not any("would be enough" in line for line in told.recommendation.would_change)
    safe = replace(found[1], planted=(Planted(place="request", cases=CASES, followed=0),))
    assert Bakeoff(evaluations=(found[0], safe), benchmark=limits).recommended().choice == "prompting"


def test_with_a_margin_one_that_is_not_checked_may_be_the_best_or_none() -> None:
    limits = replace(benchmark_of(cases=CASES, target=None, constraints=Constraints(planted_at_most=0.1)), margin=0.05)
    kept = (Planted(place="request", cases=CASES, followed=0),)
    best, other = evaluation_of("lora", scores_of(95, CASES)), evaluation_of("prompting", scores_of(40, CASES))
    other = replace(other, planted=kept)
    for planted, state in ((kept, State.MISSES), ((), State.UNDECIDED)):
        told = Bakeoff(evaluations=(replace(best, planted=planted), other), benchmark=limits).recommended()
        assert next(each.state for each in told.statuses if each.candidate == "prompting") is state
        assert told.verdict == ("choose" if planted else "undecided")
    third = replace(evaluation_of("linear head", scores_of(96, CASES, 1)), planted=kept)
    told = Bakeoff(evaluations=(best, other, third), benchmark=limits).recommended()
    states = {each.candidate: each.state for each in told.statuses}
    assert states["prompting"] is State.MISSES, "it lies too far below one of which all was measured"


def test_recorded_answers_are_told_what_helps_them() -> None:
    asked = replace(evaluation_of("recorded", scores_of(95, CASES)), latency=None)
    limits = benchmark_of(cases=CASES, constraints=Constraints(p95_latency_s=5, same_at_least=0.9))
    (step,) = (
        each for each in Bakeoff(evaluations=(asked,), benchmark=limits).told().story.next_steps if "Have the" in each
    )
    assert "state `seconds` with each recorded answer; answers from a file cannot be asked anew" in step


def test_why_no_question_was_declined_is_told_by_what_the_examples_say() -> None:
    refused = tuple(Case(id=f"e{place}", input="?", output="nowhere") for place in range(3))
    named = Case(id="e3", input="?", output="28", document_ids=("d",))
    task, found = task_of(kind="qa"), [evaluation_of("lora", scores_of(95, CASES))]

    def said(*examples: Case) -> list[str]:
        asked = replace(task, folds=(replace(task.folds[0], train=examples, selection=()),))
        benchmark = benchmark_of(cases=CASES, task=asked, constraints=Constraints(declined_at_least=0.5))
        return [line.split("lora: ")[1] for line in unchecked(found, benchmark)]

    assert said(*refused, named) == ["no held-out question is without an answer."]
    assert said(*refused[1:], named) == [
        "no answer of the examples was recognised as one that says that there is none."
    ]


def test_of_another_kind_of_task_it_is_not_said_that_nothing_specific_was_answered() -> None:
    """Of a run of an earlier version, which took such a limit."""
    limits = Constraints(grounded_at_least=0.9, declined_at_least=0.5)
    found, of_another_kind = [evaluation_of("lora", scores_of(95, CASES))], task_of(kind="generation", labels=0)
    lines = list(unchecked(found, benchmark_of(cases=CASES, task=of_another_kind, constraints=limits)))
    assert len(lines) == 2
    assert all(
        "looked up for questions over documents only, and this task is of another kind" in line for line in lines
    )
    (line, _) = unchecked(found, benchmark_of(cases=CASES, task=task_of(kind="qa"), constraints=limits))
    assert line.endswith("none of its answers has anything specific in it.")


def test_answers_that_were_lost_are_neither_valid_nor_invalid() -> None:
    evaluation = evaluation_of("lora", scores_of(90, 100))
    lost = replace(evaluation, failures={"infrastructure": 5, "unparsable": 5})
    assert shares.valid(lost, benchmark_of()) == shares.Counted(90, 95)
    assert shares.valid(replace(evaluation, failures={"infrastructure": 100}), benchmark_of()) is None


def test_a_task_without_a_form_has_no_invalid_answers() -> None:
    task = task_of(kind="generation", labels=0)
    limits = benchmark_of(cases=CASES, task=task, constraints=Constraints(valid_at_least=1.0))
    told = Bakeoff(evaluations=(having("valid_at_least", 50),), benchmark=limits).recommended()
    assert told.statuses[0].state is not State.RULED_OUT
    assert any("limit on valid answers was not checked" in line for line in told.reasons)


def spec(**limits: Any) -> dict[str, Any]:
    return {"name": "t", "instruction": "Do.", "examples": "e.jsonl", "documents": "d.jsonl", "constraints": limits}


def test_a_spec_states_them_and_none_at_all_may_be_followed() -> None:
    assert parse_spec(spec(**GOALS)).limits == Constraints(**GOALS)
    assert parse_spec(spec(planted_at_most=0)).limits.planted_at_most == 0.0
    followed = having("planted_at_most", 1)
    assert decided(followed, planted_at_most=0.0).statuses[0].state is State.RULED_OUT
    assert decided(having("planted_at_most", 0), planted_at_most=0.0).statuses[0].state is not State.RULED_OUT


@pytest.mark.parametrize("key", ["grounded_at_least", "declined_at_least"])
def test_a_limit_on_documents_takes_documents(key: str) -> None:
    values = spec(**{key: 0.9})
    del values["documents"]
    with pytest.raises(BadInput, match=f"{key} without documents"):
        parse_spec(values)
