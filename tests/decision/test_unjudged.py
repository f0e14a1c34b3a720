"""What a report says of all approaches, of the best and of closeness to it while some have no figures that count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.contract import Benchmark, Constraints, Evaluation, State
from tests.situations import within
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

HEAD = evaluation_of("linear head", scores_of(240, 300), seconds=0.01)
PROMPTING = evaluation_of("prompting", scores_of(252, 300, 4), seconds=0.2)
LOST = evaluation_of("lora", state=State.INVALID, problem="100 of 300 answers were lost to faults")
WAITING = evaluation_of("lora", state=State.OPEN, problem="300 held-out cases were not answered yet")


def of(*evaluations: Evaluation, benchmark: Benchmark) -> Bakeoff:
    return Bakeoff(evaluations=evaluations, benchmark=benchmark)


@pytest.mark.parametrize("margin", [0.01, 0.05, 0.15, 0.3])
def test_nothing_is_close_to_a_best_that_may_not_be_measured_yet(margin: float) -> None:
    told = of(HEAD, PROMPTING, WAITING, benchmark=within(margin)).told()
    assert told.recommendation.verdict == "undecided"
    assert {each.verdict for each in told.recommendation.at_targets} == {"undecided"}, "at no other margin either"
    assert not any("margin of" in said or "more held-out cases" in said for said in told.story.would_change)
    figures = [row[1] for row in told.story.main.rows]
    assert not any("below" in figure and not figure.endswith("below)") for figure in figures)
    assert not any("<=" in figure for figure in figures)


def test_what_lies_below_a_measured_one_lies_below_the_best_whatever_comes() -> None:
    far = evaluation_of("linear head", scores_of(150, 300), seconds=0.01)
    told = of(far, PROMPTING, WAITING, benchmark=within(0.1)).told()
    (head,) = [each for each in told.recommendation.statuses if each.candidate == "linear head"]
    assert head.state is State.MISSES
    shown = next(row[1] for row in told.story.main.rows if row[0] == "linear head")
    assert ">=" in shown
    assert not any("would be enough" in said for said in told.story.would_change)


def test_no_one_is_sent_for_more_cases_before_all_approaches_are_measured() -> None:
    """The part of the error that is kept for those to come may decide: labels were asked for where going on was enough."""
    close = evaluation_of("linear head", scores_of(224, 300), seconds=0.01)
    told = of(close, WAITING, benchmark=benchmark_of()).told()
    assert [each.state for each in told.recommendation.statuses] == [State.UNDECIDED, State.OPEN]
    assert told.story.next_steps == ("Go on with the same command and --resume: lora is not measured yet.",)
    said = (told.story.headline, *told.story.reasons, *told.story.would_change)
    assert not any("would probably decide" in each or "more held-out cases" in each for each in said)
    assert any("how many more cases would decide is not known before all" in each for each in told.story.reasons)
    measured = of(close, evaluation_of("lora", scores_of(100, 300)), benchmark=benchmark_of()).told()
    assert {each.state for each in measured.recommendation.statuses} == {State.MISSES}


def test_nothing_meets_is_said_of_those_that_could_be_judged() -> None:
    far = evaluation_of("linear head", scores_of(150, 300), seconds=0.01)
    story = of(far, LOST, benchmark=benchmark_of()).told().story
    assert story.headline.startswith("Nothing that could be judged meets")
    assert story.next_steps[0].startswith("See why lora could not be judged")
    alone = of(far, PROMPTING, benchmark=benchmark_of(target=0.95)).told().story
    assert "judged" not in alone.headline


def test_close_to_the_best_is_said_of_those_that_could_be_judged() -> None:
    story = of(HEAD, PROMPTING, LOST, benchmark=within(0.1)).told().story
    assert story.headline.endswith("Lora could not be judged, and so is not among those whose best is meant.")
    assert "judged" not in of(HEAD, PROMPTING, benchmark=within(0.1)).told().story.headline


def test_the_highest_is_the_highest_so_far_and_what_waits_is_named() -> None:
    story = of(HEAD, PROMPTING, WAITING, benchmark=benchmark_of(target=None)).told().story
    assert "comes out highest so far" in story.headline
    assert "Linear head costs least to run so far" in story.reasons[1]
    assert "Lora is not measured yet: 300 held-out cases were not answered yet." in story.reasons
    story = of(HEAD, PROMPTING, LOST, benchmark=benchmark_of(target=None)).told().story
    assert "Of those that could be judged prompting comes out highest" in story.headline


def test_what_costs_least_is_said_of_those_within_the_limits() -> None:
    copied = evaluation_of("copy nearest", scores_of(150, 300), seconds=0.001, p95=3.0)
    limited = benchmark_of(target=None, constraints=Constraints(p95_latency_s=1.0))
    quick = [replace(HEAD, latency=None), replace(PROMPTING, latency=None)]
    story = of(copied, *quick, benchmark=limited).told().story
    assert any(said.startswith("Of those within the limits linear head costs least") for said in story.reasons)


def test_figures_that_no_bound_is_told_of_have_no_brackets_beside_a_margin() -> None:
    slow = evaluation_of("lora", scores_of(290, 300, 2), seconds=0.3, p95=3.0)
    bench = replace(within(0.1), constraints=Constraints(p95_latency_s=1.0))
    told = of(replace(HEAD, latency=None), replace(PROMPTING, latency=None), slow, benchmark=bench).told()
    assert next(row[1] for row in told.story.main.rows if row[0] == "lora") == "97 %"
    with_target = of(HEAD, slow, benchmark=benchmark_of(constraints=Constraints(p95_latency_s=1.0))).told().story.main
    assert next(row[1] for row in with_target.rows if row[0] == "lora").startswith("97 % (9")
    assert "Of those ruled out it is the 95 % interval of the figure." in with_target.note


def test_at_the_stated_target_the_table_of_targets_says_what_the_verdict_says() -> None:
    evaluations = (
        evaluation_of("linear head", scores_of(255, 300), seconds=0.01),
        evaluation_of("prompting", scores_of(270, 300, 4), seconds=0.2),
        evaluation_of("lora", scores_of(272, 300, 9), seconds=0.3),
    )
    told = of(*evaluations, benchmark=benchmark_of(target=0.8)).recommended()
    (there,) = [each for each in told.at_targets if each.target == 0.8]
    assert (there.verdict, there.named) == (told.verdict, told.safe) == ("choose", "linear head")
