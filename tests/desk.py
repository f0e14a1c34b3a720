"""A person's desk: a folder with a task, tiny models beside it, and the command line as that person calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strategies.contract import Case
from tests import tiny
from tests.conftest import Folders

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str


def write_task(folder: Path, models: Folders, *lines: str, cases: Sequence[Case] | None = None) -> Path:
    """A task.yaml with its rows; `lines` come after the usual ones, and a line replaces the usual one of its key."""
    rows = [{"id": case.id, "input": case.input, "output": case.output} for case in cases or tiny.messages(60)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    usual = [
        "name: tiny topics",
        "instruction: Answer with the topic.",
        "examples: rows.jsonl",
        "target: 0.6",
        f"models: [{models.language}]",
        f"embedder: {models.embedder}",
    ]
    given = {line.partition(":")[0] for line in lines}
    kept = [line for line in usual if line.partition(":")[0] not in given]
    (folder / "task.yaml").write_text("\n".join([*kept, *lines]) + "\n", encoding="utf-8")
    return folder / "task.yaml"


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """The command line in this process, up to its exit code."""
    from advisor.cli import run_command_line

    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run_command_line(arguments)
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Done(code=ended.value.code, out=said.out, err=said.err)


def start(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, **more: Any) -> Any:
    """The command line as a process of its own, started in `folder`."""
    variables = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    variables |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    variables |= environment or {}
    command = [sys.executable, "-m", "advisor", *arguments]
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
    return subprocess.Popen(command, cwd=folder, env=variables, **given)


def finish(process: Any, seconds: float = 120) -> Done:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return Done(code=process.returncode, out=out, err=err)


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below the folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
