"""`advisor init`: looks at a data file and writes a commented task.yaml beside it."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.program import line
from advisor.cli.shown import shown
from benchmarks.contract import BadInput


@click.command(name="init", short_help="Propose a task file for your examples.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over a task.yaml that exists.")
def command(file: Path, force: bool) -> None:
    """Propose a task spec for the examples in FILE (JSONL, JSON, CSV, TSV, Parquet) and say why.

    The spec is written as task.yaml into the folder of FILE. Example: advisor init my.csv
    """
    from benchmarks.specs.propose import propose

    proposal = propose(file)
    target = file.parent / "task.yaml"
    if target.is_symlink():
        raise BadInput("task.yaml beside the data is a link. Remove it, then start again.")
    if target.exists() and not force:
        raise BadInput("task.yaml exists beside the data already. Rename it, or start again with --force.")
    try:
        target.write_text(proposal.text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"task.yaml cannot be written: {error.strerror}. Copy the data to a folder of your own."
        ) from None
    for reason in proposal.reasons:
        click.echo(shown(reason))
    then = shown(line("check", str(target)))
    if proposal.refused:
        click.echo(
            f"Written: {shown(str(target))}, which {then} will refuse as the data are now: {shown(proposal.refused)}"
        )
        return
    click.echo(f"Written: {shown(str(target))}. Read it, set the target, then: {then}")
