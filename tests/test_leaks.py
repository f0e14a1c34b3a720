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
from benchmarks.evaluation.evaluate import leaks
from benchmarks.specs.spec import parse_spec
from strategies.contract import Case, Prediction
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
    clean = assemble(SPEC, data=Loaded(examples=examples, heldout=heldout)).benchmark
    assert clean.leaked == ()


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
