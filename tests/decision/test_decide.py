"""From evaluations to a recommendation: statuses, constraints, the cheapest that meets, and what stays open."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from advisor.ask.triage import Situation, expect, found_in_documents
from advisor.contract import Recommendation
from advisor.costs.economics import costs
from advisor.decision.bounds import LIMIT, POWER, paired
from advisor.decision.closeness import margin_statuses
from advisor.decision.decided import Before
from advisor.story.recommended import recommend
from benchmarks.checked import RetrievalQuality
from benchmarks.contract import Benchmark, Constraints, Evaluation, Look, Procedure, State
from benchmarks.costs.prices import MachinePrices, TokenPrices
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.evaluation.misfits import OUTSIDE
from benchmarks.metrics.f1_of_label import F1OfLabel
from benchmarks.statistics.best import below_best
from benchmarks.statistics.confidence import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    more_cases,
    paired_difference,
    which_tests,
)
from benchmarks.statistics.families import REST, gate_level
from benchmarks.statistics.leads import cases_to_show
from benchmarks.statistics.looks import SHARE, level_of
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of, task_of


def decided(
    *evaluations: Evaluation, benchmark: Benchmark | None = None, prices: MachinePrices | None = None
) -> Recommendation:
    bench = benchmark or benchmark_of()
    bills = [costs(evaluation, bench, prices or MachinePrices()) for evaluation in evaluations]
    return recommend(evaluations, bills, bench, prices or MachinePrices())


def states(recommendation: Recommendation) -> dict[str, State]:
    return {status.candidate: status.state for status in recommendation.statuses}


# ---------------------------------------------------------------- the verdict


def test_the_cheapest_that_meets_is_chosen_when_every_cheaper_one_misses() -> None:
    found = decided(
        evaluation_of("linear head", scores_of(200, 300), seconds=0.01),
        evaluation_of("prompting", scores_of(276, 300), seconds=0.1),
        evaluation_of("lora", scores_of(290, 300), seconds=0.5),
    )
    assert (found.verdict, found.choice, found.safe, found.best) == ("choose", "prompting", "prompting", "lora")
    assert [status.candidate for status in found.statuses] == ["linear head", "prompting", "lora"]


def test_a_cheaper_undecided_one_keeps_the_choice_open() -> None:
    found = decided(
        evaluation_of("linear head", scores_of(249, 300), seconds=0.01),
        evaluation_of("lora", scores_of(290, 300), seconds=0.5),
    )
    assert (found.verdict, found.choice, found.safe) == ("safe but cheaper undecided", None, "lora")
    assert found.cheaper_undecided == ("linear head",)


def test_a_dearer_undecided_one_does_not_matter() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(290, 300), seconds=0.1),
        evaluation_of("lora", scores_of(249, 300), seconds=0.5),
    )
    assert found.choice == "prompting"
    assert states(found)["lora"] is State.UNDECIDED


def test_a_tied_and_simpler_undecided_one_has_to_be_proven_to_miss() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(249, 300), seconds=0.11),
        evaluation_of("lora", scores_of(290, 300), seconds=0.1),
    )
    assert found.verdict == "safe but cheaper undecided"
    assert found.cheaper_undecided == ("prompting",)
    assert "costs about the same and is simpler" in " ".join(found.reasons)


def test_a_tied_and_less_simple_undecided_one_does_not_matter() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(290, 300), seconds=0.11),
        evaluation_of("lora", scores_of(249, 300), seconds=0.1),
    )
    assert (found.verdict, found.choice) == ("choose", "prompting")


def test_nothing_proven_to_meet_is_undecided_as_long_as_one_may() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(100, 300), seconds=0.1),
        evaluation_of("lora", scores_of(249, 300), seconds=0.5),
    )
    assert (found.verdict, found.choice, found.safe, found.best) == ("undecided", None, None, "lora")
    assert found.cheaper_undecided == ()


def test_nothing_meets_names_the_best_and_what_to_try() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(100, 300), seconds=0.1),
        evaluation_of("lora", scores_of(180, 300), seconds=0.5, rising=True),
    )
    assert (found.verdict, found.best, found.choice) == ("nothing meets", "lora", None)
    assert any("larger language model" in step for step in found.next_steps)
    assert any("larger tuning budget" in step for step in found.next_steps)


def test_where_one_is_ruled_out_and_another_has_no_figures_nothing_meets() -> None:
    """Nobody was measured well enough to be told of is something else: then it is not decided."""
    dear, broken = evaluation_of("lora", scores_of(290, 300)), evaluation_of("prompting", state=State.INVALID)
    limit = benchmark_of(constraints=Constraints(cost_per_month=0.01))
    priced = MachinePrices(machine_hour=3.6)
    assert decided(dear, broken, benchmark=limit, prices=priced).verdict == "nothing meets"
    assert decided(broken, benchmark=limit, prices=priced).verdict == "undecided"


def test_without_a_target_nothing_is_judged() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(100, 300), seconds=0.1),
        evaluation_of("lora", scores_of(180, 300), seconds=0.5),
        benchmark=benchmark_of(target=None),
    )
    assert (found.verdict, found.best, found.choice) == ("compared", "lora", None)
    assert set(states(found).values()) == {State.COMPARED}


def test_a_meeting_candidate_of_unknown_cost_keeps_the_choice_open() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(290, 300), model="far"),
        evaluation_of("lora", scores_of(280, 300), model="near"),
        prices=MachinePrices(tokens={"far": None}),
    )
    assert (found.verdict, found.safe, found.cheaper_undecided) == (
        "safe but cheaper undecided",
        "lora",
        ("prompting",),
    )
    assert any("input_per_million" in line for line in found.would_change)


def test_an_unknown_cost_does_not_matter_when_nothing_else_may_meet() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(290, 300), model="far"),
        evaluation_of("lora", scores_of(100, 300), model="near"),
        prices=MachinePrices(tokens={"far": None}),
    )
    assert (found.verdict, found.choice) == ("choose", "prompting")


# ---------------------------------------------------------------- statuses


def test_bounds_are_exact_and_corrected_for_the_candidates() -> None:
    """253 of 300 pass .80 alone and not among five by Holm: the numbers of an exact enumeration at the split level."""
    sequence, split = (dataclasses.replace(benchmark_of(), procedure=name) for name in ("fixed sequence", "holm"))
    alone = decided(evaluation_of("lora", scores_of(253, 300)), benchmark=split)
    assert states(alone)["lora"] is State.MEETS
    assert alone.statuses[0].lower == pytest.approx(clopper_pearson_lower(253, 300, level_of(1)))
    others = [
        evaluation_of(name, scores_of(240, 300)) for name in ("linear head", "prompting", "retrieval", "copy nearest")
    ]
    among = decided(evaluation_of("lora", scores_of(253, 300)), *others, benchmark=split)
    assert states(among)["lora"] is State.UNDECIDED
    enough = decided(evaluation_of("lora", scores_of(258, 300)), *others, benchmark=split)
    assert states(enough)["lora"] is State.MEETS
    in_order = decided(evaluation_of("lora", scores_of(253, 300)), *others, benchmark=sequence)
    assert states(in_order)["lora"] is State.MEETS
    assert (in_order.procedure, among.procedure) == ("fixed sequence", "holm")


def test_without_a_selection_score_there_is_no_order_and_holm_is_taken() -> None:
    recorded = dataclasses.replace(evaluation_of("recorded", scores_of(240, 300)), selection_score=None)
    sequence, largest = (dataclasses.replace(benchmark_of(), procedure=name) for name in ("fixed sequence", "max-t"))
    found = decided(evaluation_of("lora", scores_of(253, 300)), recorded, benchmark=sequence)
    assert found.procedure == "holm"
    needs_none = decided(evaluation_of("lora", scores_of(253, 300)), recorded, benchmark=largest)
    assert needs_none.procedure == "max-t"
    assert found.statuses[0].lower is not None
    level = next(status for status in found.statuses if status.candidate == "lora").lower
    assert level == pytest.approx(clopper_pearson_lower(253, 300, level_of(1) / 2))


def test_what_a_stronger_one_stopped_is_undecided_and_says_why() -> None:
    """On the selection part lora was the better one; the held-out cases show only the cheaper one above the target."""
    found = decided(
        dataclasses.replace(evaluation_of("prompting", scores_of(270, 300)), selection_score=0.85),
        dataclasses.replace(evaluation_of("lora", scores_of(245, 300)), selection_score=0.9),
        dataclasses.replace(evaluation_of("majority", scores_of(30, 300)), selection_score=0.1),
        benchmark=dataclasses.replace(benchmark_of(), procedure="fixed sequence"),
    )
    assert states(found) == {"majority": State.MISSES, "prompting": State.UNDECIDED, "lora": State.UNDECIDED}
    stopped = next(status for status in found.statuses if status.candidate == "prompting")
    assert stopped.reason.startswith("Taken alone it meets the target of 80 %, but lora did better on the selection")
    assert stopped.lower == 0.8
    assert stopped.more_cases is not None


def test_a_finalist_is_the_cheapest_that_reached_the_target_on_the_selection_cases() -> None:
    bench = dataclasses.replace(benchmark_of(), procedure="finalist")
    found = decided(
        evaluation_of("linear head", scores_of(200, 300), seconds=0.01),
        evaluation_of("prompting", scores_of(253, 300), seconds=0.1),
        evaluation_of("lora", scores_of(290, 300), seconds=0.5),
        benchmark=bench,
    )
    assert states(found) == {"linear head": State.MISSES, "prompting": State.MEETS, "lora": State.UNDECIDED}
    assert found.choice == "prompting"
    untested = next(status for status in found.statuses if status.candidate == "lora")
    assert untested.reason.startswith("It is not tested for meeting the target of 80 %: that was left to prompting")
    assert untested.more_cases is None


def test_a_selection_score_that_is_the_target_reaches_it() -> None:
    family = [evaluation_of("prompting", scores_of(290, 300), seconds=0.1), evaluation_of("lora", scores_of(290, 300))]
    found = decided(
        dataclasses.replace(family[0], selection_score=0.8),
        dataclasses.replace(family[1], selection_score=0.95),
        benchmark=dataclasses.replace(benchmark_of(), procedure="finalist"),
    )
    assert states(found) == {"prompting": State.MEETS, "lora": State.UNDECIDED}


def test_what_may_be_chosen_is_tested_in_full_and_dearer_ones_share_what_is_left() -> None:
    found = decided(
        evaluation_of("majority", scores_of(30, 300), seconds=0.001),
        evaluation_of("linear head", scores_of(226, 300), seconds=0.01),
        evaluation_of("prompting", scores_of(255, 300), seconds=0.1),
        evaluation_of("retrieval", scores_of(255, 300), seconds=0.2),
        evaluation_of("lora", scores_of(290, 300), seconds=0.5),
    )
    assert found.procedure == "cheapest first"
    assert states(found) == {
        "majority": State.MISSES,
        "linear head": State.MISSES,
        "prompting": State.MEETS,
        "retrieval": State.UNDECIDED,
        "lora": State.MEETS,
    }
    assert (found.verdict, found.choice) == ("choose", "prompting")
    by_name = {status.candidate: status for status in found.statuses}
    assert by_name["prompting"].lower == pytest.approx(clopper_pearson_lower(255, 300, gate_level(level_of(1))))
    assert by_name["retrieval"].reason.startswith(
        "Taken alone it meets the target of 80 %, but prompting comes before it by cost and meets it: approaches are tested"
    )
    assert by_name["retrieval"].more_cases is None


def test_what_is_not_decided_keeps_dearer_ones_waiting() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(240, 300), seconds=0.1),
        evaluation_of("lora", scores_of(255, 300), seconds=0.5),
    )
    assert states(found) == {"prompting": State.UNDECIDED, "lora": State.UNDECIDED}
    first, second = found.statuses
    assert first.reason.startswith("It lies between")
    assert second.reason.startswith(
        "Taken alone it meets the target of 80 %, but prompting comes before it by cost and is not decided"
    )


def test_one_approach_alone_has_the_whole_error_for_itself() -> None:
    found = decided(evaluation_of("lora", scores_of(253, 300)))
    assert found.statuses[0].lower == pytest.approx(clopper_pearson_lower(253, 300, level_of(1)))


def test_prices_that_are_changed_afterwards_leave_what_is_shown() -> None:
    """Who is tested first was fixed before the run; only the choice among what was shown is another."""
    evaluations = [
        evaluation_of("prompting", scores_of(255, 300), seconds=0.5),
        evaluation_of("lora", scores_of(255, 300), seconds=0.1),
    ]
    bills = [costs(each, benchmark_of(), MachinePrices()) for each in evaluations]
    now = recommend(evaluations, bills, benchmark_of(), MachinePrices())
    assert (now.verdict, now.choice) == ("choose", "lora")
    kept = recommend(evaluations, bills, benchmark_of(), MachinePrices(), Before(order=("prompting", "lora")))
    assert states(kept) == {"prompting": State.MEETS, "lora": State.UNDECIDED}
    assert (kept.verdict, kept.safe) == ("safe but cheaper undecided", "prompting")


def test_candidates_that_are_out_do_not_count_in_the_correction() -> None:
    found = decided(
        evaluation_of("lora", scores_of(253, 300), p95=0.2),
        *(evaluation_of(name, scores_of(240, 300), p95=9.0) for name in ("linear head", "prompting", "retrieval")),
        evaluation_of("majority", state=State.SKIPPED, problem="Over budget."),
        benchmark=benchmark_of(constraints=Constraints(p95_latency_s=1.0)),
    )
    assert found.choice == "lora"


def test_an_undecided_status_says_how_many_more_cases_would_decide() -> None:
    found = decided(evaluation_of("lora", scores_of(249, 300)))
    status = found.statuses[0]
    assert status.state is State.UNDECIDED
    assert status.more_cases is not None
    assert 300 < status.more_cases < 2000
    assert "more held-out cases" in status.reason


def test_further_cases_are_told_at_the_level_of_the_look_that_they_would_be() -> None:
    close = scores_of(249, 300)
    assert decided(evaluation_of("lora", close)).statuses[0].more_cases == more_cases(close, None, 0.8, level_of(2))


def test_a_later_look_has_to_be_surer() -> None:
    """253 of 300 meet .80 at the first look at these cases and not at the second, and more cases would be needed then."""
    first, second = (
        decided(evaluation_of("lora", scores_of(253, 300)), benchmark=dataclasses.replace(benchmark_of(), look=look))
        for look in (Look(), Look(number=2, seen=200, last="2026-11-20"))
    )
    assert (states(first)["lora"], states(second)["lora"]) == (State.MEETS, State.UNDECIDED)
    assert second.statuses[0].lower == pytest.approx(clopper_pearson_lower(253, 300, level_of(2)))
    close = evaluation_of("lora", scores_of(249, 300))
    at_first = decided(close).statuses[0].more_cases
    later = decided(close, benchmark=dataclasses.replace(benchmark_of(), look=Look(number=2))).statuses[0].more_cases
    assert at_first is not None
    assert later is not None
    assert at_first < later


def test_too_few_cases_for_any_proof_are_called_so() -> None:
    found = decided(evaluation_of("lora", scores_of(20, 20)), benchmark=benchmark_of(cases=20, target=0.9))
    assert found.verdict == "undecided"
    assert "not even a perfect score" in found.statuses[0].reason


def test_a_metric_over_rows_is_bounded_by_its_bootstrap_figures() -> None:
    narrow, wide = np.linspace(-0.02, 0.02, 2001), np.linspace(-0.2, 0.2, 2001)
    bench = benchmark_of(metric=PlainMetric(name="macro_f1", over_rows=True))

    def over_rows(name: str, figure: float, draws: np.ndarray) -> Evaluation:
        return evaluation_of(name, scores_of(200, 300), over_rows=(figure, (figure + draws).tolist()))

    found = decided(
        over_rows("prompting", 0.86, narrow),
        over_rows("lora", 0.88, wide),
        over_rows("majority", 0.7, narrow),
        benchmark=bench,
    )
    assert states(found) == {"majority": State.MISSES, "prompting": State.MEETS, "lora": State.UNDECIDED}
    more = next(status.more_cases for status in found.statuses if status.candidate == "lora")
    assert more is not None
    assert more > 0


def test_of_a_rare_label_it_is_said_how_few_cases_have_it_and_whom_more_of_them_decide_about() -> None:
    """One case of 40 has it: what gets it right may lie anywhere, and what never names it takes fewer further cases."""
    plain = benchmark_of(cases=40, target=0.94, metric=F1OfLabel(label="refund"))
    others = tuple(dataclasses.replace(case, output="delivery") for case in plain.heldout[1:])
    bench = dataclasses.replace(plain, heldout=(plain.heldout[0], *others))
    never = evaluation_of("majority", scores_of(39, 40), over_rows=(0.0, [0.0] * 1_000 + [0.97] * 1_000))
    right = evaluation_of("prompting", scores_of(40, 40), over_rows=(1.0, [0.0] * 1_000 + [1.0] * 1_000))
    rests = (dataclasses.replace(never, resting=1.0), dataclasses.replace(right, resting=2.0))
    found = decided(*rests, benchmark=bench)
    more = {status.candidate: status.more_cases for status in found.statuses}
    assert (more["majority"] or 0) > 20
    assert (more["prompting"] or 0) > 1_000
    assert any(
        "Of the 40 held-out cases 1 has the label that the figures are about" in reason for reason in found.reasons
    )
    assert any(step.startswith("To decide about prompting, label about") for step in found.next_steps)


def test_a_finalist_is_named_by_the_metric_and_not_by_the_share_of_right_answers() -> None:
    """The cheaper one has 90 % of the selection cases right, and a macro F1 of 60 % on them."""
    draws = np.linspace(-0.02, 0.02, 2001)
    metric = PlainMetric(name="macro_f1", over_rows=True)
    bench = dataclasses.replace(benchmark_of(metric=metric), procedure="finalist")

    def given(*figures: float | None) -> list[Evaluation]:
        return [
            dataclasses.replace(
                evaluation_of(name, scores_of(270, 300), seconds=seconds, over_rows=(0.88, (0.88 + draws).tolist())),
                selection_score=0.9,
                selection_figure=figure,
            )
            for (name, seconds), figure in zip((("prompting", 0.1), ("lora", 0.5)), figures, strict=True)
        ]

    assert states(decided(*given(0.6, 0.85), benchmark=bench))["lora"] is State.MEETS
    assert states(decided(*given(0.85, 0.9), benchmark=bench))["prompting"] is State.MEETS
    assert decided(*given(None, 0.85), benchmark=bench).procedure == "holm"


def test_a_look_too_late_for_so_many_resamples_is_said_instead_of_called_close() -> None:
    far = evaluation_of("lora", scores_of(290, 300), over_rows=(0.97, np.linspace(0.95, 0.99, 2_000).tolist()))
    metric = PlainMetric(name="macro_f1", over_rows=True)
    found = decided(far, benchmark=dataclasses.replace(benchmark_of(metric=metric), look=Look(number=6)))
    assert states(found) == {"lora": State.UNDECIDED}
    assert "So late a look at these cases asks for more than 2,000 resamples can show" in found.statuses[0].reason


def test_figures_over_rows_without_a_bootstrap_are_refused() -> None:
    bare = dataclasses.replace(evaluation_of("lora", scores_of(9, 10)), over_rows=True)
    with pytest.raises(ValueError, match="no bootstrap figures"):
        decided(bare, benchmark=benchmark_of(cases=10, metric=PlainMetric(over_rows=True)))


def test_groups_of_cases_that_repeat_each_other_prove_less() -> None:
    groups = [f"g{index // 10}" for index in range(300)]
    block = tuple(float(index // 10 % 9 != 0) for index in range(300))
    alone = decided(evaluation_of("lora", block), benchmark=benchmark_of())
    grouped = decided(evaluation_of("lora", block, groups=groups), benchmark=benchmark_of(groups=groups))
    assert states(alone)["lora"] is State.MEETS
    assert states(grouped)["lora"] is State.UNDECIDED


@pytest.mark.parametrize("change", [{"fingerprint": "of other cases"}, {"scores": (1.0,) * 299}, {"scores": ()}])
def test_figures_from_other_cases_are_invalid(change: dict[str, object]) -> None:
    other = dataclasses.replace(evaluation_of("lora", scores_of(299, 300)), **change)  # type: ignore[arg-type]
    found = decided(other, evaluation_of("prompting", scores_of(290, 300)))
    assert states(found)["lora"] is State.INVALID
    assert found.choice == "prompting"


def not_yet(name: str) -> Evaluation:
    problem = "300 held-out cases were not answered yet"
    return dataclasses.replace(called(name), figure=math.nan, state=State.OPEN, problem=problem)


def called(name: str, right: int = 0) -> Evaluation:
    """So many of 300 cases right; 0: none was asked."""
    made = evaluation_of("lora", scores_of(right, 300) if right else ())
    return dataclasses.replace(made, candidate=name, approach=name)


def test_nothing_is_settled_while_an_approach_is_not_measured_yet() -> None:
    meets, misses = evaluation_of("prompting", scores_of(290, 300)), evaluation_of("majority", scores_of(100, 300))
    found = decided(misses, meets, not_yet("lora"))
    assert (found.verdict, found.safe, found.choice) == ("safe but cheaper undecided", "prompting", None)
    assert found.cheaper_undecided == ("lora",)
    assert "Lora is not measured yet: 300 held-out cases were not answered yet." in found.reasons
    assert found.next_steps[0] == "Go on with the same command and --resume: lora is not measured yet."
    assert decided(misses, not_yet("lora")).verdict == "undecided"
    assert decided(not_yet("lora")).verdict == "undecided"
    beside_the_best = decided(
        meets, not_yet("lora"), benchmark=dataclasses.replace(benchmark_of(target=None), margin=0.05)
    )
    assert states(beside_the_best)["prompting"] is State.UNDECIDED


def test_what_is_shown_beside_unmeasured_approaches_stays_shown_when_they_are_measured() -> None:
    """And beside enough of them a figure proves nothing that alone would have."""
    dice = np.random.default_rng(0)
    kept = 0
    for _ in range(40):
        measured = [called(f"m{n}", int(dice.integers(240, 270))) for n in range(3)]
        names = [f"later {n}" for n in range(int(dice.integers(1, 6)))]
        first = states(decided(*measured, *map(not_yet, names)))
        later = [called(name, int(dice.integers(200, 300))) for name in names]
        last = states(decided(*measured, *later))
        for each in measured:
            if first[each.candidate] in (State.MEETS, State.MISSES):
                kept += 1
                assert last[each.candidate] is first[each.candidate]
    assert kept > 20
    close = evaluation_of("prompting", scores_of(257, 300))
    assert states(decided(close))["prompting"] is State.MEETS
    assert states(decided(close, *map(not_yet, map(str, range(30)))))["prompting"] is State.UNDECIDED


def test_a_bill_without_its_evaluation_is_refused() -> None:
    bench = benchmark_of()
    one = evaluation_of("lora", scores_of(290, 300))
    with pytest.raises(ValueError, match="one evaluation and one bill"):
        recommend([one], [], bench, MachinePrices())
    bill = costs(one, bench, MachinePrices())
    with pytest.raises(ValueError, match="one evaluation and one bill"):
        recommend([one, one], [bill, bill], bench, MachinePrices())


# ---------------------------------------------------------------- constraints


def test_latency_and_cost_rule_out_with_their_reason() -> None:
    found = decided(
        evaluation_of("prompting", scores_of(290, 300), seconds=0.1, p95=3.0),
        evaluation_of("retrieval", scores_of(290, 300), seconds=36.0, p95=0.5),
        evaluation_of("lora", scores_of(290, 300), seconds=0.5, p95=0.9),
        benchmark=benchmark_of(constraints=Constraints(p95_latency_s=1.0, cost_per_month=50.0)),
        prices=MachinePrices(machine_hour=1.0),
    )
    assert found.choice == "lora"
    reasons = {status.candidate: status.reason for status in found.statuses}
    assert reasons["prompting"] == "One request in twenty takes longer than 3 s; the task allows 1 s."
    assert reasons["retrieval"] == "It costs USD 100 a month at 10,000 requests; the task allows 50.00."


def test_a_limit_in_money_that_cannot_be_checked_is_said() -> None:
    found = decided(
        evaluation_of("lora", scores_of(290, 300)), benchmark=benchmark_of(constraints=Constraints(cost_per_month=5.0))
    )
    assert (found.choice, found.verdict, states(found)) == (None, "undecided", {"lora": State.UNDECIDED})
    assert any("was not checked for lora" in reason for reason in found.reasons)
    assert any("or take it out of the task: state the price of a machine hour" in step for step in found.next_steps)


# ---------------------------------------------------------------- the rest of the recommendation


def test_differences_are_paired_and_start_from_the_choice() -> None:
    found = decided(
        evaluation_of("linear head", scores_of(150, 300), seconds=0.01),
        evaluation_of("prompting", scores_of(276, 300), seconds=0.1),
        evaluation_of("lora", scores_of(276, 300), seconds=0.5),
    )
    assert {(each.first, each.second) for each in found.differences} == {
        ("prompting", "linear head"),
        ("prompting", "lora"),
    }
    same = next(each for each in found.differences if each.second == "lora")
    assert (same.mean, same.p_value, same.only_first_right, same.only_second_right) == (0.0, 1.0, 0, 0)


def test_differences_know_of_groups_and_of_stopping() -> None:
    """30 single cases would show a difference that three groups of ten do not."""
    groups = tuple(f"g{place // 10}" for place in range(300))
    better = evaluation_of("lora", [1.0] * 300, groups=groups)
    other = evaluation_of("prompting", [float(place >= 30) for place in range(300)], groups=groups)
    (found,) = paired("lora", [better, other])
    wanted = paired_difference(better.scores, other.scores, groups)
    assert (found.lower, found.upper, found.p_value) == (wanted.lower, wanted.upper, wanted.p_value)
    assert found.p_value > 0.05 > paired_difference(better.scores, other.scores, None).p_value
    (stopped,) = paired("lora", [better, dataclasses.replace(other, scores=other.scores[:200])], stops_with=10)
    bets = paired_difference(better.scores[:200], other.scores[:200], groups[:200], stops_with=10)
    assert (stopped.lower, stopped.upper, stopped.p_value) == (bets.lower, bets.upper, bets.p_value)


def test_reasons_say_whether_the_measurement_agreed_with_the_nature_of_the_task() -> None:
    task = task_of(kind="generation")
    agreeing = decided(
        evaluation_of("prompting", scores_of(100, 300)),
        evaluation_of("lora", scores_of(290, 300), seconds=0.5),
        benchmark=benchmark_of(task=task),
    )
    assert any("The measurement agrees" in reason for reason in agreeing.reasons)
    surprising = decided(
        evaluation_of("prompting", scores_of(290, 300)),
        evaluation_of("lora", scores_of(100, 300), seconds=0.5),
        benchmark=benchmark_of(task=task),
    )
    assert any("The measurement disagrees" in reason and "fine-tuning" in reason for reason in surprising.reasons)


def test_only_the_highest_figure_is_in_front() -> None:
    """What is recommended need not have it: it costs less, or a limit rules the other out."""
    head = evaluation_of("linear head", scores_of(279, 300), seconds=0.01)
    lora = evaluation_of("lora", scores_of(285, 300, 9), seconds=0.3, p95=3.0)
    prompt = evaluation_of("prompting", scores_of(276, 300, 5), seconds=0.1)

    def said(*given: Evaluation, **changes: object) -> str:
        told = decided(*given, benchmark=dataclasses.replace(benchmark_of(), **changes)).reasons  # type: ignore[arg-type]
        return " ".join(line for line in told if "task suggested" in line)

    generation, quick = task_of(kind="generation"), Constraints(p95_latency_s=1.0)
    assert said(head, lora) == (
        "The recommendation agrees with what the task suggested, an approach without a language model; the highest is lora "
        "with 95 %."
    )
    otherwise = "The task suggested otherwise: fine-tuning was expected to be highest"
    reached = "recommended is prompting with 92 %"
    assert said(prompt, lora, task=generation) == f"{otherwise} and reached 95 %; {reached}, which costs less."
    out = f"{otherwise}, reached 95 % and is ruled out"
    assert said(prompt, lora, task=generation, constraints=quick) == f"{out}; {reached}."
    assert said(prompt, lora, task=generation, constraints=quick, target=None) == (
        f"{out}; the highest within the limits is prompting with 92 %."
    )
    assert said(head, lora, constraints=quick, target=0.99).endswith(
        "of those within the limits an approach without a language model comes out highest."
    )
    ended = dataclasses.replace(evaluation_of("lora", scores_of(100, 300), seconds=0.3), rising=True)
    assert said(prompt, ended, task=generation) == (
        "The measurement disagrees with what the task suggested: fine-tuning was expected to be highest and reached 33 % (its "
        "search was cut short); the highest is prompting with 92 %."
    )
    broken = dataclasses.replace(lora, state=State.INVALID, problem="Too many answers failed.")
    assert said(head, broken) == "", "its figure is no order"


@pytest.mark.parametrize("right", [0, 100])
def test_what_reaches_the_same_is_in_no_order(right: int) -> None:
    found = [evaluation_of(name, scores_of(right, 300), seconds=at) for name, at in (("prompting", 0.1), ("lora", 0.5))]
    for task, target in ((task_of(kind="generation"), 0.8), (task_of(), 0.8), (task_of(), None)):
        told = Bakeoff(evaluations=tuple(found), benchmark=benchmark_of(target=target, task=task)).told()
        assert "task suggested" not in " ".join(told.story.reasons)
        assert ("no approach that was measured is right in any" in told.story.headline.lower()) == (right == 0)
        assert right or not any(name in told.story.headline for name in ("prompting", "lora"))


def test_lost_answers_small_data_and_unfinished_tuning_are_reasons() -> None:
    found = decided(
        evaluation_of(
            "lora",
            scores_of(270, 300),
            failures={"unparsable": 20, "refused": 4, "truncated": 3, OUTSIDE: 2},
            rising=True,
        ),
        benchmark=benchmark_of(task=task_of(examples=60)),
    )
    text = " ".join(found.reasons)
    assert (
        "26 of 300 answers by lora count as not right: 4 refused, 20 in no form that can be read and 2 outside the labels."
        in text
    )
    assert "3 of 300 inputs or answers were cut" in text
    assert "only 60 examples" in text
    assert "The budget for tuning ran out before lora had tried everything (not saturated)." in text
    assert "rising" not in text + " ".join(found.would_change), "no score need have risen"


def test_what_was_not_measured_is_given_no_larger_budget() -> None:
    found = decided(
        evaluation_of("lora", scores_of(90, 300), rising=True),
        evaluation_of("prompting", state=State.SKIPPED, problem="it chose what lora chose", rising=True),
    )
    (step,) = (step for step in found.next_steps if "larger tuning budget" in step)
    assert step == (
        "Give lora a larger tuning budget: it ran out before everything was tried; whether the rest is better was not measured."
    )


@pytest.mark.parametrize(("longer", "out"), [(0, False), (2, False), (3, False), (4, True), (20, True)])
def test_only_a_limit_that_is_shown_to_be_broken_rules_out(longer: int, out: bool) -> None:
    evaluation = evaluation_of("lora", scores_of(290, 300))
    assert evaluation.latency is not None
    seconds = (*[0.5] * (20 - longer), *[2.0] * longer)
    latency = dataclasses.replace(evaluation.latency, seconds=seconds, p95_s=2.0 if longer > 1 else 0.5)
    found = decided(
        dataclasses.replace(evaluation, latency=latency),
        benchmark=benchmark_of(constraints=Constraints(p95_latency_s=1.0)),
    )
    assert (states(found)["lora"] is State.RULED_OUT) == out
    said = f"Lora may be too slow: {longer} of 20 requests took longer than 1 s"
    assert any(said in reason for reason in found.reasons) == (not out and longer > 1)


def test_a_cost_whose_range_holds_the_limit_is_told_and_rules_nothing_out() -> None:
    """0.1 s a request at 10,000 requests and 3.6 an hour are 1.00 a month, 15 % more or less."""
    for limit, out in ((0.8, True), (0.9, False), (1.1, False)):
        found = decided(
            evaluation_of("lora", scores_of(290, 300)),
            benchmark=benchmark_of(constraints=Constraints(cost_per_month=limit)),
            prices=MachinePrices(machine_hour=3.6),
        )
        assert (states(found)["lora"] is State.RULED_OUT) == out
        assert any("Lora may cost too much" in reason for reason in found.reasons) == (limit == 0.9)


def close(margin: float, *names_right: tuple[str, int, float]) -> Recommendation:
    bench = dataclasses.replace(benchmark_of(), target=None, margin=margin)
    shifts = {name: 4 * place for place, (name, _, _) in enumerate(names_right)}
    family = [
        evaluation_of(name, scores_of(right, 300, shifts[name]), seconds=cost) for name, right, cost in names_right
    ]
    return decided(*family, benchmark=bench)


def test_the_cheapest_that_comes_close_to_the_best_is_chosen() -> None:
    family = (("majority", 30, 0.0001), ("linear head", 261, 0.01), ("lora", 264, 0.3))
    found = close(0.1, *family)
    assert (found.verdict, found.choice, found.best) == ("choose", "linear head", "lora")
    assert states(found) == {"majority": State.MISSES, "linear head": State.MEETS, "lora": State.MEETS}
    assert close(0.02, *family).verdict == "undecided", "300 cases do not show two points"


def test_every_margin_is_answered_by_the_bounds_of_the_verdict() -> None:
    found = close(0.1, ("linear head", 225, 0.01), ("lora", 276, 0.3))
    bounds = {each.candidate: each.lower or 0.0 for each in found.statuses}
    for each in found.at_targets:
        close_enough = [name for name in ("linear head", "lora") if bounds[name] >= -each.target]
        assert each.named == (close_enough[0] if close_enough else None)
    assert [each.named for each in found.at_targets][-1] == "linear head"


@pytest.mark.parametrize("together", [1, 5])
def test_with_a_margin_bounds_know_of_groups_and_further_cases_decide_about_it(together: int) -> None:
    groups = [f"g{place // together}" for place in range(300)] if together > 1 else []
    rows = {"prompting": scores_of(270, 300), "lora": scores_of(273, 300, 3), "retrieval": scores_of(150, 300)}
    family = [evaluation_of(name, row, groups=groups) for name, row in rows.items()]
    found = {status.candidate: status for status in margin_statuses(family, 0.03, 0.04)}
    for name, below in below_best(rows, groups or None, 0.03, 0.04).items():
        assert (found[name].lower, found[name].upper) == (below.lower, below.upper)
    aim = (-0.03, 0.04 * (1 - SHARE) / 2, POWER)
    needed = cases_to_show(rows["prompting"], rows["lora"], groups or None, aim)
    assert found["prompting"].state is State.UNDECIDED
    assert found["prompting"].more_cases == needed - 300 > 0


def test_how_far_one_lies_below_the_best_is_told_from_its_bounds_and_rounded_to_the_safe_side() -> None:
    found = close(
        0.1, ("majority", 30, 0.0001), ("linear head", 261, 0.01), ("retrieval", 240, 0.02), ("lora", 264, 0.3)
    )
    points = {each.candidate: (-100 * (each.upper or 0.0), -100 * (each.lower or 0.0)) for each in found.statuses}
    said = {
        each.candidate: [float(number) for number in re.findall(r"[0-9.]+(?= to| points)", each.reason)]
        for each in found.statuses
    }
    assert states(found)["retrieval"] is State.UNDECIDED
    for name, numbers in (("majority", points["majority"][:1]), ("retrieval", points["retrieval"])):
        assert said[name][: len(numbers)] == [math.floor(numbers[0]), *map(math.ceil, numbers[1:])]
    assert said["linear head"][0] == math.ceil(points["linear head"][1])


def test_so_close_to_the_margin_that_no_realistic_number_of_cases_would_decide_is_said() -> None:
    best = [1.0] * 292 + [0.0] * 8
    other = [0.0] * 8 + [1.0] * 287 + [0.0] * 5
    family = [evaluation_of("prompting", other), evaluation_of("lora", best)]
    needed = cases_to_show(other, best, None, (-0.02, 0.0375 * (1 - SHARE), POWER))
    assert needed - 300 > LIMIT
    status = margin_statuses(family, 0.02, 0.0375)[0]
    assert (status.state, status.more_cases, status.hopeless) == (State.UNDECIDED, None, True)
    assert status.reason.endswith("No realistic number of cases would decide it.")


def test_the_one_in_front_is_never_said_to_lie_below() -> None:
    found = close(0.01, ("linear head", 150, 0.01), ("lora", 290, 0.3))
    lora = next(each for each in found.statuses if each.candidate == "lora")
    assert (lora.state, lora.upper) == (State.MEETS, 0.0)
    assert "with 95 % confidence none is better" in " ".join(found.reasons)


def test_a_target_that_is_said_to_be_enough_is_when_it_is_asked_for() -> None:
    """Told anew with the target of the sentence, the bounds are those for every target, and it is met."""
    given = (
        evaluation_of("linear head", scores_of(210, 300), seconds=0.01),
        evaluation_of("prompting", scores_of(180, 300, 5), seconds=0.1),
        evaluation_of("lora", scores_of(267, 300, 9), seconds=0.3),
    )
    lines = decided(*given).would_change
    (above,) = (line for line in lines if line.startswith("A target above "))
    (lower,) = (line for line in lines if line.endswith(" % or lower: linear head would be enough."))
    for line, place, name in ((above, 3, "lora"), (lower, 3, "linear head")):
        target = float(line.split()[place]) / 100
        asked = dataclasses.replace(benchmark_of(target=target), exploratory=True)
        assert states(decided(*given, benchmark=asked))[name] is State.MEETS


def test_other_targets_are_answered_from_the_same_scores() -> None:
    """The bounds hold for every target at once: each candidate at its part of what the walk by cost leaves for the others."""
    found = decided(
        evaluation_of("linear head", scores_of(230, 300), seconds=0.01),
        evaluation_of("lora", scores_of(275, 300), seconds=0.3),
    )
    low, high = (clopper_pearson_lower(right, 300, level_of(1) * REST / 2) for right in (230, 275))
    by_target = {round(each.target, 2): each for each in found.at_targets}
    assert list(by_target) == [round(step / 20, 2) for step in range(1, 21)]
    for target, each in by_target.items():
        meeting = [name for name, bound in (("linear head", low), ("lora", high)) if bound >= target]
        assert each.named == (meeting[0] if meeting else None)
    assert by_target[0.75].unsettled == ("linear head",)
    assert by_target[0.85].verdict == "choose"
    assert by_target[1.0].verdict == "nothing meets"


def test_a_finalist_far_below_the_target_is_not_said_to_be_too_close_to_it() -> None:
    given = [
        dataclasses.replace(evaluation_of(name, scores_of(right, 300), seconds=seconds), selection_score=selected)
        for name, right, seconds, selected in (("prompting", 120, 0.1, 0.9), ("lora", 238, 0.2, 0.6))
    ]
    benchmark = dataclasses.replace(benchmark_of(target=0.8), procedure="finalist")
    (status,) = (each for each in decided(*given, benchmark=benchmark).statuses if each.candidate == "prompting")
    assert (status.state, status.hopeless) == (State.UNDECIDED, False)
    assert status.reason.startswith("Taken alone it misses the target of 80 %, but lora did worse")


def test_costs_that_tie_are_not_told_as_an_order_of_costs() -> None:
    """Of two that cost about the same the simpler comes first, though it may be a little dearer."""
    simple, other = (
        evaluation_of(name, scores_of(right, 300), seconds=seconds, model=model)
        for name, right, seconds, model in (("linear head", 200, 0.12, ""), ("prompting", 270, 0.1, "m"))
    )
    compared = decided(
        simple,
        other,
        evaluation_of("lora", scores_of(290, 300), seconds=0.5, model="m"),
        benchmark=benchmark_of(target=None),
    )
    assert any(line.startswith("Prompting costs least to run") for line in compared.reasons)
    told = Bakeoff(evaluations=(simple, other), benchmark=benchmark_of(target=0.8)).told()
    assert "every approach that is cheaper or costs about the same misses it" in told.story.headline
    assert any(line.startswith("At about the same cost or less, but proven to miss") for line in told.story.reasons)


def test_what_costs_least_is_said_with_what_ties_and_of_whom_costs_are_known() -> None:
    known = [
        evaluation_of(name, scores_of(right, 300), seconds=seconds)
        for name, right, seconds in (("copy nearest", 250, 0.01), ("linear head", 270, 0.0105), ("majority", 90, 0.05))
    ]
    hosted = evaluation_of("prompting", scores_of(279, 300), model="house-llm", tokens=(250, 20))
    unknown = MachinePrices(tokens={"house-llm": None})

    def said(*given: Evaluation) -> list[str]:
        told = Bakeoff(evaluations=given, benchmark=benchmark_of(target=None), prices=unknown).recommended()
        return [line for line in told.reasons if "costs least" in line]

    tied = "opy nearest costs least to run, 100 s a month, and reaches 83 %; linear head costs about as much."
    assert said(*known) == [f"C{tied}"]
    assert said(*known, hosted) == [f"Of those whose costs can be compared c{tied}"]
    assert said(known[0], hosted) == [], "with nothing"


def test_what_ties_and_is_simpler_is_not_among_those_that_are_less_simple() -> None:
    """Prompting is clearly dearer than lora, so it is not preferred, and ties with retrieval, which ties with lora."""
    seconds = {"prompting": 0.130, "retrieval": 0.100, "lora": 0.080}
    told = decided(
        *(evaluation_of(name, scores_of(285, 300), seconds=each, model="m") for name, each in seconds.items())
    )
    assert told.choice == "retrieval"
    (line,) = (line for line in told.reasons if "is preferred as the simpler" in line)
    assert line.startswith("Lora meets the target too at about the same cost")


def test_no_other_target_shows_what_the_stated_one_does_not() -> None:
    """A harder target, asked afterwards, was once met by what was undecided at the stated one: for that nothing was spent."""
    benchmark = benchmark_of(target=0.8)
    asked: tuple[tuple[Procedure, float | None], ...] = (
        ("cheapest first", None),
        ("holm", None),
        ("finalist", 0.9),
        ("fixed sequence", 0.9),
    )
    for procedure, selected in asked:
        for right in (252, 257, 259, 260, 263):
            given = [
                evaluation_of("linear head", scores_of(239, 300), seconds=0.01),
                evaluation_of("prompting", scores_of(right, 300, 3), seconds=0.1),
                evaluation_of("lora", scores_of(right - 1, 300, 5), seconds=0.5),
            ]
            given = [dataclasses.replace(each, selection_score=selected) for each in given]
            stated = dataclasses.replace(benchmark, procedure=procedure)
            found = decided(*given, benchmark=stated)
            before = states(found)
            harder = dataclasses.replace(stated, target=0.81, exploratory=True)
            after = states(decided(*given, benchmark=harder))
            if procedure in ("cheapest first", "holm"):
                assert all(before[name] is State.MEETS for name in after if after[name] is State.MEETS)
            for each in found.at_targets:
                if each.target >= 0.8 and each.named is not None:
                    assert before[each.named] is State.MEETS


def test_other_targets_leave_its_part_to_what_is_not_measured_yet() -> None:
    why = "300 held-out cases were not answered yet"
    waiting = [evaluation_of(name, state=State.OPEN, problem=why) for name in ("prompting", "retrieval", "lora")]
    for right in (252, 257, 259, 260, 263):
        found = decided(
            evaluation_of("linear head", scores_of(right, 300), seconds=0.01),
            *waiting,
        )
        (there,) = (each for each in found.at_targets if round(each.target, 2) == 0.8)
        assert (there.named == "linear head") == (states(found)["linear head"] is State.MEETS)


def test_bounds_for_every_target_are_shared_with_those_that_have_no_figures() -> None:
    """One that is measured, three that wait, the cascade that may be made then, and two that were left out since something
    was proven."""
    waiting = [not_yet(f"later {place}") for place in range(3)]
    skipped = evaluation_of("retrieval", state=State.SKIPPED, problem="proven")
    spared = [dataclasses.replace(skipped, candidate=f"spared {place}", spared=True) for place in range(2)]
    found = decided(evaluation_of("linear head", scores_of(290, 300), seconds=0.01), *waiting, *spared)
    lower, upper = found.every_target["linear head"]
    level = level_of(1) * REST / 7
    assert lower == pytest.approx(clopper_pearson_lower(290, 300, level))
    assert upper == pytest.approx(clopper_pearson_upper(290, 300, level))


def test_bounds_for_every_target_know_of_groups_and_of_stopping() -> None:
    groups = [f"g{place // 5}" for place in range(300)]
    right = [float(place < 285) for place in range(300)]
    plain = benchmark_of(groups=groups)
    for benchmark in (plain, dataclasses.replace(plain, sequential=True)):
        found = decided(evaluation_of("lora", right, groups=groups), benchmark=benchmark).every_target["lora"]
        tests = which_tests(benchmark.stops_with)
        assert found == tuple(bound(right, groups, level_of(1)) for bound in (tests.lower, tests.upper))
        assert found[0] < clopper_pearson_lower(285, 300, level_of(1)) - 0.01


def test_what_is_shown_while_something_waits_stays_shown_when_a_cascade_joins() -> None:
    """A cascade is made when all are measured, and takes its part of the error."""
    for right in range(52, 62):
        linear = evaluation_of("linear head", scores_of(right, 63), seconds=0.01)
        first, last = (
            evaluation_of(name, scores_of(50, 63, place), seconds=seconds)
            for place, (name, seconds) in enumerate((("majority", 0.0001), ("prompting", 0.2)))
        )
        waiting = evaluation_of("prompting", state=State.OPEN, problem="held-out cases were not answered yet")
        cascade = dataclasses.replace(
            evaluation_of("retrieval", scores_of(50, 63, 2), seconds=0.1),
            candidate="one after the other",
            approach=CASCADE,
        )
        benchmark = benchmark_of(cases=63, target=0.8)
        before = states(decided(first, linear, waiting, benchmark=benchmark))
        after = states(decided(first, linear, last, cascade, benchmark=benchmark))
        assert before["linear head"] is not State.MEETS or after["linear head"] is State.MEETS


# ---------------------------------------------------------------- triage


def test_facts_that_stand_in_documents_point_to_retrieval() -> None:
    found = expect(Situation.of(task_of(kind="qa", documents=["A refund or a login.", "To cancel, send the invoice."])))
    assert found.order[0] == "retrieval"
    assert found.why[0].startswith("100 % of the answers are in the documents")


@pytest.mark.parametrize(
    ("answers", "documents"),
    [
        (("十四天", "三楼服务台"), ("商品的退货期限为十四天。", "退款请到三楼服务台办理。")),
        (("十四日以内", "三階の受付"), ("商品の返品は十四日以内に行ってください。", "返金は三階の受付で行います。")),
        (("สิบสี่วัน", "ชั้นสาม"), ("คืนสินค้าได้ภายในสิบสี่วันหลังจากซื้อ", "รับเงินคืนได้ที่ชั้นสามของอาคาร")),
    ],
    ids=["Chinese", "Japanese", "Thai"],
)
def test_answers_in_scripts_without_spaces_are_found_in_documents(
    answers: tuple[str, ...], documents: tuple[str, ...]
) -> None:
    task = task_of(kind="qa", documents=documents, answers=answers)
    assert found_in_documents(task) == 1.0
    assert found_in_documents(task_of(kind="qa", documents=("今天没有别的事。",), answers=answers)) == 0.0


def test_an_answer_within_a_longer_word_does_not_stand_there() -> None:
    assert (
        found_in_documents(task_of(kind="qa", documents=("Refunds and logins.",), answers=("refund", "login"))) == 0.0
    )


def test_documents_without_the_answers_do_not_decide() -> None:
    found = expect(Situation.of(task_of(kind="qa", documents=["Nothing of use, not even refunds."])))
    assert "none of the answers appears" in " ".join(found.why)


def test_style_points_to_tuning_unless_examples_are_few() -> None:
    assert expect(Situation.of(task_of(kind="generation", examples=300))).order[0] == "finetuning"
    assert expect(Situation.of(task_of(kind="generation", examples=40))).order[0] == "prompting"


def test_few_labels_with_many_examples_point_below_language_models() -> None:
    found = expect(Situation.of(task_of(labels=4, examples=300)))
    assert found.order[0] == "reference"
    assert any("classic mistake" in line for line in found.why)


def test_many_labels_point_away_from_a_language_model_and_then_to_showing_the_nearest_examples() -> None:
    """As the rows of banking77 say (`tests/cli/test_ask.py`)."""
    assert expect(Situation.of(task_of(labels=77, examples=600))).order[:3] == ("reference", "retrieval", "prompting")


def test_a_temperature_points_to_consistency() -> None:
    told = [expect(Situation.of(task_of(temperature=0.7, labels=labels))).why for labels in (0, 3)]
    assert [any("temperature 0.7" in line for line in why) for why in told] == [True, False], "labels are not drawn"


@pytest.mark.parametrize("on_selection", [True, False])
@pytest.mark.parametrize(
    ("missed", "misread", "said"),
    [
        (40, 15, "so mostly the search fails"),
        (12, 43, "so mostly the reading fails"),
        (5, 5, "so both search and reading play a part"),
        (20, 10, "so both search and reading play a part"),
        (4, 5, ""),
    ],
)
def test_it_is_told_whether_the_search_or_the_reading_fails(
    missed: int, misread: int, said: str, on_selection: bool
) -> None:
    quality = RetrievalQuality(
        cases=200, recall_at={1: 0.8}, mrr=0.8, missed=missed, misread=misread, on_selection=on_selection
    )
    looked_up = dataclasses.replace(
        evaluation_of("retrieval", scores_of(200 - missed - misread, 200)), retrieval=quality, oracle=0.7
    )
    found = " ".join(decided(evaluation_of("majority", scores_of(60, 200)), looked_up).reasons)
    assert "The passage that retrieval looked up was from the right document in 80 % of 200 cases" in found
    assert "with the right documents handed over, 70 % would be reached" in found
    where, what = (
        ("on the selection cases", "the right passage")
        if on_selection
        else ("there", "a passage of the right document")
    )
    wrong = f"Of {missed + misread} wrong answers {where}, {missed} lacked {what} and {misread} were wrong even with it"
    assert (f"{wrong}, {said}." in found) == bool(said)
    assert ("even with it" in found) == bool(said)


def test_wrong_answers_of_a_few_groups_do_not_tell_whether_the_search_fails() -> None:
    alone = RetrievalQuality(cases=200, recall_at={1: 0.8}, mrr=0.8, missed=40, misread=15)

    def told(quality: RetrievalQuality) -> str:
        looked_up = dataclasses.replace(evaluation_of("retrieval", scores_of(145, 200)), retrieval=quality)
        return " ".join(decided(evaluation_of("majority", scores_of(60, 200)), looked_up).reasons)

    assert "so mostly the search fails" in told(alone)
    groups = ((10, 10), (10, 10), (10, 10), (10, 10), (0, 15))
    few = dataclasses.replace(alone, missed_by_group=groups)
    assert "40 lacked a passage of the right document and 15 were wrong even with it, so both search" in told(few)


def test_a_limit_in_one_currency_says_nothing_of_costs_in_another() -> None:
    hosted = evaluation_of("prompting", scores_of(280, 300), tokens=(1000, 100), model="big-one")
    price = TokenPrices(model="big-one", input=1000.0, cached=1000.0, output=1000.0, source="list")
    benchmark = benchmark_of(constraints=Constraints(cost_per_month=1.0))
    euros = MachinePrices(tokens={"big-one": price}, currency="EUR")
    told = decided(hosted, benchmark=benchmark, prices=euros)
    assert states(told) == {"prompting": State.UNDECIDED}
    assert any("was not checked for prompting, whose cost in EUR is not known" in reason for reason in told.reasons)
    dollars = dataclasses.replace(euros, currency="USD")
    assert states(decided(hosted, benchmark=benchmark, prices=dollars)) == {"prompting": State.RULED_OUT}


def test_a_second_limit_that_is_broken_too_keeps_a_cheaper_volume_from_helping() -> None:
    slow = evaluation_of("prompting", scores_of(280, 300), seconds=0.5, p95=3.0)
    told = decided(
        evaluation_of("linear head", scores_of(285, 300, 9), seconds=0.01, p95=0.1),
        slow,
        benchmark=benchmark_of(constraints=Constraints(cost_per_month=0.01, p95_latency_s=1.0)),
        prices=MachinePrices(machine_hour=0.1),
    )
    assert states(told)["prompting"] is State.RULED_OUT
    assert not any("prompting" in line and "requests a month" in line for line in told.would_change)


def test_why_one_could_not_be_judged_stands_with_the_step_to_see_it() -> None:
    """In a terminal, where only the first reasons fit."""
    lost = evaluation_of("prompting", (), seconds=0.1)
    told = decided(
        evaluation_of("majority", scores_of(75, 300)),
        dataclasses.replace(lost, state=State.INVALID, problem="9 of 300 answers were lost"),
    )
    assert told.next_steps[0] == (
        "See why prompting could not be judged, and run again if it matters. 9 of 300 answers were lost."
    )
    assert not any("language model" in step for step in told.next_steps), (
        "there was one, and what it reaches is not known"
    )


def test_nobody_is_sent_for_more_cases_where_none_would_decide() -> None:
    close_by = evaluation_of("linear head", scores_of(240, 300), seconds=0.01)
    alone = decided(evaluation_of("majority", scores_of(30, 300), seconds=0.0001), close_by)
    assert alone.next_steps == (
        "State another target, or try an approach that may be better, such as one with a language model: no realistic number of "
        "held-out cases would decide about linear head at this target.",
    )
    asked = decided(evaluation_of("prompting", scores_of(240, 300), seconds=0.01))
    assert "such as one with a larger language model" in asked.next_steps[0]
    beside = decided(close_by, evaluation_of("lora", scores_of(285, 300, 4), seconds=0.3))
    assert beside.cheaper_undecided == ("linear head",)
    for told in (alone, beside):
        assert not any("more held-out cases" in line for line in (*told.would_change, *told.next_steps))


def test_behind_one_that_nothing_decides_the_cases_are_those_that_show_the_next_one() -> None:
    close_by = evaluation_of("linear head", scores_of(238, 300), seconds=0.01)
    told = decided(close_by, evaluation_of("lora", scores_of(255, 300, 5), seconds=0.3))
    first, second = told.statuses
    assert (first.hopeless, first.more_cases) == (True, None)
    assert (second.state, second.behind) == (State.UNDECIDED, "")
    assert second.more_cases
    assert told.next_steps[0].startswith("To decide about lora, label about ")


def test_one_that_was_not_tested_is_not_said_to_lie_close_to_the_target() -> None:
    """The finalist alone is tested for meeting; of the others that is what is said."""
    rows = [
        dataclasses.replace(evaluation_of(name, scores_of(right, 300, 3 * right)), selection_score=score)
        for name, right, score in (("linear head", 288, 0.8), ("lora", 246, 0.9))
    ]
    benchmark = dataclasses.replace(benchmark_of(), procedure="finalist")
    told = decided(*rows, benchmark=benchmark)
    assert not any("no realistic number" in reason for reason in told.reasons if "linear head" in reason)
