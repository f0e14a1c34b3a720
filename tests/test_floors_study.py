"""The study of floors: cases that nobody developed on, and what its table says of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from advisor.comparison import Wishes, prepare
from benchmarks.checked import Leaks
from benchmarks.studies.floors import __main__ as program
from benchmarks.studies.floors import copies
from benchmarks.studies.floors.goals import GOALS, TASKS, Goal, approaches
from benchmarks.studies.floors.table import document, reached
from strategies.catalog import approaches as offered
from tests.situations import SITUATIONS

GOAL = Goal(task="t", says="the best", approaches=("prompting", "lora"), metric="accuracy", least=0.8)


def test_the_cases_are_others_and_the_examples_the_same(tmp_path: Path) -> None:
    known, heldout = copies.rest("support-intents", examples=60, seen=40, most=50)
    looked_at = {case.id for case in known.benchmark.heldout}
    assert len(looked_at) == 40
    assert len(heldout) == 50
    assert not looked_at & {case.id for case in heldout}
    assert heldout == copies.rest("support-intents", examples=60, seen=40, most=50)[1]
    task = copies.write(known, heldout, tmp_path / "copy")
    again = prepare(task, Wishes()).assembly
    assert {case.id for case in again.benchmark.heldout} == {case.id for case in heldout}
    assert {case.id for case in again.benchmark.task.examples} == {case.id for case in known.benchmark.task.examples}
    assert again.benchmark.target == known.benchmark.target
    assert again.benchmark.metric.name == known.benchmark.metric.name
    assert not any("reviewed" in note for note in again.inferred)


def test_every_goal_names_approaches_that_there_are() -> None:
    names = {each.name for each in offered()}
    assert {name for goal in GOALS for name in goal.approaches} <= names
    assert all(approaches(task) for task in TASKS)
    assert "lora + retrieval" in approaches("banking77")


def test_the_best_of_the_approaches_counts_and_leaks_are_left_out_where_that_is_asked() -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    found = reached(dataclasses.replace(GOAL, approaches=("retrieval", "lora")), verdict)
    assert found is not None
    assert found[0] == pytest.approx(0.87)
    assert found[2] == 300
    assert reached(dataclasses.replace(GOAL, approaches=("nobody",)), verdict) is None
    leaks = Leaks(cases=10, figure=1.0, others=290, without=0.8, lower=0.75, upper=0.85)
    leaky = dataclasses.replace(
        verdict, evaluations=tuple(dataclasses.replace(each, leaks=leaks) for each in verdict.evaluations)
    )
    without = reached(dataclasses.replace(GOAL, approaches=("lora",), without_leaks=True), leaky)
    assert without == (0.8, "0.800 (0.750-0.850)", 290)


def test_other_metrics_are_taken_from_what_is_shown() -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    shown = dataclasses.replace(
        verdict,
        evaluations=tuple(dataclasses.replace(each, shown={"json_valid": 0.99}) for each in verdict.evaluations),
    )
    assert reached(dataclasses.replace(GOAL, approaches=("lora",), metric="json_valid"), shown) == (0.99, "0.990", 300)


def test_without_rows_the_table_says_what_is_missing(tmp_path: Path) -> None:
    text = document(tmp_path)
    assert text.count("not run |") == len(GOALS)
    assert f"Not run yet: {', '.join(TASKS)}." in text


def test_a_task_that_has_its_rows_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in TASKS:
        (tmp_path / f"{task}.jsonl.gz").write_bytes(b"")
    monkeypatch.setattr(program, "performed", lambda *_: pytest.fail("run again"))
    program.run.callback((), "standard", tmp_path / "runs", tmp_path)  # type: ignore[misc]
