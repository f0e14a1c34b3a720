"""`advisor compare`: two runs side by side on the held-out inputs that both answered."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from advisor.cli.program import line
from advisor.cli.shown import console, document, marked, say
from advisor.cli.streams import one_document, put

if TYPE_CHECKING:
    from advisor.experiments.compared import Comparison


@click.command(name="compare", short_help="Say what changed between two runs.")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@one_document
def command(before: Path, after: Path, allow_code: bool, as_json: bool) -> None:
    """Say what changed between the runs in the folders BEFORE and AFTER, and what that was worth for each approach.

    Both are scored anew with the metric and the right answers of AFTER, without any model. A label that only has another name
    stays the same one; cases of labels that were split or merged are left out.

    Example: advisor compare runs/first runs/cleaned
    """
    from advisor.experiments.compared import compare

    found = compare(before, after, allow_code)
    if as_json:
        changes = [asdict(change) | {"difference": change.difference} for change in found.changes]
        for change in changes if found.alike else ():
            del change["cases"]  # It is what is shared.
        put(document(asdict(found) | {"changes": changes}))
        return
    _print(found, (before.name, after.name))
    say(f"To see the later one again: {line('report', str(after))}")


def _print(found: Comparison, names: tuple[str, str]) -> None:
    from rich.table import Table

    from advisor.wording import counted, listed

    to = console()
    for sentence in found.what or ("Both runs were given the same.",):
        to.print(marked(sentence))
    to.print()
    columns = ("approach", marked(names[0]), marked(names[1]), "difference", "95 % interval", "p")
    table = Table(*columns, *(() if found.alike else ("inputs",)), box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for change in sorted(found.changes, key=lambda change: -change.difference):
        table.add_row(marked(change.candidate), *change.cells(), *(() if found.alike else (f"{change.cases:,}",)))
    to.print(table)
    these = f"On the {counted(found.shared, 'held-out input')} that both runs answered"
    note = (
        f"{these}{found.fewer}, case by case, each approach on its own: "
        "one in twenty that did not change looks as if it had (p below 0.05)."
    )
    left_out = f" Measured in one run only, or not on all of these: {listed(list(found.only))}." if found.only else ""
    to.print(f"[dim]{marked(note + left_out)}[/dim]")
