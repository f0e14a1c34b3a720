"""When a run begins, and that it is described then as what its rows are of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.experiments.comparison import Wishes, advise, execute, prepare
from advisor.experiments.stored import reopen
from benchmarks.contract import BadInput, Benchmark
from benchmarks.costs.kept_prices import thaw_prices
from benchmarks.costs.prices import token_prices
from benchmarks.running.scheduler import Rules, rules_of
from tests import tiny
from tests.conftest import Folders
from tests.desk import call, write_task

QUICK = Wishes(approaches=("majority",), effort="quick", second_seed=False, probes="none")


def described(run: Path) -> dict[str, Any]:
    """The benchmark as run.json has it."""
    about: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))["benchmark"]
    return about


def test_a_first_start_that_was_cut_off_says_nothing_about_a_task_that_was_corrected(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was there, and nothing in it yet: a typo had been seen in the notes."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    mistaken = write_task(tmp_path, model_folders, "target: 0.99")
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.running.run.provenance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            advise(mistaken, out=tmp_path / "run", wishes=QUICK)
    assert (tmp_path / "run" / "run.sqlite").exists()
    verdict = advise(write_task(tmp_path, model_folders), out=tmp_path / "run", wishes=QUICK)
    assert verdict.evaluations
    assert described(tmp_path / "run")["target"] == 0.6


def test_a_model_that_cannot_be_opened_begins_no_run(tmp_path: Path, model_folders: Folders) -> None:
    (tmp_path / "empty").mkdir()
    asking = Wishes(approaches=("prompting",), effort="quick", second_seed=False, probes="none")
    task = write_task(tmp_path, model_folders, "models: [./empty]")
    with pytest.raises(BadInput, match=r"config\.json"):
        advise(task, out=tmp_path / "run", wishes=asking)
    assert not (tmp_path / "run" / "run.sqlite").exists()
    assert not (tmp_path / "run" / "run.json").exists()


def test_what_the_task_states_otherwise_by_now_is_said_and_not_taken(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "my run"
    task = write_task(tmp_path, model_folders, "prices: {machine_hour: 0.4}")
    arguments = ("run", str(task), "--approach", "majority", "--no-second-seed", "--probes", "none", "--out", str(run))
    call(capsys, *arguments)
    call(capsys, *arguments, "--resume")
    assert not caplog.messages
    write_task(tmp_path, model_folders, "prices: {machine_hour: 7}", "volume: 77", "constraints: {p95_latency_s: 5}")
    done = call(capsys, *arguments, "--resume")
    assert caplog.messages == [
        "the task states other volume, prices and constraints than the run began with, and it keeps those: `advisor report "
        f"'{run}'` with --volume and --prices tells it with others; a run with other constraints is a new one, which --fork "
        f"'{run}' lets take over what stays valid"
    ]
    assert "7 an hour" not in done.err
    assert described(run)["volume"] == 10_000
    write_task(tmp_path, model_folders, "metric: macro_f1")
    refused = " ".join(call(capsys, *arguments, "--resume").err.split())
    assert (
        "made with kind of task, instruction, examples, documents, labels, schema, pattern or metric of the" in refused
    )


def test_parts_that_are_named_when_the_figures_are_known_are_none_that_a_limit_holds_for(
    tmp_path: Path, model_folders: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    """The time of a case is read whether it is a part or not, so the cases are the same; the report had told of others."""
    rows = [
        {
            "id": case.id,
            "input": case.input,
            "output": case.output,
            "persona": "ab"[place % 2],
            "day": f"2026-01-0{place % 5 + 1}",
        }
        for place, case in enumerate(tiny.messages(60))
    ]
    more = ("columns: {time: day}", "constraints: {slice_at_least: 0.1}")
    task = write_task(tmp_path, model_folders, *more, "slices: [persona]")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    begun = advise(task, out=tmp_path / "run", wishes=QUICK).story.slices
    text = task.read_text(encoding="utf-8").replace("slices: [persona]", "slices: [persona, day]")
    task.write_text(text, encoding="utf-8")
    assert advise(task, out=tmp_path / "run", wishes=QUICK).story.slices == begun
    assert reopen(tmp_path / "run").story.slices == begun
    assert [said[:55] for said in caplog.messages] == ["the task states other slices than the run began with, a"]


def test_the_list_prices_of_the_day_are_written_down_when_a_run_begins(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    models = "models: [{name: big, model: gpt-4.1-mini, endpoint: 'https://api.openai.com/v1'}]"
    advise(write_task(tmp_path, model_folders, models), out=tmp_path / "run", wishes=QUICK)
    about = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert thaw_prices(about["list_prices"]) == {"big": token_prices("gpt-4.1-mini")}


def test_a_run_that_goes_on_is_at_its_own_look_whatever_came_in_between(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []

    def seen(benchmark: Benchmark, level: float, terms: Any) -> Rules:
        levels.append(level)
        return rules_of(benchmark, level, terms)

    monkeypatch.setattr("benchmarks.running.scheduler.rules_of", seen)
    task = write_task(tmp_path, model_folders)
    advise(task, out=tmp_path / "run", wishes=QUICK)
    first = set(levels)
    advise(task, out=tmp_path / "between", wishes=replace(QUICK, approaches=("copy nearest",)))
    levels.clear()
    prepared = prepare(task, QUICK)
    assert prepared.assembly.benchmark.look.number == 2
    execute(prepared, tmp_path / "run")
    assert set(levels) == first
    assert prepared.assembly.benchmark.look.number == 1


def test_what_can_be_shown_is_said_of_the_look_that_the_run_began_at(
    tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    task = str(write_task(tmp_path, model_folders))
    rest = ("--no-second-seed", "--probes", "none", "--effort", "quick", "--yes")
    own = ("run", task, "--approach", "majority", *rest, "--out", str(tmp_path / "run"))
    call(capsys, *own)
    assert (
        "At look 2" in call(capsys, "run", task, "--approach", "copy nearest", *rest, "--out", str(tmp_path / "b")).err
    )
    assert "At look" not in call(capsys, *own, "--resume").err
