"""When a run begins, and that it is described then as what its rows are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.comparison import Wishes, advise
from benchmarks.contract import BadInput
from tests.conftest import Folders
from tests.desk import write_task

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
        patched.setattr("benchmarks.run.provenance", interrupted)
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
