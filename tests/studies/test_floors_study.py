"""The study of floors: cases that no language model was developed on, and what its table says of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from advisor.contract import Verdict
from advisor.experiments.comparison import Wishes, prepare
from benchmarks.checked import Leaks
from benchmarks.contract import State
from benchmarks.studies import afternoon
from benchmarks.studies.afternoon_rows import FILE, Arm, Record
from benchmarks.studies.afternoon_rows import Row as PlainRow
from benchmarks.studies.floors import __main__ as program
from benchmarks.studies.floors import copies, reading, searching, table
from benchmarks.studies.floors.goals import AHEAD, GOALS, SEARCHES, TASKS, TWICE, Ahead, Goal, Search, approaches, arms
from benchmarks.studies.floors.table import Opened, Reached, document, reached
from benchmarks.studies.peers.arms import SEEDS
from strategies.catalog import approaches as offered
from strategies.contract import Case
from tests.situations import SITUATIONS

GOAL = Goal(task="t", says="the best", approaches=("prompting", "lora"), metric="accuracy", least=0.8)


def test_the_cases_are_others_and_the_examples_the_same(tmp_path: Path) -> None:
    found = copies.rest("support-intents", examples=60, seen=40, most=50)
    known, heldout = found.known, found.heldout
    looked_at = {case.id for case in known.benchmark.heldout}
    assert len(looked_at) == 40
    assert len(heldout) == 50 < found.left
    assert not looked_at & {case.id for case in heldout}
    assert heldout == copies.rest("support-intents", examples=60, seen=40, most=50).heldout
    task = copies.write(found, tmp_path / "copy")
    again = prepare(task, Wishes()).assembly
    assert {case.id for case in again.benchmark.heldout} == {case.id for case in heldout}
    assert {case.id for case in again.benchmark.task.examples} == {case.id for case in known.benchmark.task.examples}
    assert again.benchmark.target == known.benchmark.target
    assert again.benchmark.metric.name == known.benchmark.metric.name
    assert not any("reviewed" in note for note in again.inferred)
    assert json.loads((tmp_path / "copy" / copies.COUNTS).read_text()) == {"left": found.left, "near": found.near}


def test_a_second_check_asks_cases_that_the_first_one_left() -> None:
    first = copies.rest("support-intents", examples=60, seen=40, most=50)
    again = copies.rest("support-intents", examples=60, seen=40, most=50, second=True)
    looked_at = {case.input for case in (*first.known.benchmark.heldout, *first.heldout)}
    assert len(again.heldout) == 50
    assert not looked_at & {case.input for case in again.heldout}
    assert again.left == first.left - 50


def case_of(name: str, text: str) -> Case:
    return Case(id=name, input=text, output="a")


WORDS = ("apples", "rivers", "trains", "ladders", "violins", "planets", "harbours", "lanterns")


def test_at_most_two_near_duplicates_are_asked() -> None:
    """Else the largest group weighs most: of 330 such cases the interval was 20 points wide whatever was reached."""
    text = "Please tell me where all of the {} in this town are sold today, number {}"
    alike = [case_of(f"{word} {place}", text.format(word * 4, place)) for word in WORDS[:2] for place in range(9)]
    alone = [case_of(word, f"{word} " * 9) for word in WORDS[2:]]
    drawn = copies.sampled("t", [*alike, *alone], 600)
    assert sorted(case.id.split()[0] for case in drawn) == sorted([*WORDS[:2] * 2, *WORDS[2:]])
    assert len(copies.sampled("t", [*alike, *alone], 5)) == 5


def test_examples_that_a_run_leaves_out_have_others_in_their_place(tmp_path: Path) -> None:
    known = [case_of(f"known {word}", f"{word} " * 9) for word in WORDS[:4]]
    others = [case_of(f"other {word}", f"{word} " * 9) for word in WORDS[4:]]
    heldout = [case_of("asked", "apples " * 9)]
    found = copies.filled("t", known, [*known[1:], *others], heldout, 4)
    assert found[:4] == tuple(known)
    assert len(found) == 5, "one is left out by a run, as it stands among its held-out cases"
    assert len(copies.filled("t", known, others[:1], heldout, 9)) == 5


def test_cases_of_the_other_samples_of_the_peers_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEEDS, "support-intents", (0, 1))
    found = copies.rest("support-intents", examples=60, seen=40, most=500)
    for seed in (0, 1):
        asked = prepare("support-intents", Wishes(examples=60, heldout=40, seed=seed)).assembly.benchmark.heldout
        assert not {case.input for case in asked} & {case.input for case in found.heldout}


def test_every_goal_names_approaches_that_there_are() -> None:
    names = {each.name for each in offered()}
    assert {name for goal in GOALS for name in goal.approaches} <= names
    assert all(approaches(task) for task in TASKS)
    assert "lora + retrieval" in approaches("banking77")


def shown_as(verdict: Verdict, **changed: dict[str, Any]) -> Verdict:
    """With other values of some evaluations, by candidate (underlines for spaces)."""
    return dataclasses.replace(
        verdict,
        evaluations=tuple(
            dataclasses.replace(each, **changed.get(each.candidate.replace(" ", "_"), {}))
            for each in verdict.evaluations
        ),
    )


def test_the_approach_that_its_selection_cases_name_counts_and_leaks_are_left_out_where_that_is_asked() -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    both = dataclasses.replace(GOAL, approaches=("retrieval", "lora"))
    chosen = shown_as(verdict, retrieval={"selection_score": 0.5}, lora={"selection_score": 0.6})
    found = reached(both, opened(chosen))
    assert found is not None
    assert found.told.startswith("lora "), "not the highest on these cases"
    highest = reached(both, opened(shown_as(chosen, lora={"selection_score": None})))
    assert highest is not None
    assert highest.told.startswith("retrieval ")
    assert highest.counted == pytest.approx(0.87)
    assert highest.counted > found.counted
    assert highest.cases == 300
    assert reached(dataclasses.replace(GOAL, approaches=("nobody",)), opened(verdict)) is None
    leaks = Leaks(cases=10, figure=1.0, others=290, without=0.8, lower=0.75, upper=0.85)
    alone = dataclasses.replace(GOAL, approaches=("lora",), without_leaks=True)
    without = reached(alone, opened(shown_as(verdict, lora={"leaks": leaks})))
    assert without == Reached(counted=0.8, told="0.800 (0.750-0.850)", cases=290)
    every = reached(dataclasses.replace(both, every=True), opened(verdict))
    assert every is not None
    assert every.told.startswith("lora "), "the worst of them, by the upper end of its interval"
    assert every.counted < highest.counted


def opened(verdict: Verdict) -> Opened:
    return Opened(verdict=verdict, made={}, examples=600, cases=300)


@pytest.mark.parametrize("lost", [{"scores": ()}, {"state": State.INVALID}])
def test_what_has_no_scores_that_count_has_not_reached_a_floor(lost: dict[str, Any]) -> None:
    verdict = shown_as(SITUATIONS["facts_in_the_documents_change"]().told(), lora=lost)
    every = dataclasses.replace(GOAL, approaches=("retrieval", "lora"), least=0.1, every=True)
    assert table._row(every, opened(verdict)).endswith("| - | - | not reached (lora has no scores) |")
    assert table._row(dataclasses.replace(every, every=False), opened(verdict)).endswith("| reached |")
    alone = dataclasses.replace(GOAL, approaches=("lora",))
    assert table._row(alone, opened(verdict)).endswith("| - | - | not reached (lora has no scores) |")
    goal = Ahead(task="t", approaches=("retrieval",), others=("lora",))
    assert table._ahead_row(goal, opened(verdict), Path()).endswith(
        "| not shown (lora without scores on these cases) |"
    )
    turned = Ahead(task="t", approaches=("lora",), others=("retrieval",))
    assert table._ahead_row(turned, opened(verdict), Path()).endswith("| not shown (lora without scores) |")


def test_where_nothing_beats_one_answer_the_row_says_that_the_verdict_says_so() -> None:
    verdict = SITUATIONS["nothing_beats_one_answer"]().told()
    goal = Ahead(task="t", approaches=("lora",), others=("majority",))
    row = table._ahead_row(goal, opened(verdict), Path())
    assert row.startswith("| t | lora | 0.590 | majority | 0.570 | +2.0 (")
    assert row.endswith("| not shown, and its verdict says that nothing is shown to beat one answer to all |")
    silent = SITUATIONS["facts_in_the_documents_change"]().told()
    pair = Ahead(task="t", approaches=("lora",), others=("retrieval",))
    assert "its verdict says" not in table._ahead_row(pair, opened(silent), Path())


def test_other_metrics_are_taken_from_what_is_shown_with_their_intervals() -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    shown = opened(shown_as(verdict, lora={"shown": {"json_valid": 0.99}}))
    run = dataclasses.replace(shown, intervals={("lora", "json_valid"): (0.97, 0.995)})
    assert reached(dataclasses.replace(GOAL, approaches=("lora",), metric="json_valid"), run) == Reached(
        counted=0.99, told="0.990 (0.970-0.995)", cases=300
    )


def test_the_interval_of_another_metric_is_that_of_the_stored_answers() -> None:
    found = table.opened(program.FOLDER, "snips_slots")
    assert found is not None
    lora = next(each for each in found.verdict.evaluations if each.candidate == "lora")
    (lower, upper), whole = found.intervals["lora", "field_f1"], found.intervals["lora", "json_valid"]
    assert lora.lower < lora.upper < lower < lora.shown["field_f1"] < upper < 1
    assert 0.98 < whole[0] < whole[1] == lora.shown["json_valid"] == 1


def test_without_rows_the_table_says_what_is_missing(tmp_path: Path) -> None:
    text = document(tmp_path)
    assert text.count("not run |") == len(GOALS) + len(AHEAD) + len(SEARCHES)
    assert f"Not run yet: {', '.join(TASKS)}." in text


def test_every_text_on_wrong_cases_is_of_a_goal() -> None:
    assert set(reading.READ) <= {(goal.task, goal.says) for goal in (*GOALS, *AHEAD)}


def test_a_missed_goal_whose_wrong_cases_were_not_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    run = dataclasses.replace(opened(verdict), made={"sessions": [], "left": 9, "near": 0})
    low, high = (dataclasses.replace(GOAL, task="banking77", says=str(least), least=least) for least in (0.1, 0.99))
    other = dataclasses.replace(high, says="another")
    monkeypatch.setattr(table, "GOALS", (low, high, other))
    monkeypatch.setattr(table, "opened", lambda folder, task: run if task == "banking77" else None)
    monkeypatch.setattr(reading, "READ", {("banking77", "0.1"): "NOT MISSED", ("banking77", "0.99"): "READ AND SORTED"})
    text = document(tmp_path)
    assert "\nbanking77, 0.99: READ AND SORTED\n" in text
    assert "NOT MISSED" not in text
    assert "the wrong selection cases have not been read: banking77, another.\n" in text


def test_a_second_check_stands_below_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = SITUATIONS["facts_in_the_documents_change"]().told()
    made = {"sessions": [], "left": 9, "near": 0}
    once = dataclasses.replace(opened(verdict), made=made)
    monkeypatch.setattr(
        table, "opened", lambda folder, task: once if folder.name == table.SECOND and task in TWICE else None
    )
    first, again = document(tmp_path).split("## Checked again")
    assert all(f"| {task} |" in again for task in TWICE)
    assert "banking77" in first
    assert "banking77" not in again
    assert "Commits: none." in first


def test_the_committed_rows_give_the_committed_document() -> None:
    assert program.DOCUMENT.read_text(encoding="utf-8") == document(program.FOLDER), "run `table`"


def test_a_task_that_has_its_rows_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in TASKS:
        (tmp_path / f"{task}.jsonl.gz").write_bytes(b"")
        (tmp_path / "runs" / task).mkdir(parents=True)
        (tmp_path / "runs" / task / "task.yaml").write_text("")
    for goal in SEARCHES:
        searching.file_of(goal, tmp_path).write_bytes(b"")
    monkeypatch.setattr(program, "arms", lambda task: ())
    monkeypatch.setattr(program, "performed", lambda *_: pytest.fail("run again"))
    program.run.callback((), "standard", tmp_path / "runs", tmp_path, False)  # type: ignore[misc]


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
        record.add(Arm.of(arm, "cpu", 0.0, "abc"), rows)
    goal = Ahead(task="t", approaches=("lora", "retrieval"), plain=("lora", "lora with passage"))
    row = table._ahead_row(goal, opened(verdict), tmp_path)
    assert row.endswith(f"| {said} |")
    assert f"| plain script, lora | {right / 300:.3f} |" in row
    assert "| not run |" in table._ahead_row(dataclasses.replace(goal, task="other"), opened(verdict), tmp_path)


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
