"""`advisor runs`: which runs lie in a folder, and what each of them said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.program import line
from advisor.cli.shown import console, document, marked
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = {
    "run": "run",
    "task": "task",
    "verdict": "verdict",
    "recommended": "recommended",
    "cases": "heldout_cases",
    "started": "started",
}
"""Of the table, and where the listing has them."""
GAP = 2


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
    from advisor.experiments.listing import NOT_TOLD, to_see

    to = console()
    if not found:
        to.print(f"There are no runs in {marked(str(folder))}. Start one: {marked(line('run', 'task.yaml'))}")
        return
    left_out = _print_table(found, to)
    if left_out:
        to.print(f"[dim]Too narrow for {' and '.join(left_out)}: --json has all.[/dim]", soft_wrap=True)
    see = to_see(folder, found)
    if see is None:
        return
    untold = see["verdict"] == NOT_TOLD
    report = marked(line("report", str(folder / see["run"])))
    to.print(f"[dim]{'See what is measured so far' if untold else 'See one again'}: {report}[/dim]", soft_wrap=True)
    if untold:
        to.print("[dim]The command that began it goes on with it where --resume is added.[/dim]", soft_wrap=True)


def _print_table(found: list[dict[str, Any]], to: Console) -> list[str]:
    """Names of runs stay whole, to be typed; what has no room for its words beside them is left out from the right and named."""
    from rich.table import Table

    rows = [tuple(marked(str(row[key])) if row[key] is not None else "-" for key in COLUMNS.values()) for row in found]
    names = list(COLUMNS)
    least = [
        max(len(word) for cell in (name, *cells) for word in _parts(cell, name))
        for name, *cells in zip(names, *rows, strict=True)
    ]
    kept = len(names)
    while kept > 1 and sum(least[:kept]) + GAP * (kept - 1) > to.width:
        kept -= 1
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for name, width in zip(names[:kept], least, strict=False):
        table.add_column(name, min_width=min(width, to.width), overflow="fold")
    for cells in rows:
        table.add_row(*cells[:kept])
    to.print(table)
    return names[kept:]


def _parts(cell: str, name: str) -> list[str]:
    """What of a cell stays on one line."""
    return [cell] if name == "run" else cell.split() or [""]
