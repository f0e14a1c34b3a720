"""A command that is suggested works where the person stands: by its name, by the way to it, or by the module."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from advisor.cli.program import line
from tests.conftest import Folders
from tests.desk import ROOT, write_task

SCRIPT = "import sys; from advisor.__main__ import main; sys.exit(main())"
"""What an installer writes behind the first line of the console script."""


def install(folder: Path) -> Path:
    """The console script in the folder, as an installer writes it."""
    path = folder / "advisor"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{SCRIPT}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def variables(*folders: Path) -> Mapping[str, str]:
    """With these folders first where a shell looks for programs, and no other advisor behind them."""
    usual = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each) / "advisor").exists()]
    path = os.pathsep.join([*map(str, folders), *usual])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def suggested(desk: Path, started: Sequence[str], environment: Mapping[str, str]) -> str:
    """What `check` says comes next; a shell that is given it finds the program."""
    done = subprocess.run([*started, "check", "task.yaml"], cwd=desk, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stderr.strip().removeprefix("Next: ")
    again = subprocess.run(["sh", "-c", f"{said} --help"], cwd=desk, env=environment, capture_output=True, text=True)
    assert (again.returncode, "--resume" in again.stdout) == (0, True), again.stderr
    return said


@pytest.fixture
def desk(tmp_path: Path, model_folders: Folders) -> Path:
    return write_task(tmp_path / "a desk", model_folders).parent


def test_the_name_does_where_it_finds_this_very_program(desk: Path, tmp_path: Path) -> None:
    script = install(tmp_path / "bin")
    assert suggested(desk, [str(script)], variables(script.parent)) == "advisor run task.yaml"
    link = tmp_path / "linked" / "advisor"
    link.parent.mkdir()
    link.symlink_to(script)
    assert suggested(desk, [str(link)], variables(link.parent)) == "advisor run task.yaml"


def test_an_environment_that_is_not_entered_is_called_by_its_way_from_here(desk: Path, tmp_path: Path) -> None:
    script = install(desk / ".venv" / "bin")
    assert suggested(desk, [".venv/bin/advisor"], variables()) == ".venv/bin/advisor run task.yaml"
    other = install(tmp_path / "other")
    assert suggested(desk, [str(script)], variables(other.parent)) == ".venv/bin/advisor run task.yaml"
    assert suggested(desk, [str(other)], variables()) == shlex.join([str(other), "run", "task.yaml"])


def test_the_module_is_called_as_one(desk: Path, tmp_path: Path) -> None:
    python = Path(sys.executable)
    started = [str(python), "-m", "advisor"]
    assert suggested(desk, started, variables(python.parent)) == f"{python.name} -m advisor run task.yaml"
    elsewhere = tmp_path / "elsewhere" / python.name
    elsewhere.parent.mkdir()
    elsewhere.symlink_to("/bin/false")
    assert suggested(desk, started, variables(elsewhere.parent)) == f"{python} -m advisor run task.yaml"


def test_a_mistake_names_the_command_as_this_program_was_called(desk: Path) -> None:
    install(desk / ".venv" / "bin")
    done = subprocess.run(
        [".venv/bin/advisor", "check", "none.yaml"], cwd=desk, env=variables(), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "`.venv/bin/advisor init FILE` writes one" in done.stderr


def test_whoever_calls_it_from_python_reads_the_name() -> None:
    assert line("run", "my task.yaml") == "advisor run 'my task.yaml'"
