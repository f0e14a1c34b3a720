"""What a gate compares and what it leaves out: cases that share an input, and those that the export learnt from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from advisor import Wishes, advise
from advisor.export import export
from strategies.contract import Case
from tests import tiny
from tests.conftest import Folders
from tests.desk import Done, call, write_task

TWO_ANSWERS = 3
"""Held-out cases whose input stands there twice, each time with another right answer."""


def rows(cases: Sequence[Case], **other: str) -> list[dict[str, str]]:
    return [{"input": case.input, "output": case.output} | other for case in cases]


def written(path: Path, found: Sequence[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, model_folders: Folders) -> Path:
    """A folder with a task, its run, and an export of the approach that answers as the nearest example."""
    folder = tmp_path_factory.mktemp("desk")
    task = write_task(folder, model_folders, "heldout: heldout.jsonl")
    asked = tiny.messages(30, 100)
    written(folder / "heldout.jsonl", [*rows(asked), *rows(asked[:TWO_ANSWERS], output="another")])
    wishes = Wishes(effort="quick", approaches=("copy nearest",), probes="none", second_seed=False)
    advise(task, out=folder / "run", wishes=wishes)
    export(folder / "run", folder / "out", "copy nearest")
    return folder


def gate(capsys: pytest.CaptureFixture[str], desk: Path, cases: Path, *more: str) -> Done:
    return call(capsys, "gate", str(desk / "out"), str(cases), "--task", str(desk / "task.yaml"), *more)


def document(done: Done) -> dict[str, Any]:
    assert done.out, done.err
    return dict(json.loads(done.out))


def test_of_one_input_with_two_right_answers_neither_was_corrected(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = document(gate(capsys, desk, desk / "heldout.jsonl", "--json"))
    assert (found["cases"], found["shared"], found["relabelled"]) == (33, 33, 0)
    assert (found["difference"], found["worse"]) == (0.0, False)
