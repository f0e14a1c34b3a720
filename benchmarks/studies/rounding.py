"""Does a training in bfloat16 reach what one in float32 does? One task, three seeds, the same rows and selection cases.

Each adapter answers in the number format that it was trained in. A seed that is done is not run again; the table stands in
equality.md.

    python -m benchmarks.studies.rounding
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import click
import numpy as np

from benchmarks.contract import BadInput
from benchmarks.statistics.confidence import paired_difference
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.markdown import table as markdown
from benchmarks.studies.settings import ROWS, commit
from benchmarks.studies.speed.work import MODEL
from strategies.contract import Case, Recipe, ScoresLabels, TrainingRow
from strategies.models.device import Placement, choose, without_bfloat16
from strategies.models.local import LocalModel
from strategies.models.measured import machine
from strategies.prompting.demonstrations import drawn
from strategies.prompting.rendering import Form, Renderer

FILE = ROWS / "rounding.jsonl.gz"
TASK, EXAMPLES, CASES, SEEDS = "banking77", 240, 150, (0, 1, 2)
RECIPE = Recipe(epochs=3)
FORMATS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One training: its last loss, and the score of each selection case."""

    seed: int
    dtype: str
    loss: float
    scores: tuple[float, ...]
    commit: str = field(default_factory=commit)
    machine: str = field(default_factory=machine)


def trained(model: LocalModel, renderer: Renderer, parts: tuple[Sequence[Case], Sequence[Case]], seed: int) -> Row:
    """Trains on the first part of the cases and asks the second one."""
    begun_by = commit()
    rows = [TrainingRow(prompt=renderer.request(case.input), answer=renderer.answer(case)) for case in parts[0]]
    prompts = [renderer.request(case.input) for case in parts[1]]
    words = renderer.words
    scores = [0.0] * len(prompts)
    with tempfile.TemporaryDirectory() as folder:
        done = model.train(rows, (), RECIPE, Path(folder) / "adapter", seed)
        adapted = cast(ScoresLabels, model.adapted(done.folder))
        for place, found in adapted.score_labels(prompts, [words.words] * len(prompts)):
            best = words.labels[int(np.argmax(found.log_likelihoods))]
            scores[place] = float(best == parts[1][place].output)
    return Row(seed=seed, dtype=model.placement.dtype, loss=done.losses[-1], scores=tuple(scores), commit=begun_by)


def read(file: Path = FILE) -> list[Row]:
    """The trainings that are done."""
    return [Row(**{**row, "scores": tuple(row["scores"])}) for row in read_lines(file)] if file.is_file() else []


@click.command(help=__doc__)
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the rows go.")
def main(rows: Path) -> None:
    from advisor.experiments.comparison import Wishes, prepare
    from strategies.models.quiet import quiet
    from strategies.models.weights import resolve

    if without_bfloat16():
        raise click.ClickException("this processor has no instructions for bfloat16")
    try:
        task = prepare(TASK, Wishes(examples=EXAMPLES + CASES)).assembly.benchmark.task
        folder = resolve(MODEL).folder
    except BadInput as error:
        raise click.ClickException(str(error)) from error
    examples, renderer = drawn(task.examples, 0), Renderer.of(task, Form())
    parts = examples[:EXAMPLES], examples[EXAMPLES:]
    known, found = read(rows), choose()
    for seed in SEEDS:
        for dtype in FORMATS:
            if any((row.seed, row.dtype) == (seed, dtype) for row in known):
                continue
            where = Placement(device=found.device, dtype=dtype, threads=found.threads, why="both are compared")
            model = LocalModel(name=MODEL, folder=folder, weights_fingerprint="", placement=where)
            with quiet():
                known.append(trained(model, renderer, parts, seed))
            write_lines(rows, [asdict(row) for row in known])
            click.echo(f"seed {seed}, {dtype}: {np.mean(known[-1].scores):.3f}", err=True)


def section(rows: Sequence[Row]) -> str:
    """Each seed, and all of them, in both formats. A pure function of the rows; empty without both formats of a seed."""
    by = {(row.seed, row.dtype): row for row in rows}
    seeds = [seed for seed in SEEDS if all((seed, dtype) in by for dtype in FORMATS)]
    if not seeds:
        return ""
    pairs = [tuple(by[seed, dtype] for dtype in FORMATS) for seed in seeds]
    lines = [
        (str(seed), *(f"{row.loss:.4f}" for row in pair), *_scored([row.scores for row in pair]))
        for seed, pair in zip(seeds, pairs, strict=True)
    ]
    if len(seeds) > 1:
        means = [np.mean([pair[place].scores for pair in pairs], axis=0).tolist() for place in range(len(FORMATS))]
        lines.append(("all", "", "", *_scored(means)))
    head = ("seed", "loss in float32", "in bfloat16", "right in float32", "in bfloat16", "difference")
    says = (
        f"LoRA on {EXAMPLES} examples of {TASK}, {RECIPE.epochs} epochs, and {len(pairs[0][0].scores)} other examples asked "
        "with it, each in the format that it was trained in; the difference in points with its 95 % interval, "
        "of all over the cases, of which each counts once with the mean of its seeds (`python -m benchmarks.studies.rounding`)."
    )
    made = sorted({f"- {row.machine}, commit {row.commit or 'unknown'}" for row in rows})
    return "\n\n".join(["## Trained in bfloat16", says, markdown(head, lines, range(6)), "\n".join(made)])


def _scored(scores: Sequence[Sequence[float]]) -> tuple[str, ...]:
    exact, rounded = scores
    change = paired_difference(rounded, exact, None)
    difference = f"{change.mean * 100:+.1f} ({change.lower * 100:+.1f} to {change.upper * 100:+.1f})"
    return (*(f"{100 * np.mean(each):.1f} %" for each in scores), difference)


if __name__ == "__main__":
    main()
