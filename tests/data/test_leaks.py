"""Held-out cases that stood among the examples: found, left out of the examples, written down, and told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.probes.leaked import without_the_leaks
from benchmarks.contract import Row
from benchmarks.data.assemble import Loaded, assemble
from benchmarks.data.frozen import freeze, thaw
from benchmarks.evaluation.evaluate import leaks, perhaps_leaked
from benchmarks.specs.spec import parse_spec
from benchmarks.statistics.confidence import shown_interval
from strategies.contract import Case, Document, Prediction
from tests import tiny
from tests.verdict_cases import Bakeoff, benchmark_of, evaluation_of, scores_of

SPEC = parse_spec({"name": "x", "instruction": "y", "examples": "z", "heldout": "h", "target": 0.6})


def test_they_are_named_once_and_what_repeats_them_is_left_out(tmp_path: Path) -> None:
    examples, heldout = tiny.messages(40), tiny.messages(20, start=60)
    same = Case(id="same", input=heldout[2].input.upper() + "!", output=heldout[2].output)
    near = Case(id="near", input=heldout[5].input.replace("note", "notes"), output=heldout[5].output)
    data = Loaded(examples=(*examples, same, near), heldout=heldout)
    made = assemble(SPEC, data=data).benchmark
    assert made.leaked == (heldout[2].id, heldout[5].id)
    assert not {"same", "near"} & {case.id for case in made.task.examples}
    assert thaw(json.loads(json.dumps(freeze(made)))) == made
    assert made.stayed == (), "and it is known that the near one is left out"
    clean = assemble(SPEC, data=Loaded(examples=examples, heldout=heldout)).benchmark
    assert clean.leaked == ()


def test_near_ones_that_stay_since_they_are_many_are_not_said_to_be_left_out() -> None:
    examples, heldout = tiny.messages(20), tiny.messages(20, start=60)
    same = Case(id="same", input=heldout[2].input.upper() + "!", output=heldout[2].output)
    near = [
        Case(id=f"near {one.id}", input=one.input.replace("note", "notes"), output=one.output) for one in heldout[5:12]
    ]
    assembly = assemble(SPEC, data=Loaded(examples=(*examples, same, *near), heldout=heldout))
    made = assembly.benchmark
    assert {one.id for one in near} <= {case.id for case in made.task.examples}
    assert made.stayed == tuple(case.id for case in heldout[5:12])
    assert thaw(json.loads(json.dumps(freeze(made)))) == made
    stayed = "7 held-out cases have such an example; these stay, since they are more than a fifth of the examples."
    assert next(one for one in assembly.findings if one.kind == "near overlap").what_to_do == stayed
    before = {key: value for key, value in freeze(made).items() if key != "stayed"}
    assert thaw(before).stayed is None, "of a run of before it is not known"


def test_cases_beside_what_stays_in_other_words_or_of_their_group_are_written_down_apart() -> None:
    examples, heldout = tiny.messages(20), tiny.messages(20, start=60)
    turned = Case(id="turned", input=" ".join(heldout[2].input.split()[::-1]), output=heldout[2].output)
    alone = assemble(SPEC, data=Loaded(examples=(*examples, turned), heldout=heldout)).benchmark
    assert (alone.leaked, alone.perhaps_leaked) == ((), (heldout[2].id,))
    held = [replace(case, group=f"g{place}") for place, case in enumerate(heldout)]
    many = tuple(replace(case, group=f"g{5 + place % 2}") for place, case in enumerate(examples))
    made = assemble(SPEC, data=Loaded(examples=(*many, turned), heldout=tuple(held))).benchmark
    assert (made.leaked, made.perhaps_leaked) == ((), tuple(heldout[place].id for place in (2, 5, 6)))
    assert thaw(json.loads(json.dumps(freeze(made)))) == made
    few = (*examples[1:], replace(examples[0], group="g7"))
    left_out = assemble(SPEC, data=Loaded(examples=few, heldout=tuple(held))).benchmark
    assert left_out.perhaps_leaked == (), "of what is left out nothing stays"
    before = {key: value for key, value in freeze(made).items() if key != "perhaps_leaked"}
    assert thaw(before).perhaps_leaked == (), "of a run of before it is not known"


def test_cases_whose_input_stands_in_a_document_are_among_those_and_stay() -> None:
    """What looks things up finds them more easily, which no figure showed; an FAQ holds them on purpose."""
    cases = tiny.questions(40)
    faq = Document(id="faq", text=f"{cases[30].input} {cases[30].output}. {cases[3].input} {cases[3].output}.")
    spec = SPEC.model_copy(update={"kind": "qa", "labels": None})
    data = Loaded(examples=cases[:20], heldout=cases[20:], documents=(faq,))
    made = assemble(spec, data=data).benchmark
    without = assemble(spec, data=replace(data, documents=())).benchmark
    assert {*made.perhaps_leaked} - {*without.perhaps_leaked} == {cases[30].id}
    assert (made.in_documents, without.in_documents) == ((cases[30].id,), ())
    assert thaw(json.loads(json.dumps(freeze(made)))) == made
    assert {case.id for case in made.heldout} == {case.id for case in cases[20:]}
    found = {each.kind: each for each in assemble(spec, data=data).findings}
    assert "Of an FAQ, which holds them on purpose" in found["questions in documents"].what_to_do


def test_the_figure_without_those_that_perhaps_leaked_has_a_row_of_its_own() -> None:
    ids = tuple(f"h{place:03}" for place in range(30))
    benchmark = replace(benchmark_of(cases=100), leaked=ids[:10], perhaps_leaked=ids[10:])
    scores = scores_of(90, 100)
    rows = rows_of("".join("01"[int(score)] for score in scores))
    found = leaks(benchmark, benchmark.heldout, rows)
    perhaps = perhaps_leaked(benchmark, benchmark.heldout, rows)
    assert found is not None
    assert perhaps is not None
    assert (perhaps.cases, perhaps.others, perhaps.stayed) == (20, 80, 0)
    assert perhaps.without == pytest.approx(sum(scores[:10] + scores[30:]) / 80)
    evaluation = replace(evaluation_of("linear head", scores), leaks=found, perhaps_leaked=perhaps)
    story = Bakeoff(evaluations=(evaluation,), benchmark=benchmark).told().story
    assert [row[0] for row in story.leaks.rows] == ["linear head", "linear head, perhaps"]
    assert "10 held-out cases, the same or nearly." in story.leaks.note
    assert 'Rows with "perhaps" are of 20 held-out cases beside which examples stayed' in story.leaks.note
    assert "documents" not in story.leaks.note
    faq = replace(benchmark, task=replace(benchmark.task, documents=(Document(id="faq", text="Who?"),)))
    told = Bakeoff(evaluations=(evaluation,), benchmark=faq).told().story.leaks.note
    assert "or are of their group, or that documents hold" in told, "of an older run it is not known how many"
    told = Bakeoff(evaluations=(evaluation,), benchmark=replace(faq, in_documents=ids[25:])).told().story.leaks.note
    assert "are of 15 held-out cases beside which examples stayed" in told
    assert (
        "or are of their group, and of 5 held-out cases that documents hold, where what looks things up finds them"
        in told
    )
    told = Bakeoff(evaluations=(evaluation,), benchmark=replace(faq, in_documents=ids[10:])).told().story.leaks.note
    assert 'Rows with "perhaps" are of 20 held-out cases that documents hold' in told
    assert story.facts["candidates"][0]["perhaps_leaked"]["cases"] == 20
    assert not any("perhaps" in risk for risk in story.risks)
    alone = Bakeoff(evaluations=(replace(evaluation, leaks=None),), benchmark=benchmark).told().story
    assert [row[0] for row in alone.leaks.rows] == ["linear head, perhaps"]
    assert alone.leaks.note.startswith("Rows with")


@pytest.mark.parametrize(
    ("stayed", "said", "noted"),
    [
        (
            None,
            "10 held-out cases stood among the examples too; these examples were left out. Without",
            "those that are only nearly",
        ),
        (
            0,
            "10 held-out cases stood among the examples too; these examples were left out. Without",
            "were left out for every approach",
        ),
        (
            4,
            "the same or nearly. 4 held-out cases have a nearly identical example; these stayed, since",
            "4 held-out cases have",
        ),
        (
            10,
            "10 held-out cases have a nearly identical example; these stayed, since",
            "10 held-out cases have a nearly",
        ),
    ],
)
def test_the_report_says_which_near_ones_were_trained_on(stayed: int | None, said: str, noted: str) -> None:
    ids = tuple(f"h{place:03}" for place in range(10))
    benchmark = replace(benchmark_of(cases=100), leaked=ids, stayed=None if stayed is None else ids[:stayed])
    scores = scores_of(90, 100)
    found = leaks(benchmark, benchmark.heldout, rows_of("".join("01"[int(score)] for score in scores)))
    evaluation = replace(evaluation_of("linear head", scores), leaks=found)
    story = Bakeoff(evaluations=(evaluation,), benchmark=benchmark).told().story
    assert said in next(without_the_leaks(evaluation))
    assert ("stayed, since they are more than a fifth of the examples" in story.leaks.note) is bool(stayed)
    assert noted in story.leaks.note
    assert ("left out" in next(without_the_leaks(evaluation))) is not bool(stayed)


def rows_of(right: str) -> list[Row]:
    return [
        Row(
            candidate="c",
            purpose="heldout",
            key=f"h{place:03}",
            outcome=Prediction(text="refund"),
            score=float(mark == "1"),
        )
        for place, mark in enumerate(right)
    ]


def test_the_figure_without_them_is_that_of_the_others() -> None:
    benchmark = replace(benchmark_of(cases=8), leaked=("h000", "h001", "h002"))
    found = leaks(benchmark, benchmark.heldout, rows_of("11100011"))
    assert found is not None
    assert (found.cases, found.figure, found.others) == (3, 1.0, 5)
    assert found.without == pytest.approx(0.4)
    assert found.lower < 0.4 < found.upper
    assert (found.lower, found.upper) == shown_interval([0, 0, 0, 1, 1])
    assert leaks(benchmark_of(cases=8), benchmark.heldout, rows_of("11100011")) is None
    everything = replace(benchmark, leaked=tuple(case.id for case in benchmark.heldout))
    assert leaks(everything, benchmark.heldout, rows_of("11100011")) is None


def test_the_story_shows_every_approach_with_and_without_them() -> None:
    benchmark = replace(benchmark_of(cases=100), leaked=tuple(f"h{place:03}" for place in range(10)))
    evaluations = []
    for name, right in (("copy nearest", 82), ("linear head", 90)):
        scores = scores_of(right, 100)
        rows = rows_of("".join("01"[int(score)] for score in scores))
        evaluations.append(
            replace(evaluation_of(name, scores), leaks=leaks(benchmark, benchmark.heldout, rows)),
        )
    story = Bakeoff(evaluations=tuple(evaluations), benchmark=benchmark).told().story
    shown = {row[0]: row[1:] for row in story.leaks.rows}
    assert set(shown) == {"copy nearest", "linear head"}
    assert shown["linear head"][0] == "90 %"
    assert "10 held-out cases, the same or nearly" in story.leaks.note
    assert story.facts["candidates"][0]["leaks"]["cases"] == 10
    named = story.choice or "linear head"
    told = next(without_the_leaks(each) for each in evaluations if each.candidate == named)
    assert next(iter(told)) in story.risks
    assert Bakeoff(evaluations=(evaluation_of("majority", scores),), benchmark=benchmark).told().story.leaks.rows == ()
