"""`advisor export`: one fitted approach of a run in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from advisor.cli.program import line
from advisor.cli.shown import document, say
from advisor.cli.streams import one_document, put


@click.command(name="export", short_help="Export the chosen approach for deployment.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--candidate", default="", help="An approach by its name in the table. Default: what the run recommends.")
@click.option(
    "--merged", is_flag=True, help="Also write an adapter as a whole model, merged into the weights of its base."
)
@click.option(
    "--task", default="", help="With --merged: the run's task.yaml, where its models lie in folders of this machine."
)
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.option(
    "--json", "as_json", is_flag=True, help="Say as one JSON document what was exported, and which files it has."
)
@one_document
def command(run: Path, out: Path, as_json: bool, **given: Any) -> None:
    """Write the approach that the run in the folder RUN recommends into the folder OUT, with a card of what was measured.

    With it comes a predict.py that needs no other program of this product, where one can do. The base model is not part of
    it. Example: advisor export runs/first ticket-router
    """
    from advisor.deploy.export import Merge, export
    from advisor.wording import start

    merge = Merge(task=given["task"]) if given["merged"] else None
    name = export(run, out, given["candidate"], given["allow_code"], merge)
    if as_json:
        files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
        put(document({"name": name, "folder": str(out), "files": files}))
    say(f"{start(name)} lies in {out}. Answer requests with it: {line('predict', str(out), 'new.csv')}")
