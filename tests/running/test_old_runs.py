"""Runs that earlier versions wrote open and are told as they were told then; to go on with them other code is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor import reports
from advisor.experiments.stored import Changes, reopen
from advisor.reports import render
from benchmarks.storage.store import SCHEMA_VERSION
from tests import old_runs, tiny
from tests.conftest import Folders
from tests.desk import call, write_task

VERSIONS = range(1, SCHEMA_VERSION + 1)


def test_there_is_a_run_of_every_version() -> None:
    found = {int(folder.name) for folder in old_runs.PLACE.iterdir()}
    assert found == set(VERSIONS), "write that of the present version: python -m tests.old_runs"


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_told_as_it_was_then(version: int, tmp_path: Path) -> None:
    run = old_runs.put(version, tmp_path)
    verdict = reopen(run)
    assert old_runs.said(verdict) == old_runs.told(version)
    for name in reports.names():
        assert "prompting" in render(verdict.story, name).lower()
    assert old_runs.said(reopen(run, rescore=True)) == old_runs.told(version)
    assert reopen(run, changes=Changes(target=0.1)).recommendation.verdict != verdict.recommendation.verdict


@pytest.mark.parametrize("version", VERSIONS)
def test_going_on_with_it_is_refused_with_the_reason(
    version: int, tmp_path: Path, model_folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the code of approaches has changed since; then nothing in the folder is."""
    run = old_runs.put(version, tmp_path)
    task = write_task(tmp_path, model_folders, cases=tiny.messages(32))
    before = reopen(run).evaluations
    done = call(capsys, "run", str(task), "--out", str(run), "--resume", "--approach", "majority", "--yes")
    assert (done.code, done.out) == (2, "")
    assert "The run in run was made with" in done.err
    assert "start without --resume into another folder" in done.err
    assert reopen(run).evaluations == before
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["benchmark"]
