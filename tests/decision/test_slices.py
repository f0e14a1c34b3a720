"""Parts of the held-out cases: what is asked of every one, and what so few cases do not show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from advisor.contract import Recommendation, Status
from advisor.costs.economics import costs
from advisor.decision.slices import parts, perhaps_too_weak, too_weak, weakest_part
from advisor.probes.slices_table import PARTS
from advisor.story.recommended import recommend
from benchmarks.contract import BadInput, Benchmark, Constraints, Evaluation, Procedure, Row, State
from benchmarks.costs.prices import MachinePrices
from benchmarks.evaluation.evaluate import figures
from benchmarks.metrics.f1_of_label import F1OfLabel
from benchmarks.specs.spec import parse_spec
from benchmarks.statistics.best import below_best
from benchmarks.statistics.confidence import (
    anytime,
    clopper_pearson_lower,
    clopper_pearson_upper,
    shown_interval,
    upper_bound,
)
from benchmarks.statistics.families import REST
from benchmarks.statistics.looks import level_of
from strategies.contract import Case, Prediction
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of

CALM, CHATTY = 240, 60


def benchmark(limit: float | None) -> Benchmark:
    bench = benchmark_of(constraints=Constraints(slice_at_least=limit))
    heldout = tuple(
        dataclasses.replace(case, slices={"persona": "calm" if place < CALM else "chatty"})
        for place, case in enumerate(bench.heldout)
    )
    return dataclasses.replace(bench, heldout=heldout, slices=("persona",))


def scores(calm: int, chatty: int) -> list[float]:
    return [1.0] * calm + [0.0] * (CALM - calm) + [1.0] * chatty + [0.0] * (CHATTY - chatty)


def decided(limit: float | None, calm: int, chatty: int) -> Recommendation:
    bench = benchmark(limit)
    evaluation = evaluation_of("lora", scores(calm, chatty), seconds=0.2)
    return recommend([evaluation], [costs(evaluation, bench, MachinePrices())], bench, MachinePrices())


def test_a_part_that_is_shown_to_be_too_weak_rules_out() -> None:
    found = decided(0.6, 235, 22)
    status = found.statuses[0]
    assert status.state is State.RULED_OUT
    upper = clopper_pearson_upper(22, CHATTY, 0.05 / 2)
    assert upper < 0.6
    assert status.reason.startswith("Where persona is chatty it reaches at most 51 %")
    assert "60 % in every part" in status.reason
    assert not list(perhaps_too_weak(evaluation_of("lora", scores(235, 22)), benchmark(0.6))), "it is proven"


def test_a_part_below_the_limit_that_few_cases_do_not_show_is_told_and_decides_nothing() -> None:
    found = decided(0.6, 235, 33)
    assert found.statuses[0].state is State.MEETS
    told = [reason for reason in found.reasons if "may be too weak where persona is chatty: 55 % of 60 cases" in reason]
    assert len(told) == 1


@pytest.mark.parametrize("procedure", ["cheapest first", "holm"])
def test_whom_a_weak_part_rules_out_takes_its_share_of_the_error_all_the_same(procedure: Procedure) -> None:
    """Who is left was picked by the scores that are tested: eight approaches at the target, each with a part below the limit, and
    with the limit nothing is shown that is not shown without it."""
    rng, prices = np.random.default_rng(24), MachinePrices()
    shares = np.repeat([0.9, 0.5], [CALM, CHATTY])
    asked = [dataclasses.replace(benchmark(limit), target=0.82, procedure=procedure) for limit in (None, 0.62)]
    left = 0
    for _ in range(10):
        rows = (rng.random((8, len(shares))) < shares).astype(float)
        drawn = [
            dataclasses.replace(
                evaluation_of("linear head", row.tolist(), seconds=0.1 * 2**place), candidate=f"head {place}"
            )
            for place, row in enumerate(rows)
        ]
        without, with_limit = (
            {
                status.candidate: status.state
                for status in recommend(drawn, [costs(each, bench, prices) for each in drawn], bench, prices).statuses
            }
            for bench in asked
        )
        told = {name: state for name, state in with_limit.items() if state is not State.RULED_OUT}
        assert told == {name: without[name] for name in told}
        left += len(told)
    assert 20 < left < 60


def test_one_that_a_weak_part_rules_out_stands_before_dearer_ones_until_it_is_shown_to_miss() -> None:
    bench, prices = benchmark(0.6), MachinePrices()

    def second(calm: int, chatty: int) -> Status:
        cheap = evaluation_of("linear head", scores(calm, chatty), seconds=0.01)
        dear = evaluation_of("lora", scores(205, 50), seconds=0.2)
        bills = [costs(each, bench, prices) for each in (cheap, dear)]
        found = {each.candidate: each for each in recommend([cheap, dear], bills, bench, prices).statuses}
        assert found["linear head"].state is State.RULED_OUT
        return found["lora"]

    assert second(180, 20).state is State.MEETS
    waits = second(235, 20)
    assert waits.state is State.UNDECIDED
    assert "linear head comes before it by cost and is not shown to miss it" in waits.reason
    assert waits.more_cases


def test_bounds_for_every_target_are_shared_with_whom_a_weak_part_rules_out() -> None:
    bench, prices = benchmark(0.6), MachinePrices()
    family = [
        evaluation_of("majority", scores(230, 20), seconds=0.1),
        evaluation_of("lora", scores(235, 50), seconds=0.2),
    ]
    found = recommend(family, [costs(each, bench, prices) for each in family], bench, prices)
    assert set(found.every_target) == {"lora"}
    assert found.every_target["lora"][0] == pytest.approx(clopper_pearson_lower(285, 300, level_of(1) * REST / 2))


def test_whom_a_limit_on_time_rules_out_is_not_tested_whatever_its_parts_are() -> None:
    limits = Constraints(slice_at_least=0.6, p95_latency_s=5.0)
    bench, prices = dataclasses.replace(benchmark(0.6), constraints=limits), MachinePrices()
    slow, lora = evaluation_of("majority", scores(230, 20), p95=9.0), evaluation_of("lora", scores(220, 45))
    found = recommend([slow, lora], [costs(each, bench, prices) for each in (slow, lora)], bench, prices)
    assert {each.candidate: each.state for each in found.statuses}["majority"] is State.RULED_OUT
    lower = {each.candidate: each.lower for each in found.statuses}["lora"]
    assert lower == pytest.approx(clopper_pearson_lower(265, 300, level_of(1))), "it has the whole error for itself"


def test_with_a_margin_too_whom_a_weak_part_rules_out_takes_its_share_of_the_error() -> None:
    """So the bounds of those that are left are no narrower than beside the others."""
    bench = dataclasses.replace(benchmark(0.6), target=None, margin=0.05)
    right = {"majority": (230, 20), "linear head": (228, 22), "prompting": (232, 50), "lora": (230, 52)}
    family = [evaluation_of(name, scores(*parts), seconds=0.1) for name, parts in right.items()]
    bills = [costs(each, bench, MachinePrices()) for each in family]
    found = {status.candidate: status for status in recommend(family, bills, bench, MachinePrices()).statuses}
    assert [found[name].state for name in right][:2] == [State.RULED_OUT] * 2
    left = {name: scores(*right[name]) for name in ("prompting", "lora")}
    for name, below in below_best(left, None, 0.05, level_of(1) / 3).items():
        assert (found[name].lower, found[name].upper) == pytest.approx((below.lower, below.upper))


def test_without_a_limit_or_above_it_nothing_is_said() -> None:
    for limit, calm, chatty in ((None, 235, 10), (0.6, 235, 50), (1.0, CALM, CHATTY)):
        found = decided(limit, calm, chatty)
        assert found.statuses[0].state is not State.RULED_OUT
        assert not any("every part" in reason for reason in found.reasons)


def test_parts_share_the_confidence_and_cover_the_cases() -> None:
    found = parts(evaluation_of("lora", scores(200, 30)), benchmark(0.5))
    assert [(part.where, part.cases, part.figure) for part in found] == [
        ("persona is calm", CALM, 200 / CALM),
        ("persona is chatty", CHATTY, 0.5),
    ]
    assert found[1].upper == pytest.approx(clopper_pearson_upper(30, CHATTY, 0.025))
    assert parts(evaluation_of("lora"), benchmark(0.5)) == []


def test_parts_know_of_groups_and_of_what_was_asked_no_more() -> None:
    groups = [f"g{place // 5}" for place in range(CALM + CHATTY)]
    right = scores(200, 30)
    chatty = parts(evaluation_of("lora", right, groups=groups), benchmark(0.5))[1]
    assert chatty.upper == upper_bound(right[CALM:], groups[CALM:], 0.05 / 2)
    assert chatty.upper > clopper_pearson_upper(30, CHATTY, 0.05 / 2) + 0.05
    stopped = parts(evaluation_of("lora", right[: CALM + 10]), dataclasses.replace(benchmark(0.5), sequential=True))
    assert [(part.cases, part.figure) for part in stopped] == [(CALM, 200 / CALM), (10, 1.0)]
    assert stopped[0].upper == anytime(1).upper(right[:CALM], None, 0.05 / 2)


def test_a_part_is_held_against_the_limit_by_the_metric_where_that_is_over_rows() -> None:
    """Of the urgent messages in German it finds none: right in 9 of 10, and an F1 of 0."""
    metric, cases, rows = F1OfLabel(label="urgent"), [], []
    for place in range(300):
        language, truth = "de" if place < 150 else "en", "normal" if place % 10 else "urgent"
        cases.append(Case(id=f"h{place:03}", input=f"m{place}", output=truth, slices={"language": language}))
        text = truth if language == "en" else "normal"
        row = Row(
            candidate="lora", purpose="heldout", key=cases[-1].id, outcome=Prediction(text=text), score=text == truth
        )
        rows.append(row)
    bench = dataclasses.replace(
        benchmark_of(target=0.5, constraints=Constraints(slice_at_least=0.5)),
        heldout=tuple(cases),
        metric=metric,
        slices=("language",),
    )
    evaluation = dataclasses.replace(evaluation_of("lora"), **figures(bench, cases, rows, 0.01))
    german, english = parts(evaluation, bench)
    assert (german.where, german.cases, german.figure, english.figure) == ("language is de", 150, 0.0, 1.0)
    assert 0.1 < german.upper < 0.4
    assert english.upper == 1.0
    assert too_weak(evaluation, bench).startswith("Where language is de it reaches at most")
    without = dataclasses.replace(evaluation, slice_upper={})
    assert not too_weak(without, bench)
    assert "where language is de: 0 % over 150 cases" in next(iter(perhaps_too_weak(without, bench)))


def test_a_limit_on_parts_needs_parts() -> None:
    values = {"name": "x", "instruction": "y", "examples": "z.jsonl", "constraints": {"slice_at_least": 0.6}}
    with pytest.raises(BadInput, match="slice_at_least without slices"):
        parse_spec(values)
    assert parse_spec(values | {"slices": ["persona"]}).limits.slice_at_least == 0.6
    with pytest.raises(BadInput, match=r"Write 0\.6 for 60 %"):
        parse_spec(values | {"slices": ["persona"], "constraints": {"slice_at_least": 60}})


def test_the_report_has_a_table_of_the_parts_weakest_first() -> None:
    bench = benchmark(None)

    def evaluated(name: str, calm: int, chatty: int) -> Evaluation:
        of_parts = {"calm": (calm / CALM, CALM), "chatty": (chatty / CHATTY, CHATTY)}
        kind = name if name in ("lora", "prompting") else "linear head"
        found = dataclasses.replace(evaluation_of(kind, scores(calm, chatty)), candidate=name)
        return dataclasses.replace(found, by_slice={"persona": of_parts})

    found = [
        evaluated("lora", 235, 33),
        evaluated("prompting", 100, 40),
        *(evaluated(f"other {n}", n, n) for n in range(4)),
    ]
    story = Bakeoff(evaluations=tuple(found), benchmark=bench).told().story
    assert story.slices.columns == ("part", "cases", "lora", "prompting", "other 3", "other 2")
    low, high = shown_interval([1.0] * 33 + [0.0] * (CHATTY - 33))
    assert story.slices.rows == (
        ("persona is chatty", "60", f"55 % ({100 * low:.0f}-{100 * high:.0f})", "67 %", "5 %", "3 %"),
        ("persona is calm", "240", "98 % (95-99)", "42 %", "1 %", "1 %"),
    )
    assert not Bakeoff(evaluations=tuple(found), benchmark=benchmark_of()).told().story.slices.rows


def test_of_very_many_parts_the_weakest_are_shown_and_the_rest_counted() -> None:
    bench = benchmark(None)
    many = tuple(
        dataclasses.replace(case, slices={"persona": f"p{place % 20}"}) for place, case in enumerate(bench.heldout)
    )
    of_parts = {f"p{n}": (n / 20, len(many) // 20) for n in range(20)}
    tuned = dataclasses.replace(evaluation_of("lora", scores(150, 30)), by_slice={"persona": of_parts})
    table = Bakeoff(evaluations=(tuned,), benchmark=dataclasses.replace(bench, heldout=many)).told().story.slices
    assert [row[0] for row in table.rows] == [f"persona is p{n}" for n in range(PARTS)]
    assert "8 further parts in report.json" in table.note
    assert "In brackets 95 % intervals" in table.note
    over_rows = dataclasses.replace(tuned, over_rows=True, resampled=tuple(np.linspace(0.5, 0.6, 2_000)))
    table = Bakeoff(evaluations=(over_rows,), benchmark=dataclasses.replace(bench, heldout=many)).told().story.slices
    assert not any("(" in row[2] for row in table.rows)
    assert table.note.startswith("The weakest parts of the first approach stand first. 8 further parts"), (
        "no bracket is told of"
    )


@pytest.mark.parametrize(("over_rows", "told"), [(False, "37 % of 60 cases."), (True, "37 % over 60 cases.")])
def test_an_f1_of_the_weakest_part_is_not_told_as_a_share_of_its_cases(over_rows: bool, told: str) -> None:
    bench = benchmark(None)
    evaluation = dataclasses.replace(
        evaluation_of("lora", scores(235, 22)),
        over_rows=over_rows,
        by_slice={"persona": {"chatty": (22 / 60, 60)}},
        slice_upper={"persona": {"chatty": 0.5}},
    )
    assert weakest_part(evaluation, bench) == [f"Lora is weakest where persona is chatty: {told}"]
    graded = dataclasses.replace(evaluation, over_rows=False, scores=(0.5, *evaluation.scores[1:]))
    assert weakest_part(graded, bench)[0].endswith("37 % on average of 60 cases.")
    unbounded = dataclasses.replace(evaluation, over_rows=True, slice_upper={})
    assert weakest_part(unbounded, bench) == [], "nothing bounds the F1 of the part"


def test_of_parts_that_do_not_differ_none_is_called_weakest() -> None:
    """The lowest of ten parts was, in two of three draws."""
    bench, rng = benchmark(None), np.random.default_rng(0)
    cases = tuple(
        dataclasses.replace(case, slices={"persona": f"p{place % 10}"}) for place, case in enumerate(bench.heldout)
    )
    alike = dataclasses.replace(bench, heldout=cases)
    said = 0
    for _ in range(60):
        drawn = (rng.random(len(cases)) < 0.8).astype(float).tolist()
        said += bool(weakest_part(evaluation_of("lora", drawn), alike))
    assert said <= 6
