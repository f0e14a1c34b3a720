"""`advisor export`: one fitted approach of a run in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.shown import say


@click.command(name="export", short_help="Write what was fitted into a folder.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--candidate", default="", help="An approach by its name in the table. Default: what the run recommends.")
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
def command(run: Path, out: Path, candidate: str, allow_code: bool) -> None:
    """Write the approach that the run in the folder RUN recommends into the folder OUT, with a card of what was measured.

    The base model is not part of it. Example: advisor export runs/first ticket-router
    """
    from advisor.export import export
    from advisor.wording import start

    name = export(run, out, candidate, allow_code)
    say(f"{start(name)} lies in {out}. Answer requests with it: advisor predict {out} new.csv")
