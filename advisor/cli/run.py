"""`advisor run`: the whole comparison, from a task to a verdict."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli import INTERRUPTED
from advisor.cli.again import resumable, say_what_is_left
from advisor.cli.before import expected_of, say_before, says_what_is_missing, with_less
from advisor.cli.given import ALLOW_REMOTE, MARGIN, SEED, SHARE, WHICH_CASES, check_can_be_a_folder
from advisor.cli.outcome import say_that_they_are_seen, say_what_comes_next, tell
from advisor.cli.shown import document, say
from advisor.cli.streams import one_document, put
from advisor.experiments.report_files import write_reports
from advisor.experiments.wished import FEWEST
from benchmarks.contract import BadInput, State
from strategies.permissions import owner_only

if TYPE_CHECKING:
    from advisor.contract import Verdict
    from advisor.experiments.comparison import Prepared, Wishes
    from benchmarks.costs.prices import TokenPrices

ASK_ABOVE_MINUTES = 60


@click.command(name="run", short_help="Compare the approaches and recommend one.")
@click.argument("task")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/NAME.")
@click.option("--resume", is_flag=True, help="Go on with the run in that folder; finished work is not done again.")
@click.option(
    "--on",
    default="here",
    show_default=True,
    metavar="PLACE",
    help="Where: here (this process), processes (of this machine), ray, ray:HOST:PORT or ray:auto (a running cluster).",
)
@click.option("--workers", type=int, help="How many share the work. Default: one a core; one a machine of a cluster.")
@click.option("--shard", default="", help="Perform one part of the approaches, such as 1/3, on this machine.")
@click.option(
    "--merge",
    "parts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Put parts that --shard made together first; given once for each of their folders.",
)
@click.option(
    "--reuse",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take over searches and trainings of the run in that folder: same examples, other held-out cases or target.",
)
@click.option(
    "--fork",
    type=click.Path(path_type=Path),
    help="Go on from the run in that folder with other approaches or another target: what is still valid is not done again.",
)
@click.option(
    "--target", type=SHARE, help="Share of cases that must be right, between 0 and 1, in place of the spec's."
)
@click.option(
    "--margin", type=MARGIN, help="In place of a target: how far below the best is good enough (0.05: 5 points)."
)
@click.option("--examples", type=click.IntRange(min=FEWEST), help="Use a seeded sample of that many examples.")
@click.option("--heldout", type=click.IntRange(min=FEWEST), help="Use a seeded sample of that many held-out cases.")
@click.option(
    "--effort",
    type=click.Choice(["quick", "standard", "thorough"]),
    default="standard",
    show_default=True,
    help="Budget of each approach for choosing, the same for all: 25,000, 150,000 or 1,000,000 tokens of the model. --dry-run "
    "says how long that takes here.",
)
@click.option("--approach", "approaches", multiple=True, help="Run only this approach; can be given several times.")
@click.option(
    "--model", "models", multiple=True, help="Language model in place of the spec's; can be given several times."
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of samples, splits and training.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), help="Number format of local models.")
@click.option(
    "--second-seed/--no-second-seed",
    default=True,
    show_default=True,
    help="Build each chosen configuration once more to see how much another seed changes; left out where the checks would take "
    "more than 40 % of the time, but for --probes all.",
)
@click.option(
    "--curve",
    is_flag=True,
    help="Fit with fewer examples too (of 40 or more) and say what more would bring; also of a finished run.",
)
@click.option(
    "--planted",
    is_flag=True,
    help="Also measure how often an instruction that is planted in a request or a passage is followed; also of a finished run.",
)
@click.option(
    "--rebuilds",
    type=int,
    default=0,
    help="Fit everything so many times again, on other examples and seeds, and say how much moves; also of a finished run.",
)
@click.option(
    "--changed",
    is_flag=True,
    help="Change facts in the documents, add labels or alter the format, and count which approaches follow, without another fit "
    "and with one; also of a finished run.",
)
@click.option(
    "--stop-when-decided",
    is_flag=True,
    help="Ask held-out cases in random order, and stop asking an approach once it is shown to meet the target or to miss it.",
)
@click.option(
    "--economical",
    is_flag=True,
    help="Stop fitting once an approach is proven to meet the target, or reaches it and no other could be shown to be better: "
    "nothing that comes after it is fitted. Fit nothing with a language model where no score could prove the target met. The "
    "report says what was left out.",
)
@click.option(
    "--max-cost",
    type=float,
    help="Money that servers may be paid for the whole run, or with --shard for the part, in the currency of the task's prices; "
    "then stop, tell what is measured so far, and leave the rest to --resume with more.",
)
@click.option(
    "--max-hours",
    type=float,
    help="Stop after so many hours, tell what is measured by then, and leave the rest to --resume.",
)
@click.option("--max-disk", type=float, help="Gigabytes that the run's folder may take; then it stops likewise.")
@click.option(
    "--probes",
    type=click.Choice(["none", "core", "all"]),
    default="core",
    show_default=True,
    help="What is measured beside right and wrong: core (consistency, waiting times, what tuning made worse), none, or all, "
    "which adds --planted, --changed and three --rebuilds.",
)
@WHICH_CASES
@click.option("--accept-terms", is_flag=True, help="Accept the terms of use of a model that has some.")
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@ALLOW_REMOTE
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would run and what it would need (minutes, memory, tokens, money), then stop.",
)
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Log each piece of work on stderr when it begins and ends, also without a terminal.",
)
@click.option("--yes", is_flag=True, help=f"Do not ask before a run of more than {ASK_ABOVE_MINUTES} minutes.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON document on stdout, everything else on stderr: the report; of a --dry-run what the run would need; of a "
    "--shard which part it was, its folder and its approaches.",
)
@click.pass_context
@one_document
def command(ctx: click.Context, /, task: str, out: Path | None, resume: bool, **given: Any) -> None:
    """Run the comparison for TASK, the path of a task.yaml or the name of a bundled or public task.

    Example: advisor run support-intents --out runs/first

    On several cores: advisor run support-intents --on processes

    On several machines of one kind: the same command with --shard 1/2 and --shard 2/2, then with --merge for both folders.
    """
    from advisor.cli.expected import expected_document, missing_document
    from advisor.experiments.comparison import prepare, run_folder
    from benchmarks.costs.prices import machine_prices

    prepared = prepare(task, _wishes(given))
    folder = out or run_folder(prepared.assembly.benchmark.task.name, prepared.shard)
    parts, dry, as_json = given.pop("parts"), bool(given["dry_run"]), bool(given["as_json"])
    if parts:
        _merge(parts, folder, prepared.shard is not None, dry)
        resume = resume or not dry
    _check_folder(folder, resume, dry)
    if resume:
        prepared.go_on(folder)
    say_before(prepared)
    if dry and (missing := says_what_is_missing(prepared)):
        if as_json:
            put(document(missing_document(missing)))
        return
    expected = expected_of(prepared, resume or bool(parts))
    if dry:
        if as_json:
            put(document(expected_document(expected, machine_prices(prepared.assembly.spec))))
        return
    minutes, stops = expected.minutes, 60 * (given["max_hours"] or math.inf)
    if min(minutes, stops) > ASK_ABOVE_MINUTES and not given["yes"] and not resume:
        say(with_less(prepared))
        if not sys.stdin.isatty():
            raise BadInput(f"The run is expected to take {minutes:.0f} minutes. Add --yes to start it all the same.")
        if not click.confirm("Start?", err=True):
            say("Nothing was started.")
            ctx.exit(INTERRUPTED)
    if prepared.shard is not None:
        with resumable(ctx.obj, folder):
            part = _execute_part(prepared, folder, bool(given["verbose"]))
        if as_json:
            put(document(part))
        return
    say_that_they_are_seen(str(given["cases"]))
    with resumable(ctx.obj, folder):
        verdict = _execute(prepared, folder, given)
    with owner_only():
        paths = write_reports(verdict, folder)  # First: who reads what is told may stop at its first lines.
    code = tell(verdict, as_json)
    click.echo(err=True)
    say(f"The page: {paths[0]}")
    say_what_comes_next(verdict, folder)
    waiting = any(each.state is State.OPEN for each in verdict.recommendation.statuses)
    if waiting or any(each.left for each in verdict.evaluations):
        say_what_is_left(ctx.obj)
    ctx.exit(code)


def _wishes(given: dict[str, object]) -> Wishes:
    from advisor.experiments.comparison import Wishes

    names = (
        "target",
        "margin",
        "examples",
        "heldout",
        "effort",
        "seed",
        "dtype",
        "second_seed",
        "probes",
        "curve",
        "planted",
        "rebuilds",
        "changed",
        "stop_when_decided",
        "economical",
        "max_cost",
        "max_hours",
        "max_disk",
        "shard",
        "on",
        "workers",
        "accept_terms",
        "allow_code",
        "allow_remote",
        "reuse",
        "fork",
    )
    return Wishes(
        **{name: given[name] for name in names},  # type: ignore[arg-type]  # click has checked them
        approaches=tuple(given["approaches"]),  # type: ignore[arg-type]
        models=tuple(given["models"]),  # type: ignore[arg-type]
    )


def _check_folder(folder: Path, resume: bool, dry: bool) -> None:
    """A folder that holds a finished or begun run is never mixed with another one unasked."""
    begun = (folder / "run.sqlite").exists()
    if resume and not begun:
        raise BadInput(f"{folder} holds no run to go on with. Leave out --resume, or name the run's folder with --out.")
    if begun and not resume and not dry:
        raise BadInput(
            f"{folder} already holds a run. Add --resume to go on with it, or name another folder with --out."
        )
    check_can_be_a_folder(folder)


def _merge(parts: Sequence[Path], folder: Path, part: bool, dry: bool) -> None:
    from benchmarks.running.sharding import check_parts, merge

    if part:
        raise BadInput("--merge puts parts together and --shard makes one: give one of them.")
    if dry:
        check_parts(parts, folder)
        return
    merge(parts, folder)
    say(f"{len(parts)} parts were put together in {folder}")


def _execute_part(prepared: Prepared, folder: Path, verbose: bool) -> dict[str, Any]:
    """What `--json` prints of the part."""
    from advisor.cli.logged import events_of
    from advisor.cli.progress import LiveProgress
    from advisor.experiments.comparison import execute_part
    from advisor.wording import listed

    shard, names = prepared.shard, [each.name for each in prepared.performed]
    if shard is None or not names:
        raise BadInput("This part holds no approach: there are fewer approaches than parts. Take fewer parts.")
    with LiveProgress() as live:
        execute_part(prepared, folder, events_of(live, _token_prices(prepared), verbose))
    say(f"Part {shard.number} of {shard.of} is finished ({listed(names)}): {folder}")
    say("When all are: the same command with --merge FOLDER for each part in place of --shard.")
    return {"part": shard.number, "of": shard.of, "folder": str(folder), "approaches": names}


def _token_prices(prepared: Prepared) -> Mapping[str, TokenPrices | None]:
    from benchmarks.costs.prices import machine_prices

    return machine_prices(prepared.assembly.spec).tokens


def _execute(prepared: Prepared, folder: Path, given: Mapping[str, Any]) -> Verdict:
    from advisor.cli.logged import events_of
    from advisor.cli.progress import LiveProgress
    from advisor.experiments.comparison import execute

    with LiveProgress() as live:
        return execute(
            prepared, folder, events_of(live, _token_prices(prepared), bool(given["verbose"])), given["cases"]
        )
