"""`advisor judge`: has a judge of one's own grade stored answers, and shows how far people agree with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from advisor.cli.program import line
from advisor.cli.shown import console, document, say
from advisor.cli.streams import one_document, put


@click.command(name="judge", short_help="Grade stored answers with your own judge.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--by",
    required=True,
    help="Who judges: file.py:function of yours, which may ask a model, an installed metric, or one by name.",
)
@click.option("--allow-code", is_flag=True, help="Let the judge, or a metric of your own, run its code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@one_document
def command(run: Path, by: str, allow_code: bool, as_json: bool) -> None:
    """Have a judge grade every answer of the run in the folder RUN, and show how far people agree with it.

    The judge takes (input, answer, accepted answers, metadata) and returns a number from 0 to 1. It is asked once for each
    different answer, and what it said is kept, so an interrupted command goes on where it was.

    The first time a sheet of 100 answers is written, to-judge.csv in the folder: write yes or no into its last column and give
    the command again. The verdict of the run stays as it is. Example: advisor judge runs/first --by judge.py:grade --allow-code
    """
    from advisor.cli.terminal import main_table
    from advisor.experiments.judging import ask
    from advisor.experiments.stored import reopen

    with _graded() as progress:
        sheet = ask(run, by, allow_code, progress)
    story = reopen(run, allow_code=allow_code).story
    if as_json:
        put(document(story.facts["judge"]))
    else:
        to = console()
        to.print(main_table(story.judge, to.width))
        to.print(story.judge.note, style="dim", markup=False)
    if sheet is not None:
        say(
            f"To see how far the judge is right, write yes or no into the column right of {sheet}, and give this command again. "
            "Held-out cases stand there, so they count as seen."
        )
    say(f"To have it in the report: {line('report', str(run))}")


@contextmanager
def _graded() -> Iterator[Callable[[int, int], None]]:
    """Tells on stderr how far it is, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("answers graded"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
