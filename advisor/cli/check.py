"""`advisor check`: says what is in the data of a task and whether it can decide the target, before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.given import ALLOW_REMOTE, SEED, must_be_new
from advisor.cli.program import line
from advisor.cli.shown import console, document, goal_of, marked, say, shown
from advisor.cli.streams import one_document, put

if TYPE_CHECKING:
    from rich.console import Console

    from advisor.experiments.found import Found
    from benchmarks.audit.by_meaning import Alike, ByMeaning
    from benchmarks.audit.doubts import Doubt
    from benchmarks.audit.findings import Finding
    from benchmarks.audit.summary import Lengths
    from benchmarks.data.assemble import Assembly
    from strategies.contract import Case, Document

_LABELS_SHOWN = 12


@click.command(name="check", short_help="Check the data of a task.")
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the split.")
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@ALLOW_REMOTE
@click.option(
    "--doubts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the examples whose label simple classifiers doubt into this CSV; needs the embedding model.",
)
@click.option(
    "--fix",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write sheets to go through and a copy of the task into this folder; again, after filling them in, to apply them.",
)
@click.option(
    "--deep", is_flag=True, help="Compare texts by meaning too, not by letters alone; needs the embedding model."
)
@click.option(
    "--alike",
    is_flag=True,
    help="Say whether examples, held-out cases, older and newer ones and real requests are alike; needs the embedding model.",
)
@one_document
def command(task: str, as_json: bool, seed: int, allow_code: bool, **more: Any) -> None:
    """Check the data of TASK: counts, lengths, labels, mistakes, and whether the target can be decided.

    TASK is the path of a task.yaml or the name of a bundled or public task. Without --deep, --doubts, --fix and --alike no model
    runs. Example: advisor check support-intents

    With --fix nothing is changed but what you write into the sheets: review.csv lists rows that may be wrong, sample.csv the
    held-out cases in random order. Label the first hundred of these, or judge their answers, and the share of wrong ones is
    known. An x in `corrected` takes the label that stands in `perhaps`; rows with the same word in `together` count as one.
    """
    from advisor.experiments.comparison import Wishes
    from advisor.experiments.found import find
    from advisor.experiments.run_setup import models_of, wanted_candidates, with_notes

    found = find(task, more["allow_remote"])
    models, left_out = models_of(found.spec, Wishes(), found.folder).permitted()
    assembly = with_notes(found.assembled(seed=seed, allow_code=allow_code), left_out)
    wanted_candidates(assembly, found.folder, models, ())  # As a run plans them: recorded answers are read for that.
    deep = _by_meaning(assembly, found.folder) if more["deep"] else None
    if deep is not None:
        assembly = replace(assembly, findings=(*assembly.findings, *deep.findings))
    sheets_with_rows: list[Path] = []
    if (doubts := more["doubts"]) is not None:
        sheets_with_rows += _doubt(assembly, found.folder, doubts)
    if (fix := more["fix"]) is not None:
        sheets_with_rows += _fix(assembly, found, fix, deep.rows if deep else ())
    sentences = _alike(assembly, found) if more["alike"] else []
    options = [*(["--seed", str(seed)] if seed else []), *(["--allow-code"] if allow_code else [])]
    options += ["--allow-remote"] if found.allow_remote else []
    sheets = line("check", task, *options, "--fix", "reviewed")
    told = tuple(finding.of_the_task(sheets) for finding in assembly.findings)
    assembly = replace(assembly, findings=_without_private_ids(told, found))
    if as_json:
        put(document(described(assembly) | ({"alike": sentences} if more["alike"] else {})))
        return
    labels_unread = assembly.benchmark.task.kind == "classification" and doubts is None and fix is None
    _print(assembly, _nothing_wrong(sheets_with_rows, labels_unread=labels_unread), console())
    for sentence in sentences:
        click.echo(f"\n{sentence}")
    if fix is None:  # The copy that --fix makes has sheets to fill in first.
        click.echo(err=True)
        say(f"Next: {line('run', task, *options)}")


def _by_meaning(assembly: Assembly, folder: Path) -> ByMeaning:
    """What an embedding model finds besides."""
    from benchmarks.audit.by_meaning import compared_by_meaning
    from benchmarks.running.models import Models

    models = Models(assembly.spec.models, embedder_spec=assembly.spec.embedder, base=folder)
    task, heldout = assembly.benchmark.task, assembly.benchmark.heldout
    return compared_by_meaning(task.examples, heldout, task.documents, task.labels, models.embedder)


def _without_private_ids(findings: tuple[Finding, ...], found: Found) -> tuple[Finding, ...]:
    """With the number of its row in place of an id that holds personal data or a secret: of each, where several have it."""
    from benchmarks.audit.text_quality import is_private

    if not any(is_private(name) for finding in findings for name in finding.examples):
        return findings
    data = found.data()
    sides: dict[str, Sequence[Case | Document]] = {
        "document": data.documents,
        "held-out row": data.heldout or (),
        "row": data.examples,
    }
    names: dict[str, str] = {}
    for side, several in sides.items():
        for place, each in enumerate(several, start=1):
            if is_private(each.id):
                named = f"{side} {place:,}"
                names[each.id] = f"{names[each.id]} or {named}" if each.id in names else named
    return tuple(finding.named_by(names) for finding in findings)


def _alike(assembly: Assembly, found: Found) -> list[str]:
    from advisor.story.alike import told_apart
    from benchmarks.data.population import FEWEST, apart, sets_to_compare
    from benchmarks.running.models import Models

    models = Models(assembly.spec.models, embedder_spec=assembly.spec.embedder, base=found.folder)
    traffic = found.traffic()
    compared = sets_to_compare(assembly.benchmark, traffic.texts, assembly.spec)
    told = {key: apart(names, texts, models.embedder, assembly.parts.seed) for key, (names, texts) in compared.items()}
    sentences = [told_apart(key, each) for key, each in told.items() if each is not None]
    if len(sentences) < len(told) or not told:
        sentences.append(
            f"There is nothing more to compare: it takes {FEWEST} texts on both sides that do not say the same, of a file of "
            "held-out cases, of `traffic`, or with a time (`columns: {time: created}`)."
        )
    return [*traffic.notes, *sentences]


def _doubt(assembly: Assembly, folder: Path, sheet: Path) -> list[Path]:
    """The sheet if it has rows. Only for labels: what else there is to doubt takes a person to read."""
    from advisor.wording import counted
    from benchmarks.audit.doubts import write_doubts
    from benchmarks.contract import BadInput

    task = assembly.benchmark.task
    if task.kind != "classification":
        raise BadInput(f"--doubts looks at labels, and this task is {task.kind}. Leave it out.")
    if not sheet.parent.is_dir():
        raise BadInput(f"{sheet} cannot be written: there is no folder {sheet.parent}. Make it, or name another file.")
    must_be_new(sheet)
    found = _doubted(assembly, folder)
    write_doubts(found, sheet)
    say(
        f"{counted(len(found), 'example')} of {len(task.examples):,} may have the wrong label, the most doubtful first in "
        f"{sheet}. Look through them: a label that is often confused with another is doubted too."
    )
    return [sheet] if found else []


def _doubted(assembly: Assembly, folder: Path) -> list[Doubt]:
    from benchmarks.audit.doubts import doubts
    from benchmarks.running.models import Models

    models = Models(assembly.spec.models, embedder_spec=assembly.spec.embedder, base=folder)
    return doubts(assembly.benchmark.task.examples, models.embedder, assembly.parts.seed)


def _fix(assembly: Assembly, found: Found, folder: Path, alike: Sequence[Alike]) -> list[Path]:
    """Sheets where there are none, with rows alike in meaning, and the copy they make as they are; the sheet to look through."""
    from benchmarks.audit.doubts import TooWeak
    from benchmarks.data.assemble import is_exact
    from benchmarks.review.review_sheets import REVIEW, SAMPLE
    from benchmarks.review.reviewed import review

    task = assembly.benchmark.task

    def suspected() -> list[Doubt | Alike]:
        try:
            return [*(_doubted(assembly, found.folder) if task.labels else ()), *alike]
        except TooWeak as error:
            say(f"Wrong labels cannot be found by a model here: {error}")
            return [*alike]

    if alike and (folder / REVIEW).exists():
        say(
            f"{folder / REVIEW} was there before and stays: rows alike in meaning are in it only if --deep was given then."
        )
    made = review(assembly, found.data(), folder, suspected, by_name=bool(found.origin))
    lineage = made.lineage
    accept = " (x there takes what `perhaps` holds)" if task.labels else ""
    say(
        f"{folder / REVIEW}: {made.listed:,} rows to look at. Write into `corrected`{accept}, `together` (the same word beside "
        "rows that are to count as one) or `leave out`; else a row stays as it is."
    )
    if told := lineage.says_of_sample(assembly.benchmark.target, exact=is_exact(task.kind, assembly.benchmark.metric)):
        say(" ".join(told))
    elif task.labels:
        say(f"{folder / SAMPLE}: label a hundred or more, from the top, or all, to know the share of wrong labels.")
    else:
        say(
            f"{folder / SAMPLE}: judge a hundred or more, from the top, or all, to know the share of wrong answers. Write x into "
            "`right`, or the right answer into `corrected`."
        )
    say(
        f"The copy: {folder / 'task.yaml'}, of {lineage.examples.says('example')}, of {lineage.heldout.says('held-out case')}. "
        "Once the sheets are filled in, the same command makes it anew."
    )
    return [folder / REVIEW] if made.listed else []


def described(assembly: Assembly) -> dict[str, Any]:
    """What `--json` prints."""
    benchmark, summary = assembly.benchmark, assembly.summary
    decidable = assembly.decidable
    return {
        "task": benchmark.task.name,
        "kind": benchmark.task.kind,
        "metric": benchmark.metric.name,
        "target": benchmark.target,
        "margin": benchmark.margin,
        "fingerprint": benchmark.fingerprint,
        "counts": {"examples": summary.examples, "heldout": summary.heldout, "documents": summary.documents},
        "words": {
            "input": asdict(summary.input_words),
            "output": asdict(summary.output_words),
            "document": asdict(summary.document_words) if summary.document_words else None,
        },
        "labels": [
            {"label": label, "examples": examples, "heldout": heldout} for label, examples, heldout in summary.labels
        ],
        "folds": [{"train": len(train), "selection": len(selection)} for train, selection in assembly.parts.folds],
        "inferred": list(assembly.inferred),
        "findings": [asdict(finding) for finding in assembly.findings],
        "decidable": {**asdict(decidable), "enough": decidable.enough, "says": decidable.says} if decidable else None,
    }


def _parts(folds: Sequence[tuple[int, int]]) -> str:
    """`3 times 52 to train and 26 to choose by`; those of one size are counted."""
    told = [f"{train:,} to train and {chosen:,} to choose by" for train, chosen in folds]
    times = {each: told.count(each) for each in told}
    return ", ".join(each if count == 1 else f"{count} times {each}" for each, count in times.items())


def _nothing_wrong(sheets: Sequence[Path], labels_unread: bool) -> str:
    """What is said where there is no finding; `sheets` hold rows that may be wrong but are none."""
    from advisor.wording import listed

    beside = f" beside the rows in {listed([str(each) for each in sheets])}" if sheets else ""
    unread = "; wrong labels were not looked for (--doubts lists those that may be)" if labels_unread else ""
    return f"Nothing wrong was found in the data{beside}{unread}."


def _print(assembly: Assembly, without_findings: str, to: Console) -> None:
    """What is known of the data."""
    benchmark, summary = assembly.benchmark, assembly.summary
    measured = f"{benchmark.task.kind}, {benchmark.metric.name}, {goal_of(benchmark)}"
    to.print(f"[bold]{marked(benchmark.task.name)}[/bold]: {measured}")
    parts = [
        f"{summary.examples:,} examples ({_parts([(len(train), len(chosen)) for train, chosen in assembly.parts.folds])})",
        f"{summary.heldout:,} held-out cases",
    ]
    if summary.documents:
        parts.append(f"{summary.documents:,} documents")
    to.print(", ".join(parts))
    for note in assembly.inferred:
        to.print(f"[dim]{marked(note)}[/dim]")
    to.print()
    _print_lengths(assembly, to)
    _print_labels(assembly, to)
    for finding in assembly.findings:
        _print_finding(finding, to)
    if not assembly.findings:
        to.print(marked(without_findings))
    if assembly.decidable:
        to.print(f"\n[bold]Can it decide?[/bold] {marked(assembly.decidable.says)}")
    _print_unmeasured(assembly, to)


def _print_unmeasured(assembly: Assembly, to: Console) -> None:
    """The limits that a plain run of the task could not be judged by."""
    from advisor.decision.unmeasured import beforehand, unmeasured_by
    from benchmarks.costs.prices import machine_prices

    benchmark = assembly.benchmark
    keys = unmeasured_by(benchmark.constraints, machine_prices(assembly.spec))
    if keys:
        to.print(marked(beforehand(keys)))


def _print_lengths(assembly: Assembly, to: Console) -> None:
    from rich.table import Table

    table = Table("words in", "median", "95 %", "longest", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    summary = assembly.summary
    rows: tuple[tuple[str, Lengths | None], ...] = (
        ("inputs", summary.input_words),
        ("outputs", summary.output_words),
        ("documents", summary.document_words),
    )
    for name, lengths in rows:
        if lengths:
            table.add_row(name, f"{lengths.median:,}", f"{lengths.p95:,}", f"{lengths.longest:,}")
    to.print(table)
    to.print()


def _print_labels(assembly: Assembly, to: Console) -> None:
    from rich.table import Table

    labels = assembly.summary.labels
    if not labels:
        return
    table = Table(f"{len(labels)} labels", "examples", "held-out", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, examples, heldout in labels[:_LABELS_SHOWN]:
        table.add_row(marked(label, 40), f"{examples:,}", f"{heldout:,}")
    if len(labels) > _LABELS_SHOWN:
        rest = labels[_LABELS_SHOWN:]
        several = f"{len(rest)} more labels" if len(rest) > 1 else "1 more label"
        table.add_row(several, f"{sum(one[1] for one in rest):,}", f"{sum(one[2] for one in rest):,}", style="dim")
    to.print(table)
    to.print()


def _print_finding(finding: Finding, to: Console) -> None:
    style = {"error": "bold red", "warning": "yellow", "note": "dim"}[finding.severity]
    ids = ", ".join(shown(name, 40) for name in finding.examples)
    example = f" For instance: {ids}." if ids else ""
    to.print(f"[{style}]{finding.severity}[/{style}]  {marked(f'{finding.told}{example}')}")
