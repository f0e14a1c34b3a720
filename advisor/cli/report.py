"""`advisor report`: tells a stored run again, without any model."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.outcome import tell, write_reports
from advisor.cli.shown import say

EXAMPLE = "example"


@click.command(name="report")
@click.argument("run")
@click.option("--rescore", is_flag=True, help="Score the stored answers again before telling.")
@click.option(
    "--cases",
    type=click.Choice(["none", "wrong", "all"]),
    default="none",
    show_default=True,
    help="Cases of the selection part that the report shows.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the report. Default: the run's own.")
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.pass_context
def command(ctx: click.Context, /, run: str, rescore: bool, cases: str, out: Path | None, **given: bool) -> None:
    """Tell the stored run in the folder RUN again: verdict, table and report files.

    `advisor report example` shows a real run that comes with the product.
    """
    from advisor.comparison import reopen

    with_code = given["allow_code"]
    if run == EXAMPLE and not Path(run).exists():
        from advisor.example import opened

        with opened() as folder:
            verdict = reopen(folder, cases=cases)  # type: ignore[arg-type]  # click has checked the choice
        out = out or Path("example-report")
    else:
        verdict = reopen(Path(run), cases=cases, rescore=rescore, allow_code=with_code)  # type: ignore[arg-type]
        out = out or Path(run)
    code = tell(verdict, given["as_json"])
    out.mkdir(parents=True, exist_ok=True)
    paths = write_reports(verdict, out)
    click.echo(err=True)
    say(f"The page: {paths[0]}")
    ctx.exit(code)
