"""Checks once, at the end, what each approach reaches on held-out cases that it was not developed on.

`python -m benchmarks.studies.floors run banking77` writes a task with these cases, runs the approaches that some goal names, and
keeps the rows; `table` writes floors.md from the committed rows.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.packed import pack
from benchmarks.studies.floors import copies
from benchmarks.studies.floors import table as tables
from benchmarks.studies.floors.goals import TASKS, approaches
from benchmarks.studies.settings import ROOT, ROWS, commit

DOCUMENT = Path(__file__).resolve().parents[1] / "floors.md"
FOLDER = ROWS / "floors"
RUNS = ROOT / "runs" / "floors"


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("tasks", nargs=-1, type=click.Choice(TASKS))
@click.option("--effort", default="standard", show_default=True)
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, help="Where tasks and run folders lie.")
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="Where the rows go.")
def run(tasks: Sequence[str], effort: str, runs: Path, rows: Path) -> None:
    """Run what is missing of TASKS, by default of all; what was begun goes on."""
    for task in tasks or TASKS:
        if (rows / f"{task}.jsonl.gz").is_file():
            click.echo(f"{task}: done before", err=True)
            continue
        made = {"commit": commit(), "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
        folder = runs / task
        if not (folder / "task.yaml").is_file():
            copies.write(*copies.rest(task), folder)
        if performed(folder, approaches(task), effort) not in (0, 100, 101):
            raise click.ClickException(f"the run of {task} has no verdict; its own words stand above.")
        rows.mkdir(parents=True, exist_ok=True)
        pack(folder / "run", rows / f"{task}.jsonl.gz", made=made)


def performed(folder: Path, names: Sequence[str], effort: str) -> int:
    """The exit code of the product's own command on the task in the folder."""
    words = ["run", str(folder / "task.yaml"), "--out", str(folder / "run"), "--yes", "--probes", "none"]
    words += ["--effort", effort, *(word for name in names for word in ("--approach", name))]
    words += ["--resume"] if (folder / "run" / "run.sqlite").exists() else []
    return subprocess.run([sys.executable, "-m", "advisor", *words], cwd=ROOT, check=False).returncode


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER)
def table(rows: Path) -> None:
    """Write floors.md from the rows."""
    DOCUMENT.write_text(tables.document(rows), encoding="utf-8")
    click.echo(f"wrote {DOCUMENT.name}", err=True)


if __name__ == "__main__":
    main()
