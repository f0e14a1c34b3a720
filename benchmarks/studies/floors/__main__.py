"""Checks once, at the end, what each approach reaches on held-out cases that it was not developed on.

`python -m benchmarks.studies.floors run banking77` writes a task with these cases, runs the approaches and the arms of the plain
script that some goal names, searches its documents, and keeps the rows; `table` writes floors.md from the committed rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from advisor.experiments.comparison import Wishes, prepare
from benchmarks.storage.packed import pack
from benchmarks.studies import afternoon, sessions
from benchmarks.studies.afternoon import Afternoon
from benchmarks.studies.afternoon_rows import FILE, Record
from benchmarks.studies.bakeoffs import VERDICTS
from benchmarks.studies.floors import copies, searching
from benchmarks.studies.floors import table as tables
from benchmarks.studies.floors.goals import SEARCHES, TASKS, TWICE, Search, approaches, arms
from benchmarks.studies.settings import FLOORS, ROOT, ROWS

DOCUMENT = Path(__file__).resolve().parents[1] / "floors.md"
FOLDER = ROWS / FLOORS
RUNS = ROOT / "runs" / "floors"
SESSIONS = "sessions.json"


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("tasks", nargs=-1, type=click.Choice(TASKS))
@click.option("--effort", default="standard", show_default=True)
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, help="Where tasks and run folders lie.")
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="Where the rows go.")
@click.option(
    "--second", is_flag=True, help="On cases that the first check left, after a cause of its miss was repaired."
)
def run(tasks: Sequence[str], effort: str, runs: Path, rows: Path, second: bool) -> None:
    """Run what is missing of TASKS, by default of all; what was begun goes on."""
    if second:
        runs, rows = runs / tables.SECOND, rows / tables.SECOND
    for task in tasks or (TWICE if second else TASKS):
        folder = runs / task
        if not (folder / "task.yaml").is_file():
            copies.write(copies.rest(task, second=second), folder)
        _run_ours(task, folder, effort, rows)
        if arms(task):
            benchmark = prepare(str(folder / "task.yaml"), Wishes()).assembly.benchmark
            afternoon.run(Afternoon.on(benchmark), Record.opened(rows / FILE.format(task), benchmark), arms(task))
        for goal in SEARCHES:
            if goal.task == task:
                _run_search(goal, folder, rows)


def _run_ours(task: str, folder: Path, effort: str, rows: Path) -> None:
    if (rows / f"{task}.jsonl.gz").is_file():
        click.echo(f"{task}: done before", err=True)
        return
    code, noted = sessions.noted(folder / SESSIONS, lambda: performed(folder, approaches(task), effort))
    if code not in VERDICTS:
        raise click.ClickException(f"the run of {task} has no verdict; its own words stand above.")
    rows.mkdir(parents=True, exist_ok=True)
    counts = json.loads((folder / copies.COUNTS).read_text(encoding="utf-8"))
    pack(folder / "run", rows / f"{task}.jsonl.gz", made={"sessions": noted, **counts})


def _run_search(goal: Search, folder: Path, rows: Path) -> None:
    if searching.file_of(goal, rows).is_file():
        click.echo(f"{searching.told(goal)}: done before", err=True)
        return
    prepared = prepare(str(folder / "task.yaml"), Wishes())
    searching.keep(goal, prepared, rows)


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
