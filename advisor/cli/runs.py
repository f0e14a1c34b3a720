"""`advisor runs`: which runs lie in a folder, and what each of them said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from advisor.cli.shown import marked
from benchmarks.contract import BadInput

NOT_TOLD = "not told yet"


@click.command(name="runs", short_help="List runs and what they said.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def command(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER (by default runs): task, verdict, what was recommended, when.

    Example: advisor runs
    """
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}. Name the one that holds your runs, or start with advisor run.")
    found = sorted(_runs(folder), key=lambda row: str(row["started"]))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    _print(found, folder)


def _runs(folder: Path) -> Iterator[dict[str, Any]]:
    """What the report of each run says; of one without a report only that it is there."""
    for place in sorted(folder.iterdir()):
        if not (place / "run.json").is_file():
            continue
        told = _told(place / "report.json")
        facts = told.get("facts") or {}
        yield {
            "run": place.name,
            "task": facts.get("task"),
            "verdict": facts.get("verdict", NOT_TOLD),
            "recommended": facts.get("choice") or facts.get("safe"),
            "headline": told.get("headline"),
            "heldout_cases": facts.get("heldout_cases"),
            "started": (facts.get("provenance") or {}).get("started"),
        }


def _told(path: Path) -> dict[str, Any]:
    """Empty where there is no report, or one that was cut off."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _print(found: list[dict[str, Any]], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not found:
        console.print(f"There are no runs in {marked(str(folder))}. Start one: advisor run task.yaml")
        return
    table = Table(
        "run", "task", "verdict", "recommended", "cases", "started", box=None, pad_edge=False, header_style="dim"
    )
    for row in found:
        cells = (row["run"], row["task"], row["verdict"], row["recommended"], row["heldout_cases"], row["started"])
        table.add_row(*(marked(str(cell)) if cell is not None else "-" for cell in cells))
    console.print(table)
    console.print(f"[dim]See one again: advisor report {marked(str(folder / found[-1]['run']))}[/dim]")
