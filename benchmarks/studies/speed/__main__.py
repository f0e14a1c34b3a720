"""Runs the speed study part by part, and writes speed.md and speed.json from the rows that it left.

`python -m benchmarks.studies.speed run labels answers` measures, ours and the peers in turns; parts that are done are not
measured again. `table` writes the document from the committed rows. Peers get environments of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from benchmarks.contract import BadInput
from benchmarks.studies.speed import growth, measures, report, startup, whole
from benchmarks.studies.speed.tables import TABLES, Table, table
from benchmarks.studies.speed.turns import Turns

STUDIES = Path(__file__).resolve().parents[1]
OTHERS = {each.TABLE: each.measure for each in (whole, growth, startup)}
NAMES = (*(each.name for each in TABLES), *OTHERS)


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--task", "tasks", multiple=True, help="Only on this task; several times for several.")
@click.option("--without", multiple=True, help="Leave this contender out.")
@click.option("--repeats", default=3, show_default=True, help="Turns of each contender.")
@click.option("--cases", type=int, help="At most so many, for a trial.")
@click.option("--rows", type=click.Path(path_type=Path), default=measures.FILE, help="Where the rows go.")
def run(
    names: Sequence[str], tasks: Sequence[str], without: Sequence[str], repeats: int, cases: int | None, rows: Path
) -> None:
    """Measure the tables NAMES, by default all of them."""
    from platformdirs import user_cache_path

    turns = Turns(
        repeats=repeats,
        rows=rows,
        environments=user_cache_path("finetune-advisor") / "peers",
        say=lambda text: click.echo(text, err=True),
    )
    try:
        for name in names or NAMES:
            if name in OTHERS:
                OTHERS[name](turns)
            else:
                each = _trimmed(table(name), without, cases)
                for task in [task for task in each.tasks if not tasks or task in tasks]:
                    turns.take(each, task)
    except BadInput as error:
        raise click.ClickException(str(error)) from error


def _trimmed(each: Table, without: Sequence[str], cases: int | None) -> Table:
    kept = [who for who in each.contenders if who.name not in without]
    return replace(each, contenders=kept, cases=min(each.cases, cases or each.cases))


@main.command(name="table")
@click.option("--rows", type=click.Path(path_type=Path), default=measures.FILE, help="Where the rows lie.")
@click.option("--into", type=click.Path(path_type=Path), default=STUDIES, help="Where speed.md and speed.json go.")
def table_command(rows: Path, into: Path) -> None:
    """Write the document and its numbers from the rows alone."""
    found = measures.read(rows)
    (into / "speed.md").write_text(report.document(found), encoding="utf-8")
    (into / "speed.json").write_text(report.numbers(found), encoding="utf-8")


if __name__ == "__main__":
    main()
