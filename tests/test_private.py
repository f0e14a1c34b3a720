"""Who else works on the machine cannot look into a run, which holds the task's data and every answer."""

from __future__ import annotations

from pathlib import Path

from benchmarks.private import private


def test_a_folder_that_is_made_is_the_owners_alone(tmp_path: Path) -> None:
    made = private(tmp_path / "runs" / "first")
    assert made.stat().st_mode & 0o777 == 0o700
    assert made.parent.stat().st_mode & 0o077, "only the run itself"


def test_one_that_is_there_keeps_what_somebody_chose(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert private(tmp_path).stat().st_mode & 0o777 == 0o750
