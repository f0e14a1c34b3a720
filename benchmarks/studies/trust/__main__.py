"""Runs the study of trust part by part, and writes docs/can-it-be-trusted.md from the rows that it left.

`python -m benchmarks.studies.trust run` runs what is missing; a part that is done is not run again, and one that was begun goes
on. `table` writes the page from the committed rows and from those of the bake-offs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmarks.studies import sessions
from benchmarks.studies.bakeoffs import RUNS, VERDICTS
from benchmarks.studies.settings import ROOT, ROWS
from benchmarks.studies.trust.parts import EXAMPLES, Part, parts
from benchmarks.studies.trust.rows import FOLDER, file_of, keep
from strategies.models.measured import machine

DOCUMENT = ROOT / "docs" / "can-it-be-trusted.md"
KINDS = tuple(dict.fromkeys(part.kind for part in parts()))


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("tasks", nargs=-1, type=click.Choice(tuple(EXAMPLES)))
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these; several times for several.")
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS / "trust", help="Where the run folders lie.")
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="Where the rows go.")
def run(tasks: Sequence[str], kinds: Sequence[str], runs: Path, rows: Path) -> None:
    """Run the parts of TASKS that are missing, by default of all."""
    for part in parts():
        if part.task not in (tasks or EXAMPLES) or part.kind not in (kinds or KINDS):
            continue
        if file_of(part, rows).is_file():
            click.echo(f"{part.name}: done before", err=True)
            continue
        folder = runs / part.name
        code, noted = sessions.noted(folder.with_name(f"{part.name}.sessions.json"), partial(performed, part, folder))
        if code not in VERDICTS:
            raise SystemExit(code)
        keep(part, folder, made_of(noted), rows)
        click.echo(f"{part.name}: {noted[-1]['seconds'] / 60:.0f} minutes", err=True)


def performed(part: Part, folder: Path) -> int:
    """The exit code of the run as a process of its own, through the product's own front door."""
    command = [sys.executable, "-m", "advisor", "run", part.task, "--out", str(folder), "--yes", *part.words]
    begun = (folder / "run.sqlite").exists()
    return subprocess.run([*command, *(["--resume"] if begun else [])], cwd=ROOT, check=False).returncode


def made_of(noted: Sequence[sessions.Session]) -> dict[str, Any]:
    """How a run was made: begun with its first session, by the commits of all; seconds None where one of them was killed."""
    seconds = [each.get("seconds") for each in noted]
    return {
        "commit": sessions.commits(noted),
        "machine": machine(),
        "started": noted[0]["started"],
        "seconds": None if None in seconds else sum(seconds),
    }


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="The rows of this study.")
@click.option("--bakeoffs", type=click.Path(path_type=Path), default=ROWS, help="Those of the bake-offs.")
@click.option("--out", type=click.Path(path_type=Path), default=DOCUMENT, help="The page.")
def table(rows: Path, bakeoffs: Path, out: Path) -> None:
    """Write the page from the rows alone."""
    from benchmarks.studies.bakeoff_rows import opened
    from benchmarks.studies.trust import page
    from benchmarks.studies.trust.rows import read

    out.write_text(page.document(read(rows), opened(bakeoffs)), encoding="utf-8")
    click.echo(f"wrote {out.name}", err=True)


if __name__ == "__main__":
    main()
