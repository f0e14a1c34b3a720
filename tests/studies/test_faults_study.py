"""The study of faults: servers that misbehave, processes that are killed, writes that fail, and the table of what came of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.contract import Row
from benchmarks.storage.store import Store, UnitResult
from benchmarks.studies.faults_injected import __main__ as study
from benchmarks.studies.faults_injected import hostile_inputs, misbehaving, price, report
from benchmarks.studies.faults_injected.stored import Stored, compared
from benchmarks.studies.faults_injected.writes import FAULTS, FEW, wanted
from strategies.contract import Prediction, Usage
from strategies.finetuning.checkpoints import Checkpoints
from tests.bad_inputs import spec
from tests.reports.test_report_browser import browser_program

ROOT = Path(__file__).resolve().parents[2]
LASTS = ("429 with Retry-After of a day", "without end", "a number as content")
"""Not tried again: nothing would come of it."""


@pytest.mark.parametrize("name", [name for name in misbehaving.FAULTS if name not in misbehaving.ANSWERS])
def test_a_fault_that_passes_ends_in_the_right_answer_and_one_that_lasts_in_a_fault(name: str) -> None:
    passing, lasting = (misbehaving.asked(name, lasts, questions=2) for lasts in (False, True))
    tries = 1 if name in LASTS else 2
    assert passing["right"] == (0 if name in LASTS else 2)
    assert passing["requests"] == 2 * tries or name in misbehaving.TOO_SLOW, "where the machine is slow, more are late"
    assert (lasting["right"], lasting["errors"]) == (0, 2)
    assert lasting["requests"] == (2 if name in LASTS else 2 * (misbehaving.RETRIES + 1))
    assert lasting["said"]


@pytest.mark.parametrize("name", misbehaving.ANSWERS)
def test_an_answer_is_never_asked_for_again_because_a_better_one_may_come(name: str) -> None:
    found = misbehaving.asked(name, lasting=False, questions=3)
    assert (found["as_first_sent"], found["requests"], found["errors"]) == (3, 3, 0)


def test_a_server_that_is_back_is_asked() -> None:
    found = misbehaving.gone_for(0.1, questions=4)
    assert (found["right"], found["errors"], found["requests"]) == (4, 0, 4)


# ---------------------------------------------------------------- what is compared


def write_run(folder: Path, units: str, answer: str = "yes", open_units: str = "") -> Path:
    """Each letter is a unit with one row; those of `open_units` are begun and not finished."""
    with closing(Store(folder / "run.sqlite")) as store:
        for name in units + open_units:
            store.begin(name, "answer", "c")
        for name in units:
            used = Usage(model="m", step="answering", seconds=float(len(units)))
            row = Row(
                candidate="c", purpose="heldout", key=name, outcome=Prediction(text=answer, usage=(used,)), score=1.0
            )
            store.finish(UnitResult(unit=name, kind="answer", candidate="c", rows=(row,), usage=(used,)))
    return folder


def differences(folder: Path, whole: Path, told: str = "") -> tuple[int, int, int, int]:
    found = compared(Stored.of(folder), Stored.of(whole), "abc", told)
    return found.lost, found.wrong, found.orphans, found.out_of_order


def test_a_state_of_the_whole_run_has_nothing_wrong_and_any_other_has(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "whole", "abc")
    assert differences(tmp_path / "nothing", whole) == (0, 0, 0, 0)
    assert differences(write_run(tmp_path / "two", "ab", open_units="c"), whole, "ab") == (0, 0, 0, 0), "seconds aside"
    assert differences(write_run(tmp_path / "lost", "a"), whole, "ab") == (1, 0, 0, 0)
    assert differences(write_run(tmp_path / "wrong", "ab", "no"), whole, "ab") == (0, 2, 0, 0)
    assert differences(write_run(tmp_path / "gap", "ac"), whole, "ac") == (0, 0, 0, 1)
    with closing(Store(write_run(tmp_path / "orphan", "ab") / "run.sqlite")) as store:
        store._db.execute("UPDATE units SET finished = NULL WHERE name = 'b'")
    assert differences(tmp_path / "orphan", whole, "a")[2] == 2, "its row and its usage"


def test_every_change_is_refused_in_each_way_or_in_one_of_them_in_turn() -> None:
    assert list(wanted("light writes", 2)) == [(number, fault) for number in (1, 2) for fault in FAULTS]
    in_turn = dict(wanted("writes", 30))
    assert list(in_turn) == list(range(1, 31))
    assert Counter(in_turn.values()) == dict.fromkeys(FAULTS, 10)


# ---------------------------------------------------------------- in processes of their own


CHILD = """
import json, sys, time
from pathlib import Path
from benchmarks.studies.faults_injected.children import Death, child
def work(tell):
    for number in range(1000):
        tell("finished", unit=str(number))
        time.sleep(0.005)
def broken(tell):
    raise ZeroDivisionError
place = Path(sys.argv[1])
killed = child(work, place / "a", Death(seconds=0.02, told=7))
print(json.dumps([killed.code, killed.traceback, len(killed.units())]))
fault = child(broken, place / "b")
print(json.dumps([fault.code, fault.traceback]))
done = child(lambda tell: 0, place / "c")
print(json.dumps([done.code, done.traceback]))
"""


def process(*arguments: str, seconds: float = 60) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, timeout=seconds, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_child_dies_where_it_is_told_to_and_what_it_told_before_is_known(tmp_path: Path) -> None:
    killed, fault, done = map(json.loads, process("-c", CHILD, str(tmp_path)).splitlines())
    assert killed[:2] == [-9, False]
    assert 7 <= killed[2] < 100
    assert (fault, done) == ([1, True], [0, False])


@pytest.mark.nightly
def test_killed_runs_end_as_the_whole_one_and_no_answer_is_paid_twice(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl.gz"
    study_run = (
        "-m",
        "benchmarks.studies.faults_injected",
        "run",
        "kills",
        "paid",
        "--kills",
        "2",
        "--rows",
        str(rows),
    )
    process(*study_run, seconds=900)
    found = study.read(rows)
    assert {row["part"] for row in found} == {"kills", "paid"}
    for row in found:
        assert (row["lost"], row["wrong"], row["orphans"], row["out_of_order"], row["traceback"]) == (0, 0, 0, 0, False)
    for row in [row for row in found if row["end"]]:
        assert (row["code"], row["repeated"], row["missing"]) == (0, 0, 0)
        assert row.get("asked_again", 0) <= row["kills"], "only what was on its way"
    before = rows.read_bytes()
    process(*study_run)
    assert rows.read_bytes() == before, "what is done is not done again"


@pytest.mark.slow
def test_whichever_write_fails_nothing_is_lost_and_the_run_goes_on(tmp_path: Path) -> None:
    """One of three changes of files, one after another, in turn: no room, no room from then on, a disk that fails."""
    if shutil.which("cc") is None:
        pytest.skip("what makes writes fail is written in C, and there is no compiler")
    rows = tmp_path / "rows.jsonl.gz"
    process("-m", "benchmarks.studies.faults_injected", "run", "few writes", "--rows", str(rows), seconds=600)
    found = study.read(rows)
    assert [row["number"] for row in found] == list(range(1, found[0]["of"] + 1, FEW))
    for fault in FAULTS:
        assert any(row["said"] for row in found if row["fault"] == fault)
    for row in found:
        assert (row["lost"], row["wrong"], row["orphans"], row["out_of_order"], row["traceback"]) == (0, 0, 0, 0, False)
        assert (row["repeated"], row["ended"], row["as_whole"]) == (0, True, True)
        assert row["code"] in ((0, 3) if row["said"] else (0,)), "it went on without, or said so and stopped"


# ---------------------------------------------------------------- the table


def a_row(part: str, **more: Any) -> dict[str, Any]:
    usual = {"part": part, "key": "0", "lost": 0, "wrong": 0, "orphans": 0, "out_of_order": 0, "traceback": False}
    return usual | more


def test_the_table_counts_what_the_rows_say() -> None:
    kill = a_row("kills", end=False, number=1, first_work_s=0.2, **{"in": "fit"})
    end = a_row("kills", end=True, kills=2, repeated=0, missing=1, first_work_s=0.4, **{"in": "between units"})
    paid = a_row("paid", end=True, kills=3, calls=360, asked_again=2, measured_anew=1, not_asked=0) | {
        "repeated": 0,
        "missing": 0,
        "first_work_s": None,
        "in": "start",
    }
    text = report.document([kill, kill, end, paid])
    assert re.search(
        r"\| majority, copy nearest, prompting, LoRA \| 2 \| 1 \| 0 \| 0 \| 1 \|.*\| 0\.20 s \| 0\.40 s \|", text
    )
    assert "Killed 2 times in fit." in text
    assert "The server was asked 360 times in 1 runs. 2 questions were asked once more" in text


@pytest.mark.nightly
@pytest.mark.slow
def test_a_long_run_counts_exactly(tmp_path: Path) -> None:
    (row,) = json.loads(process("-c", LONG, str(tmp_path), seconds=600).splitlines()[-1])
    assert (row["rows"], row["right"], row["questions"], row["unfinished"]) == (300, 300, 300, 0)
    assert (row["faults"], row["requests"], row["answered_twice"]) == (6, 306, 0)
    assert row["tokens"] == row["tokens_stated"] == 300 * 42
    assert max(row["memory_mb"]) < 1.1 * min(row["memory_mb"])
    assert 0 < row["store_s"] < row["seconds"]
    text = report.document([{"part": "long", **row}])
    assert "| 300 | 0 min | 300 | 300 | 306 | 6 | 0 | 0 |" in text


LONG = """
import json, sys
from pathlib import Path
from benchmarks.studies.faults_injected import long, tiny_runs
tiny_runs.load()
print(json.dumps([long.asked(Path(sys.argv[1]), 300, 0.0)]))
"""


def test_inputs_that_hurt_are_counted_with_what_was_said_to_them() -> None:
    tried = hostile_inputs.inputs()
    assert len(tried) >= 150
    names = ("general: an alias bomb", "general: a pipe")
    rows = [{"part": "inputs", "key": "files", "name": name, **hostile_inputs.said(tried[name])} for name in names]
    assert [(row["code"], row["traceback"], row["stdout"]) for row in rows] == [(2, False, 0)] * 2
    good = {"part": "inputs", "key": "files", "name": "a good one", **hostile_inputs.said(spec())}
    assert "Each of them ended" in report.document(rows)
    assert "2 of them ended" in report.document([*rows, good])
    assert "The others: a good one." in report.document([*rows, good])


def test_pages_full_of_payloads_are_opened_in_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    if browser_program() is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    monkeypatch.setattr(hostile_inputs, "STEP", 1_000)
    (row,) = hostile_inputs.pages()
    assert row["payloads"] >= 150
    assert not any(row[name] for name in ("requests", "dialogs", "errors", "elements", "acted"))
    assert "1 reports in which every text is one of" in report.document([{"part": "inputs", "key": "pages", **row}])


def test_the_price_of_writing_is_told_as_a_share_and_by_the_case() -> None:
    row = {"part": "price", "key": "0", "task": "t", "cases": 500, "seconds": 60.0, "writes": 900, "store_s": 0.3}
    text = report.document([{**row, "durable": True, "processor_s": 59.0}])
    assert "| t | as it is | 500 | 60 s | 59 s | 900 | 0.30 s | 0.50 % | 0.60 ms |" in text


def test_without_its_price_nothing_is_forced_onto_the_disk(tmp_path: Path) -> None:
    def forced(folder: Path) -> tuple[int, bool]:
        checkpoints = Checkpoints(folder=folder, training="x")
        vars(checkpoints)["_written"] = -1e9
        with closing(Store(folder / "run.sqlite")) as store:
            store.keep_completion("u", "k", {})
            return store._db.execute("PRAGMA synchronous").fetchone()[0], checkpoints.due

    assert forced(tmp_path / "before") == (2, True)
    with price.nothing_durable():
        assert forced(tmp_path / "within") == (0, False)
    assert forced(tmp_path / "after") == (2, True)


def test_the_committed_rows_give_the_committed_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(study.main, ["table", "--into", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "reliability.md").read_text(encoding="utf-8") == (study.STUDIES / "reliability.md").read_text(
        encoding="utf-8"
    )
    kills = [row for row in study.read(study.FILE) if row["part"] in ("kills", "paid") and not row["end"]]
    assert len(kills) >= 100
