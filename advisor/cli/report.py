"""`advisor report`: tells a stored run again, without any model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.given import MARGIN, SHARE, WHICH_CASES, Count, check_can_be_a_folder, must_be_new
from advisor.cli.outcome import check_formats, say_that_they_are_seen, say_what_comes_next, tell
from advisor.cli.shown import broken, say, shown
from advisor.cli.streams import one_document
from advisor.experiments.example import is_meant
from advisor.experiments.report_files import write_reports
from benchmarks.contract import BadInput
from strategies.permissions import owner_only

if TYPE_CHECKING:
    from advisor.contract import Verdict


@click.command(name="report", short_help="Show the report of a finished run.")
@click.argument("run", required=False)
@click.option("--rescore", is_flag=True, help="Score the stored answers again before telling.")
@WHICH_CASES
@click.option("--target", type=SHARE, help="Another target than before the run: the verdict is exploratory then.")
@click.option(
    "--margin", type=MARGIN, help="In place of a target: how far below the best is good enough (0.05: 5 points)."
)
@click.option("--volume", type=Count(1), help="Requests a month.")
@click.option("--horizon-months", type=click.IntRange(1, 120), help="For how many months costs are added up.")
@click.option("--machine-hour", type=click.FloatRange(0), help="Price of an hour of the machine that ran local models.")
@click.option(
    "--prices",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A prices.yaml: what you pay for a machine hour, and of models for their tokens, an hour or a month.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for the report. Default: the run's own, or what-if inside it where something is changed.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    help="Write this format only, such as junit; can be given several times. Default: html, markdown and json.",
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write every stored answer, your texts included, into this file: CSV or Parquet. That shows held-out cases too.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Add what the recommendation follows from, with the rows to check it by, and what its other numbers come from.",
)
@click.option(
    "--mlflow",
    is_flag=True,
    help="Also write figures and report into MLflow, at MLFLOW_TRACKING_URI, one run an approach.",
)
@click.option(
    "--site",
    type=click.Path(path_type=Path),
    help="Write a site over all runs in the folder RUN, by default runs, into this folder instead.",
)
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, everything else on stderr.")
@click.pass_context
@one_document
def command(ctx: click.Context, /, run: str | None, out: Path | None, as_json: bool, **given: Any) -> None:
    """Show the stored run in the folder RUN again: verdict, table and report files.

    With another target, margin, volume, horizon or price the verdict is made anew from the same answers, without any model.
    The word example in place of a folder shows a real run that comes with the product. Example: advisor report example

    With --site: an index, the page of each run, and runs of one task side by side, as plain files.
    """
    from advisor.experiments.stored import Changes, reopen
    from benchmarks.evaluation.answers_table import check_kind

    if (site := given.pop("site")) is not None:
        _write_site(ctx, Path(run or "runs"), site)
        return
    if run is None:
        raise BadInput("Name a run: `advisor report runs/first`, or `advisor report example`.")
    _check_one_goal(given)
    changes = Changes(**{name: given.pop(name) for name in Changes.names() if name != "prices"}, prices=_prices(given))
    explain, formats, answers = given.pop("explain"), given.pop("formats"), given.pop("answers")
    mlflow = given.pop("mlflow")
    check_formats(formats)
    if answers is not None:
        check_kind(answers)
        must_be_new(answers)
    say_that_they_are_seen("all" if answers else given["cases"])
    recorded = is_meant(run)
    inside = Path("example-report" if recorded else run)
    if not recorded and changes != Changes():
        inside /= "what-if"
    if recorded or out is not None:
        check_can_be_a_folder(out or inside)
    if recorded:
        from advisor.experiments.example import opened

        with opened() as folder:
            verdict = reopen(folder, changes=changes, **given)
            _write_answers(folder, answers)
    else:
        verdict = reopen(Path(run), changes=changes, **given)
        _write_answers(Path(run), answers)
    code = tell(verdict, as_json)
    if explain:
        _explain(verdict, as_json)
    with owner_only() if out is None else nullcontext():  # A place that a person names is made as usual.
        out = out or inside
        out.mkdir(parents=True, exist_ok=True)
        paths = write_reports(verdict, out, formats)
    click.echo(err=True)
    say(f"The {'page' if paths[0].suffix == '.html' else 'report'}: {paths[0]}")
    if changes == Changes() and (Path(run) / "fits").is_dir():
        say_what_comes_next(verdict, Path(run))
    if mlflow:
        from advisor.experiments.tracking import track

        say(f"In MLflow it is run {track(verdict.story, paths)}.")
    ctx.exit(code)


def _check_one_goal(given: Mapping[str, Any]) -> None:
    if given["target"] is not None and given["margin"] is not None:
        raise BadInput(
            "--target and --margin are two goals. Keep --target if a figure has to be reached, and --margin if it is enough to "
            "come close to the best."
        )


def _write_site(ctx: click.Context, folder: Path, site: Path) -> None:
    from click.core import ParameterSource

    from advisor.cli.runs import check_holds_runs
    from advisor.experiments.site import build
    from advisor.wording import counted

    for one in ctx.command.params:
        given = ctx.get_parameter_source(str(one.name)) == ParameterSource.COMMANDLINE
        if given and one.name not in ("run", "site"):
            raise BadInput(f"--site goes without {one.opts[0]}: runs are shown as they were told.")
    check_holds_runs(folder)
    say(f"{counted(build(folder, site), 'run')}: {site / 'index.html'}")


def _prices(given: dict[str, Any]) -> Mapping[str, Any] | None:
    from benchmarks.contract import BadInput
    from benchmarks.specs.spec_prices import read_prices

    path = given.pop("prices")
    if path is None:
        return None
    if not path.is_file():
        raise BadInput(f"{path} does not exist. Give a file with a line such as `machine_hour: 0.40`.")
    return read_prices(path, partly=True)


def _write_answers(folder: Path, path: Path | None) -> None:
    if path is None:
        return
    from advisor.experiments.stored import write_answers

    say(f"{write_answers(folder, path):,} answers: {path}")


def _explain(verdict: Verdict, as_json: bool) -> None:
    """On stderr where stdout is one JSON document."""
    from advisor.story.explain import premises
    from advisor.story.origins import origins

    click.echo("\nWhat it follows from", err=as_json)
    for number, line in enumerate(premises(verdict), 1):
        click.echo(broken(f"{number}. {shown(line)}", sys.stdout.isatty()), err=as_json)
    for title, lines in origins(verdict.story.facts).items():
        click.echo(f"\n{title}", err=as_json)
        for line in lines:
            click.echo(broken(f"- {shown(line)}", sys.stdout.isatty()), err=as_json)
