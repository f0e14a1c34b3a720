"""`advisor check`: says what is in the data of a task and whether it can decide the target, before a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.given import SEED
from advisor.cli.shown import document, goal_of, marked, say, shown

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.assemble import Assembly
    from benchmarks.audit import Lengths
    from benchmarks.findings import Finding

_LABELS_SHOWN = 12


@click.command(name="check", short_help="Check the data of a task.")
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the split.")
@click.option("--allow-code", is_flag=True, help="Let a metric of your own (file.py:function) run its code.")
@click.option(
    "--doubts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the examples whose label a linear head doubts into this CSV; needs the embedding model.",
)
def command(task: str, as_json: bool, seed: int, allow_code: bool, doubts: Path | None) -> None:
    """Check the data of TASK: counts, lengths, labels, mistakes, and whether the target can be decided.

    TASK is the path of a task.yaml or the name of a bundled or public task. Without --doubts no model runs.
    Example: advisor check support-intents
    """
    from advisor.comparison import find

    found = find(task)
    assembly = found.assembled(seed=seed, allow_code=allow_code)
    if doubts is not None:
        _doubt(assembly, found.folder, doubts)
    if as_json:
        click.echo(document(described(assembly)))
        return
    from rich.console import Console

    _print(assembly, Console(highlight=False))


def _doubt(assembly: Assembly, folder: Path, sheet: Path) -> None:
    """Only for labels: what else there is to doubt takes a person to read."""
    from advisor.wording import counted
    from benchmarks.contract import BadInput
    from benchmarks.doubts import doubts, write_sheet
    from benchmarks.models import Models

    task, spec = assembly.benchmark.task, assembly.spec
    if task.kind != "classification":
        raise BadInput(f"--doubts looks at labels, and this task is {task.kind}. Leave it out.")
    models = Models(spec.models, embedder_spec=spec.embedder, base=folder)
    found = doubts(task.examples, models.embedder, assembly.parts.seed)
    write_sheet(found, sheet)
    say(
        f"{counted(len(found), 'example')} of {len(task.examples):,} may have the wrong label, the most doubtful first in "
        f"{sheet}. Look through them: a label that is often confused with another is doubted too."
    )


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


def _print(assembly: Assembly, console: Console) -> None:
    benchmark, summary = assembly.benchmark, assembly.summary
    measured = f"{benchmark.task.kind}, {benchmark.metric.name}, {goal_of(benchmark)}"
    console.print(f"[bold]{marked(benchmark.task.name)}[/bold]: {measured}")
    selection = " / ".join(f"{len(train)} + {len(chosen)}" for train, chosen in assembly.parts.folds)
    parts = [
        f"{summary.examples:,} examples (to train + to select: {selection})",
        f"{summary.heldout:,} held-out cases",
    ]
    if summary.documents:
        parts.append(f"{summary.documents:,} documents")
    console.print(", ".join(parts))
    for note in assembly.inferred:
        console.print(f"[dim]{marked(note)}[/dim]")
    console.print()
    _print_lengths(assembly, console)
    _print_labels(assembly, console)
    for finding in assembly.findings:
        _print_finding(finding, console)
    if not assembly.findings:
        console.print("Nothing wrong was found in the data.")
    if assembly.decidable:
        console.print(f"\n[bold]Can it decide?[/bold] {marked(assembly.decidable.says)}")


def _print_lengths(assembly: Assembly, console: Console) -> None:
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
    console.print(table)
    console.print()


def _print_labels(assembly: Assembly, console: Console) -> None:
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
    console.print(table)
    console.print()


def _print_finding(finding: Finding, console: Console) -> None:
    style = {"error": "bold red", "warning": "yellow", "note": "dim"}[finding.severity]
    ids = ", ".join(shown(name, 40) for name in finding.examples)
    example = f" For instance: {ids}." if ids else ""
    console.print(f"[{style}]{finding.severity}[/{style}]  {marked(f'{finding.says} {finding.what_to_do}{example}')}")
