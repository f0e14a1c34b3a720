"""The study of floors: cases that no language model was developed on, and what its table says of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from advisor.experiments.comparison import Wishes, prepare
from benchmarks.checked import Leaks
from benchmarks.studies import afternoon
from benchmarks.studies.afternoon_rows import FILE, Arm, Record
from benchmarks.studies.afternoon_rows import Row as PlainRow
from benchmarks.studies.floors import __main__ as program
from benchmarks.studies.floors import copies, searching, table
from benchmarks.studies.floors.goals import AHEAD, GOALS, SEARCHES, TASKS, Ahead, Goal, Search, approaches, arms
from benchmarks.studies.floors.table import Reached, document, reached
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
    assert found.counted == pytest.approx(0.87)
    assert found.cases == 300
    assert reached(dataclasses.replace(GOAL, approaches=("nobody",)), verdict) is None
    leaks = Leaks(cases=10, figure=1.0, others=290, without=0.8, lower=0.75, upper=0.85)
    leaky = dataclasses.replace(
        verdict, evaluations=tuple(dataclasses.replace(each, leaks=leaks) for each in verdict.evaluations)
    )
    without = reached(dataclasses.replace(GOAL, approaches=("lora",), without_leaks=True), leaky)
    assert without == Reached(counted=0.8, told="0.800 (0.750-0.850)", cases=290)
    every = reached(dataclasses.replace(GOAL, approaches=("retrieval", "lora"), every=True), verdict)
    assert every is not None
    assert every.told.startswith("lora "), "the worst of them, by the upper end of its interval"
    assert every.counted < found.counted


def test_other_metrics_are_taken_from_what_is_shown() -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    shown = dataclasses.replace(
        verdict,
        evaluations=tuple(dataclasses.replace(each, shown={"json_valid": 0.99}) for each in verdict.evaluations),
    )
    assert reached(dataclasses.replace(GOAL, approaches=("lora",), metric="json_valid"), shown) == Reached(
        counted=0.99, told="0.990", cases=300
    )


def test_without_rows_the_table_says_what_is_missing(tmp_path: Path) -> None:
    text = document(tmp_path)
    assert text.count("not run |") == len(GOALS) + len(AHEAD) + len(SEARCHES)
    assert f"Not run yet: {', '.join(TASKS)}." in text


def test_a_task_that_has_its_rows_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in TASKS:
        (tmp_path / f"{task}.jsonl.gz").write_bytes(b"")
        (tmp_path / "runs" / task).mkdir(parents=True)
        (tmp_path / "runs" / task / "task.yaml").write_text("")
    for goal in SEARCHES:
        searching.file_of(goal, tmp_path).write_bytes(b"")
    monkeypatch.setattr(program, "arms", lambda task: ())
    monkeypatch.setattr(program, "performed", lambda *_: pytest.fail("run again"))
    program.run.callback((), "standard", tmp_path / "runs", tmp_path)  # type: ignore[misc]


def test_every_arm_of_the_plain_script_that_is_named_exists() -> None:
    assert {arm for goal in AHEAD for arm in goal.plain} <= set(afternoon.ARMS)
    assert arms("tldr_commands") == ("lora", "lora with passage")
    assert {"majority", "lora + retrieval"} <= set(approaches("pubmedqa"))


@pytest.mark.parametrize(("right", "said"), [(0, "ahead"), (300, "behind")])
def test_ours_is_set_against_the_best_arm_case_by_case(tmp_path: Path, right: int, said: str) -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    lora = next(each for each in verdict.evaluations if each.candidate == "lora")
    verdict = dataclasses.replace(verdict, evaluations=(dataclasses.replace(lora, selection_score=0.5),))
    record = Record(file=tmp_path / FILE.format("t"), about={"study": "afternoon"})
    for arm, hits in (("lora", right), ("lora with passage", 0)):
        rows = [
            PlainRow(arm=arm, id=key, text="", score=float(place < hits), seconds=0.1, prompt_tokens=1)
            for place, key in enumerate(lora.keys)
        ]
        record.add(Arm.of(arm, "cpu", 0.0), rows)
    goal = Ahead(task="t", approaches=("lora", "retrieval"), plain=("lora", "lora with passage"))
    row = table._ahead_row(goal, (verdict, {}), tmp_path)
    assert row.endswith(f"| {said} |")
    assert f"| plain script, lora | {right / 300:.3f} |" in row
    assert "| not run |" in table._ahead_row(dataclasses.replace(goal, task="other"), (verdict, {}), tmp_path)


@pytest.mark.nightly
def test_documents_of_other_tasks_are_mixed_in_under_ids_of_their_own(tmp_path: Path) -> None:
    goal = Search(task="handbook-qa", depth=3, least=0.5)
    prepared = prepare("handbook-qa", Wishes(heldout=40))
    mixed = dataclasses.replace(goal, beside=("handbook-qa",))
    searching.keep(goal, prepared, tmp_path)
    searching.keep(mixed, prepared, tmp_path)
    alone, among = (searching.recall(each, tmp_path) for each in (goal, mixed))
    assert alone is not None
    assert among is not None
    assert len(alone) == len(among) > 10
    assert sum(alone) >= sum(among) > 0
    assert "reached" in table._search_row(goal, tmp_path)
    assert "not run" in table._search_row(dataclasses.replace(goal, task="other"), tmp_path)
