"""What would close the gap where nothing meets: each with a size that was measured, or that it was not."""

from __future__ import annotations

from dataclasses import replace

from advisor.contract import Story
from advisor.goal import Goal
from advisor.story.more_data import enough
from benchmarks.checked import OfNamed, RetrievalQuality
from benchmarks.contract import Benchmark, Constraints, Evaluation, State
from benchmarks.costs.prices import MachinePrices, Upkeep
from benchmarks.learning import Curve, CurvePoint
from benchmarks.probes.curve import FURTHEST, bracket, examples_for
from tests.situations import SITUATIONS, grown
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of, task_of


def steps(
    *evaluations: Evaluation, benchmark: Benchmark | None = None, prices: MachinePrices | None = None
) -> tuple[str, ...]:
    return story(*evaluations, benchmark=benchmark, prices=prices).next_steps


def story(*evaluations: Evaluation, benchmark: Benchmark | None = None, prices: MachinePrices | None = None) -> Story:
    given = Bakeoff(evaluations=evaluations, benchmark=benchmark or benchmark_of(), prices=prices or MachinePrices())
    told = given.told().story
    assert told.verdict == "nothing meets"
    return told


def starting(found: tuple[str, ...], words: str) -> str:
    (line,) = (line for line in found if line.startswith(words))
    return line


PLAIN = evaluation_of("prompting", scores_of(150, 300, 5), seconds=0.2, model="small")
LAST = scores_of(210, 300, 5)


def learnt(right: tuple[int, int, int], last: tuple[float, ...] = LAST) -> Evaluation:
    return evaluation_of("lora", last, seconds=0.3, model="small", curve=grown(right, last))


def test_where_others_name_no_document_a_perfect_search_is_told_for_those_that_do() -> None:
    quality = RetrievalQuality(cases=90, recall_at={1: 0.5}, mrr=0.5)
    looking_up = replace(evaluation_of("retrieval", scores_of(120, 300)), retrieval=quality, oracle=0.58)
    told = story(looking_up)
    assert starting(told.next_steps, "A search that always") == (
        "A search that always finds the right document would bring retrieval from 40 % to 58 %, which would not be enough to "
        "meet the target if these figures hold."
    )
    some = story(replace(looking_up, oracle_named=OfNamed(cases=90, own=0.4, given=1.0)))
    assert starting(some.next_steps, "A search that always") == (
        "A search that always finds the right document would bring retrieval from 40 % to 100 % in the 90 cases that name "
        "theirs; what it would bring to the others is not known."
    )
    handed = "with the right documents handed over, 100 % would be reached in the 90 cases that name theirs, and 40 % without"
    assert any(handed in line for line in some.reasons)


def test_without_a_curve_more_examples_are_said_not_to_be_measured() -> None:
    assert starting(steps(PLAIN), "Collect more examples") == (
        "Collect more examples than the 300 there are, above all of the kinds that go wrong. How much they would help was "
        "not measured: run with --curve."
    )


def test_with_a_curve_they_have_the_number_that_would_do() -> None:
    found = learnt((30, 45, 58))
    assert found.curve is not None
    few, _ = examples_for(found.curve.points, found.figure, 0.8)
    assert few is not None
    line = starting(steps(PLAIN, found), "Collect more examples")
    assert "in all lora " in line
    assert "meet the target" in line
    assert "--curve" not in line


def test_the_number_that_would_do_takes_the_present_figure_to_hold() -> None:
    clause = enough(learnt((10, 35, 58)), 0.72, Goal.of(benchmark_of(target=0.72)), None)
    assert clause is not None
    assert clause.endswith("lora would probably meet the target if its present figure holds")


def test_their_labels_are_priced_where_the_task_says_what_one_costs() -> None:
    prices = MachinePrices(machine_hour=1.0, upkeep=Upkeep(label_price=0.5))
    line = starting(steps(PLAIN, learnt((30, 45, 58)), prices=prices), "Collect more examples")
    assert "or more for the labels)" in line
    assert "(USD " in line


def test_where_four_times_as_many_are_not_enough_it_says_how_far_they_lead() -> None:
    found = learnt((50, 58, 64))
    assert found.curve is not None
    high = bracket(found.curve.points, found.figure, FURTHEST * 300)[1]
    line = starting(steps(PLAIN, found, benchmark=benchmark_of(target=0.97)), "Collect more examples")
    assert line.endswith(
        f": with four times as many lora would probably reach {high * 100:.0f} % at the most, so they alone are not enough."
    )


def test_where_they_bring_nothing_nobody_is_sent_to_collect_them() -> None:
    keys = tuple(f"k{place}" for place in range(100))
    points = tuple(CurvePoint(examples=size, scores=(LAST[:100],)) for size in (37, 75, 150, 300))
    found = replace(learnt((45, 58, 68)), curve=Curve(keys=keys, points=points))
    line = starting(steps(PLAIN, found, benchmark=benchmark_of(target=0.97)), "More examples like the 300 there are")
    assert "would hardly help: with four times as many lora would probably reach 70 % at the most." in line
    assert not any(step.startswith("Collect more") for step in steps(PLAIN, found, benchmark=benchmark_of(target=0.97)))


def test_nothing_is_hoped_of_more_examples_for_one_that_a_limit_rules_out() -> None:
    """However many there are, it stays as slow as it is."""
    limited = benchmark_of(constraints=Constraints(p95_latency_s=1.0))
    slow = replace(learnt((30, 45, 58)), latency=evaluation_of("lora", LAST, seconds=3.0, p95=9.0).latency)
    line = starting(steps(PLAIN, slow, benchmark=limited), "Collect more examples")
    assert line.endswith("How much they would help was not measured: run with --curve.")


def on(model: str, name: str, right: int, shift: int) -> Evaluation:
    given = evaluation_of(name, scores_of(right, 300, shift), seconds=0.2, model=model)
    return replace(given, candidate=f"{name} @ {model}")


def test_with_one_model_a_larger_one_is_said_not_to_be_measured() -> None:
    assert starting(steps(PLAIN), "Try a larger").endswith(
        "Prompting is the one to beat. How much a larger one would help was not measured here: a run with one as a second model "
        "would show it."
    )


def test_a_larger_model_is_proposed_only_where_there_was_one() -> None:
    found = steps(evaluation_of("majority", scores_of(75, 300)))
    assert not any("larger language model" in step for step in found)
    assert starting(found, "Try approaches") == (
        "Try approaches with a language model, named under models in the task spec and not left out by --approach: none was "
        "compared, so how much they would help was not measured here."
    )


def test_nothing_is_to_beat_where_no_answer_was_right() -> None:
    line = starting(steps(evaluation_of("prompting", scores_of(0, 300), seconds=0.2)), "Try a larger")
    assert "to beat" not in line


def test_with_several_models_it_has_the_largest_difference_between_two_on_one_approach() -> None:
    family = (
        on("small", "prompting", 120, 5),
        on("middle", "prompting", 135, 7),
        on("big", "prompting", 156, 3),
        on("small", "lora", 150, 5),
        on("big", "lora", 168, 9),
        evaluation_of("linear head", scores_of(60, 300)),
    )
    line = starting(steps(*family), "Try a larger")
    assert line.endswith(
        "Between the models compared here the difference is at most 12 points: prompting reaches 52 % with big and 40 % "
        "with small."
    )


def test_what_could_not_be_judged_is_no_measured_difference() -> None:
    broken = replace(on("big", "prompting", 200, 3), state=State.INVALID, problem="Too many answers failed.")
    assert "was not measured here" in starting(steps(PLAIN, broken), "Try a larger")


def test_a_search_that_was_cut_short_and_documents_that_nobody_looked_up_have_no_size_either() -> None:
    benchmark = benchmark_of(task=task_of(kind="qa", documents=("The return window is 28 days.",)))
    found = steps(replace(PLAIN, rising=True), benchmark=benchmark)
    assert starting(found, "Give prompting a larger").endswith("whether the rest is better was not measured.")
    assert starting(found, "Run retrieval too").endswith("how much they would help was not measured here.")


def test_every_step_of_the_situation_has_a_size_or_says_that_there_is_none() -> None:
    found = SITUATIONS["nothing_meets"]().told().story
    assert "18 points short" in found.headline
    assert all(any(sign.isdigit() for sign in step) or "not measured" in step for step in found.next_steps)
