"""`advisor runs`: which runs lie in a folder, and what each of them said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.cli.program import line
from advisor.cli.shown import console, document, marked
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput


@click.command(name="runs", short_help="List runs and what they said.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@one_document
def command(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER (by default runs): task, verdict, what was recommended, when.

    Example: advisor runs
    """
    from advisor.experiments.listing import listed_runs

    check_holds_runs(folder)
    found = listed_runs(folder)
    if as_json:
        put(document(found))
        return
    _print(found, folder)


def check_holds_runs(folder: Path) -> None:
    """Raises `BadInput` where there is no such folder."""
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}. Name the one that holds your runs, or start with advisor run.")


def _print(found: list[dict[str, Any]], folder: Path) -> None:
    from rich.table import Table

    to = console()
    if not found:
        to.print(f"There are no runs in {marked(str(folder))}. Start one: {marked(line('run', 'task.yaml'))}")
        return
    table = Table(
        "run", "task", "verdict", "recommended", "cases", "started", box=None, pad_edge=False, header_style="dim"
    )
    for row in found:
        cells = (row["run"], row["task"], row["verdict"], row["recommended"], row["heldout_cases"], row["started"])
        table.add_row(*(marked(str(cell)) if cell is not None else "-" for cell in cells))
    to.print(table)
    newest = next((row for row in reversed(found) if row["started"]), found[-1])
    to.print(f"[dim]See one again: {marked(line('report', str(folder / newest['run'])))}[/dim]")
