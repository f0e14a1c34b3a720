"""Every command of the documentation is executed, in one folder, as a reader would who follows it from top to bottom."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import tiny
from tests.conftest import Folders
from tests.desk import call
from tests.test_docs import PAGES, commands

pytestmark = pytest.mark.slow

PAGES_FOLLOWED = [page for page in PAGES if page.name not in ("CHANGELOG.md", "ARCHITECTURE.md", "SECURITY.md")]
"""The others speak of commands with words such as RUN in the place of what is given."""
NOT_HERE = {
    "advisor models fetch smollm2-135m minilm-l6": "make demo does it; the tests of the models read what it fetched",
    "advisor run task.yaml --on ray:10.0.0.5:6379 --workers 16": "a cluster of one's own",
    "advisor run task.yaml --on ray --workers 4": "tests/test_ray.py, where Ray is installed",
    "advisor run task.yaml --on ray:auto --workers 16 --yes": "tests/test_ray.py, where Ray is installed",
}
STAND_INS = {
    "support-intents": "task.yaml",
    "banking77": "task.yaml",
    "runs/half-1": "runs/tiny-topics-shard-1-of-2",
    "runs/half-2": "runs/tiny-topics-shard-2-of-2",
}
"""Named tasks take their minutes in `make demo` and in the studies; what is done here is done with a small one."""
ENDS = (0, 100, 101)
"""Every one of these is a verdict."""


def written() -> list[str]:
    """Every command once, in the order in which they need each other."""
    found = dict.fromkeys(line for page in PAGES_FOLLOWED for line in commands(page))
    return sorted((line for line in found if line.split()[1:] and line not in NOT_HERE), key=_turn)


def _turn(line: str) -> int:
    """What makes something comes before what tells of it."""
    words = line.split()
    if words[1] == "init":
        return 0
    if words[1] == "run":
        return 6 if "--merge" in words else 5 if "--resume" in words else 3 if "--out" in words else 4
    if words[1] == "export":
        return 7
    told = {"report", "compare", "predict", "gate", "runs", "price"}
    return 8 if words[1] in told else 1


def prepared(folder: Path, models: Folders) -> None:
    """What a reader has: a CSV of examples, requests to answer, cases to hold an export to."""
    with (folder / "my.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["input", "output"])
        rows.writerows([case.input, case.output] for case in tiny.messages(60))
    with (folder / "new.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["input"])
        rows.writerows([case.input] for case in tiny.messages(5, 200))
    lines = [json.dumps({"input": case.input, "output": case.output}) for case in tiny.messages(30, 100)]
    (folder / "heldout.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_every_command_in_the_documentation_does_what_it_is_there_for(
    tmp_path: Path, model_folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(tmp_path, model_folders)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'tracked.db'}")
    for line in written():
        done = call(capsys, *given(shlex.split(line)[1:]))
        assert done.code in ENDS, f"{line}\n{done.out}\n{done.err}"
        assert "Traceback" not in done.err, line
        if line.startswith("advisor init"):
            small(tmp_path, model_folders)


def given(words: Sequence[str]) -> list[str]:
    """The words of a command with a small task in the place of a large one."""
    return [STAND_INS.get(word, word) for word in words]


def small(folder: Path, models: Folders) -> None:
    """The proposed task with tiny models, as somebody would name others than the default ones."""
    path = folder / "task.yaml"
    told = path.read_text(encoding="utf-8")
    path.write_text(f"{told}\nmodels: [{models.language}]\nembedder: {models.embedder}\n", encoding="utf-8")
