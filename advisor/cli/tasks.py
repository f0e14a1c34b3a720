"""`advisor tasks`: which tasks can be run by name, and whether their data is on this disk."""

from __future__ import annotations

from typing import Any

import click

from advisor.cli.program import line
from advisor.cli.shown import console, document, marked, say
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput


@click.command(name="tasks", short_help="List bundled and public tasks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@one_document
def command(as_json: bool) -> None:
    """List the tasks that `advisor run` knows by name: those that come with the product, and public datasets.

    Example: advisor tasks
    """
    from benchmarks import tasks

    found = [_row(name) for name in tasks.names()]
    if as_json:
        put(document(found))
        return
    _print(found)


def _row(name: str) -> dict[str, Any]:
    from benchmarks import tasks
    from benchmarks.tasks.dataset import PublicDataset

    task = tasks.find(name)
    assert task is not None
    if not isinstance(task, PublicDataset):
        return {"name": name, "kind": task.open()[0].kind, "from": task.origin, "here": True}
    try:
        here = task.folder() is not None
    except BadInput:
        here = False
    return {"name": name, "kind": task.kind, "from": task.origin, "here": here}


def _print(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("task", "kind", "here", "from", box=None, pad_edge=False, header_style="dim")
    for row in found:
        table.add_row(row["name"], row["kind"], "yes" if row["here"] else "no", marked(row["from"]))
    to = console()
    to.print(table)
    to.print(
        "[dim]Here: the data is on this disk (the folder that ADVISOR_DATA names, or downloaded before); a run downloads the "
        "others where it can.[/dim]"
    )
    say(f"To compare the approaches on one: {line('run', 'NAME')}")
