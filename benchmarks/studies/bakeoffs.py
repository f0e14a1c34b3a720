"""The eight bake-offs: runs each through the product's own front door, keeps its rows, and writes the tables of all.

`python -m benchmarks.studies.bakeoffs` with `run banking77` runs one into runs/banking77, or goes on with it; `export`
writes small files of rows from the finished runs, to be committed; `table` writes docs/bakeoffs.md and the table in
README.md from those rows; `example runs/support-intents` makes the run that `advisor report example` tells.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.contract import BadInput
from benchmarks.costs.forecast import matrix_rate
from benchmarks.storage.packed import pack
from benchmarks.studies.settings import PACKED, ROOT, ROWS, SETTINGS, Setting, commit, setting
from strategies.models.device import choose
from strategies.models.measured import cores

RUNS = ROOT / "runs"
NAMES = [each.task for each in SETTINGS]
MADE = "bakeoff.json"
"""In the run folder: by which commit, where, how long each session took, and how quick matrix products were then."""
VERDICTS = (0, 100, 101)
"""Exit codes of `advisor run` that mean a verdict."""
MOST_BYTES, MOST_OF_THE_EXAMPLE = 450_000, 300_000
"""Of a file of rows, and of the run that is shipped with the product."""


@click.group(help=__doc__)
def main() -> None: ...


# ---------------------------------------------------------------- run


@main.command(name="run")
@click.argument("tasks", nargs=-1, type=click.Choice(NAMES))
@click.option("--effort", default="standard", show_default=True, help="Tuning budget, as `advisor run` takes it.")
@click.option("--on", default="here", show_default=True, help="Where the work is done, as `advisor run` takes it.")
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, help="Where the run folders lie.")
def run_command(tasks: Sequence[str], effort: str, on: str, runs: Path) -> None:
    """Run the bake-off of each of TASKS, all eight by default; a run that was begun goes on."""
    for each in [setting(task) for task in tasks] or SETTINGS:
        code = run(each, runs / each.task, {"effort": effort, "on": on})
        click.echo(f"{each.task}: exit {code}", err=True)
        if code not in VERDICTS:
            raise SystemExit(code)


def run(each: Setting, folder: Path, asked: Mapping[str, str]) -> int:
    """One bake-off as a process of its own; returns its exit code. What it took is noted in the folder."""
    begun = (folder / "run.sqlite").exists()
    made = read_made(folder) or {**asked, "cores": cores(), "sessions": []}
    given: Mapping[str, Any] = {
        "--examples": each.examples,
        "--heldout": each.heldout,
        "--target": each.target,
        "--effort": made["effort"],
        "--on": made.get("on", "here"),
    }
    words = [str(word) for name, value in given.items() if value is not None for word in (name, value)]
    command = [sys.executable, "-m", "advisor", "run", each.task, "--out", str(folder), "--yes", *words]
    session: dict[str, Any] = {
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": commit(),
        "tflops": round(matrix_rate(choose()) / 1e12, 2),
    }
    start = time.monotonic()
    code = subprocess.run([*command, *(["--resume"] if begun else [])], cwd=ROOT, check=False).returncode
    session |= {"seconds": round(time.monotonic() - start), "exit": code}
    if folder.is_dir():
        text = json.dumps(made | {"sessions": [*made["sessions"], session]}, indent=1)
        (folder / MADE).write_text(text, encoding="utf-8")
    return code


def read_made(folder: Path) -> dict[str, Any]:
    """What is known of how the run in the folder was made; empty where it was not made by this program."""
    path = folder / MADE
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return values


# ---------------------------------------------------------------- export


@main.command(name="export")
@click.argument("tasks", nargs=-1, type=click.Choice(NAMES))
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, help="Where the run folders lie.")
@click.option("--rows", type=click.Path(path_type=Path), default=ROWS, help="Where the rows go.")
def export_command(tasks: Sequence[str], runs: Path, rows: Path) -> None:
    """Write the rows of the finished runs of TASKS, by default of all that are there."""
    for task in tasks or NAMES:
        if not (runs / task / "report.json").is_file():
            click.echo(f"{task}: no finished run in {runs / task}", err=True)
            continue
        try:
            size = export(runs / task, rows / PACKED.format(task))
        except BadInput as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{task}: {size / 1000:.0f} KB", err=True)


def export(folder: Path, file: Path, recorded: bool = False) -> int:
    """Packs one finished run; returns the bytes. Raises `BadInput` where it is not finished or not small."""
    pack(folder, file, recorded=recorded, made=read_made(folder))
    size, most = file.stat().st_size, MOST_OF_THE_EXAMPLE if recorded else MOST_BYTES
    if size > most:
        raise BadInput(f"{file.name} has {size:,} bytes; at most {most:,} are committed. Look at what is large.")
    return size


@main.command(name="example")
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
def example_command(folder: Path) -> None:
    """Make the run that `advisor report example` tells from the finished run in FOLDER."""
    from advisor.experiments import example

    file = Path("advisor", "experiments", example.FILE)
    size = export(folder, ROOT / file, recorded=True)
    click.echo(f"{file.as_posix()}: {size / 1000:.0f} KB", err=True)


# ---------------------------------------------------------------- table


@main.command(name="table")
@click.option("--rows", type=click.Path(path_type=Path), default=ROWS, help="Where the rows lie.")
@click.option("--into", type=click.Path(path_type=Path), default=ROOT, help="Holds README.md and docs.")
def table_command(rows: Path, into: Path) -> None:
    """Write docs/bakeoffs.md, and what other pages hold of it, from the rows alone."""
    from benchmarks.studies.bakeoff_rows import opened
    from benchmarks.studies.bakeoff_table import pages

    found = opened(rows)
    for page, text in pages(into, found).items():
        page.write_text(text, encoding="utf-8")
    click.echo(f"{len(found)} of {len(SETTINGS)} bake-offs are in the tables", err=True)


if __name__ == "__main__":
    main()
