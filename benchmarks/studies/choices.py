"""Which ways to train pay? Each is set against the plain one on the same selection cases; no held-out case is looked at.

A training that is done is not run again. Every process keeps to one thread, so that two can run at a time.

    python -m benchmarks.studies.choices run banking77
    python -m benchmarks.studies.choices table
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from advisor.wording import listed
from benchmarks.contract import BadInput
from benchmarks.running.workbench import Bench, NoJournal
from benchmarks.statistics.confidence import paired_difference
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.markdown import table as markdown
from benchmarks.studies.settings import ROWS, commit
from strategies.approaches.prompting import Prompting
from strategies.contract import Case, Evidence, Fold, Query, Recipe, Task, TrainingRow, Workbench
from strategies.finding import modes
from strategies.finetuning.race import TrainingData, rows_of, train
from strategies.models.measured import machine
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.demonstrations import Shown, drawn
from strategies.prompting.rendering import Form
from strategies.selection import PipelineBuilder

FOLDER = ROWS / "choices"
DOCUMENT = Path(__file__).parent / "choices.md"
EXAMPLES, CASES, SEEDS = 240, 150, (0, 1, 2)
RECIPE = Recipe(epochs=4, learning_rate=2e-3)
"""The rate of three of the six recipes of the race; with half of it such short trainings are far from their end (LOG.md)."""
PLAIN = "as it is"
SEARCH_TOKENS = 300_000
"""Of the search for a prompt that is then tuned."""
SMOOTHED = 0.1
WITHOUT = 0.2
"""Share of the examples that are taught with passages of which none holds the answer (RAFT, arXiv 2403.10131)."""
PASSAGES, DEEP = 3, 20
"""Shown with each question, and looked at for distractors."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What is done in another way than the plain one."""

    name: str
    recipe: Recipe = RECIPE
    instructed: bool = True
    searched: bool = False
    """The best prompt of a search over forms and examples is what is tuned."""
    adapter: Mapping[str, Any] = field(default_factory=dict)
    """Settings of peft's adapter that the product's own training does not have."""
    repeated: bool = False
    """Examples of rare labels are repeated until every label has as many."""
    without: float = 0.0
    """Share of the examples whose passages do not hold the answer."""


WAYS = (
    Way(name=PLAIN),
    Way(name="no instruction", instructed=False),
    Way(name="the searched prompt", searched=True),
    Way(name="four times the scale", recipe=replace(RECIPE, alpha=128)),
    Way(name="rsLoRA", adapter={"use_rslora": True}, recipe=replace(RECIPE, learning_rate=1e-3)),
    Way(name="DoRA", adapter={"use_dora": True}),
    Way(name="labels smoothed", recipe=replace(RECIPE, smoothing=SMOOTHED)),
    Way(name="rare labels repeated", repeated=True),
    Way(name="a fifth without the passage", without=WITHOUT),
)
TASKS: Mapping[str, Sequence[str]] = {
    "banking77": tuple(way.name for way in WAYS[:7]),
    "snips_slots": tuple(way.name for way in WAYS[:7]),
    "sms_spam": (PLAIN, "four times the scale", "rare labels repeated"),
    "nq_open_oracle": (PLAIN, "four times the scale", "a fifth without the passage"),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One training: its last loss, the score of each selection case, and the tokens of a request."""

    way: str
    seed: int
    loss: float
    scores: tuple[float, ...]
    request_tokens: float
    seconds: float
    commit: str = field(default_factory=commit)
    machine: str = field(default_factory=machine)


# ---------------------------------------------------------------- one training


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The task with what is trained on as the training part of its fold, and what is asked as the selection part."""

    task: Task
    bench: Workbench

    def trained(self, way: Way) -> Row:
        """Trains in this way and asks the cases."""
        begun_by, start, fold = commit(), time.perf_counter(), self.task.folds[0]
        task = self.task if way.instructed else replace(self.task, instruction="")
        builder = PipelineBuilder(task, self.bench, calibrates=False)
        pipeline = builder.build(self._setup(way, builder), fold.train)
        lessons = repeated(fold.train) if way.repeated else fold.train
        rows = rows_without(pipeline, lessons, way.without) if way.without else rows_of(pipeline, lessons)
        with _trained_otherwise(way):
            done = train(self.bench, TrainingData(rows, ()), way.recipe)
        look = builder.examine(replace(pipeline, adapter=done.folder), fold.selection)
        asked = pipeline.requests([Query.of(case.input) for case in fold.selection])
        return Row(
            way=way.name,
            seed=self.bench.seed,
            loss=done.losses[-1],
            scores=look.scores,
            request_tokens=float(np.mean([self.bench.model.count(request.prompt) for request in asked])),
            seconds=time.perf_counter() - start,
            commit=begun_by,
        )

    def _setup(self, way: Way, builder: PipelineBuilder) -> Setup:
        if way.searched:
            return self._searched()
        setup = Setup(form=Form())
        return replace(setup, passages=PASSAGES, mode=modes(builder)[0]) if self.task.documents else setup

    def _searched(self) -> Setup:
        """The prompt that does best on a quarter of the examples; those that are asked have no part in it."""
        examples = drawn(self.task.folds[0].train, 0)
        cut = len(examples) // 4
        fold = Fold(train=tuple(examples[cut:]), selection=tuple(examples[:cut]))
        fitted = Prompting().fit(replace(self.task, folds=(fold,)), self.bench)
        if not isinstance(fitted, Pipeline):
            raise TypeError(f"prompting gave {type(fitted).__name__}")
        return replace(fitted.setup, calibration=0.0)


def repeated(cases: Sequence[Case]) -> list[Case]:
    """The cases, those of rare labels as often as makes every label as frequent as the most frequent one, about."""
    counts = Counter(case.output for case in cases)
    most = max(counts.values())
    return [case for case in cases for _ in range(round(most / counts[case.output]))]


def rows_without(pipeline: Pipeline, cases: Sequence[Case], share: float) -> list[TrainingRow]:
    """Training rows; those of a seeded share of the cases show passages of which none holds the answer."""
    index, setup, tell = pipeline.sources.index, pipeline.setup, pipeline.sources.founded(pipeline.task)
    if index is None:
        raise ValueError(f"{pipeline.task.name} has no documents")
    bare = {case.id for case in drawn(cases, pipeline.seed)[: round(share * len(cases))]}
    found = index.search([case.input for case in cases], DEEP, setup.mode)
    rows = []
    for case, row, had in zip(cases, rows_of(pipeline, cases), found, strict=True):
        if case.id in bare:
            row = replace(
                row, prompt=pipeline.renderer.request(case.input, (), _others(case, had, tell)[: setup.passages])
            )
        rows.append(row)
    return rows


def _others(case: Case, found: Sequence[Evidence], tell: Any) -> list[Evidence]:
    return [each for each in found if not tell(Shown(case, (each,)))]


@contextmanager
def _trained_otherwise(way: Way) -> Iterator[None]:
    """What the product's own training does not offer, put in its place for one training."""
    import peft

    with patch.object(peft, "LoraConfig", partial(peft.LoraConfig, **way.adapter)) if way.adapter else nullcontext():
        yield


# ---------------------------------------------------------------- all of them


def file_of(name: str, folder: Path) -> Path:
    return folder / f"{name}.jsonl.gz"


def read(file: Path) -> list[Row]:
    """The trainings that are done."""
    return [Row(**{**row, "scores": tuple(row["scores"])}) for row in read_lines(file)] if file.is_file() else []


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(tuple(TASKS)))
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="Where the rows go.")
def run(names: Sequence[str], rows: Path) -> None:
    """Train what is missing on each of NAMES, by default all tasks."""
    from strategies.models.quiet import quiet

    for name in names or tuple(TASKS):
        try:
            with quiet():
                for row in missing(name, file_of(name, rows)):
                    click.echo(
                        f"{name}, seed {row.seed}, {row.way}: {np.mean(row.scores):.3f}, {row.seconds:.0f} s", err=True
                    )
        except BadInput as error:
            raise click.ClickException(str(error)) from error


def missing(name: str, file: Path) -> Iterator[Row]:
    """Trains what is not in the file yet, one after the other, and writes each there as it ends."""
    from advisor.experiments.comparison import Wishes, prepare

    prepared = prepare(name, Wishes(examples=EXAMPLES + CASES))
    cases = drawn(prepared.assembly.benchmark.task.examples, 0)
    fold = Fold(train=tuple(cases[:EXAMPLES]), selection=tuple(cases[EXAMPLES:]))
    task, models = replace(prepared.assembly.benchmark.task, folds=(fold,)), prepared.models.for_worker(1, 1)
    known = read(file)
    for seed in SEEDS:
        for way in WAYS:
            if way.name not in TASKS[name] or any((row.way, row.seed) == (way.name, seed) for row in known):
                continue
            with tempfile.TemporaryDirectory() as folder:
                bench = Bench(
                    models=models,
                    model_name=models.names[0],
                    seed=seed,
                    tuning_tokens=SEARCH_TOKENS,
                    journal=NoJournal(),
                    folder=Path(folder),
                    on_progress=lambda done, total, what: None,
                )
                known.append(Ground(task=task, bench=bench).trained(way))
            file.parent.mkdir(parents=True, exist_ok=True)
            write_lines(file, [asdict(row) for row in known])
            yield known[-1]


# ---------------------------------------------------------------- the document


@main.command(name="table")
@click.option("--rows", type=click.Path(path_type=Path), default=FOLDER, help="Where the rows lie.")
@click.option("--into", type=click.Path(path_type=Path), default=DOCUMENT, help="The document.")
def table_command(rows: Path, into: Path) -> None:
    """Write the document from the rows alone."""
    into.write_text(document({name: read(file_of(name, rows)) for name in TASKS}), encoding="utf-8")


SAYS = f"""LoRA on {EXAMPLES} examples, {RECIPE.epochs} epochs, and {CASES} other examples asked with it; no held-out case is
looked at. Each way is set against the plain one with the same seeds; the difference in points with its 95 % interval, over
the cases, of which each counts once with the mean of its seeds. What another seed would change is not in an interval of one.
Tokens are those of a whole request, seconds include whatever else the machine did. Four times the scale is alpha 128 in place
of 32 at rank 16, the scale that rsLoRA has too; rsLoRA is trained at half the learning rate. Written by
`python -m benchmarks.studies.choices table` from `rows/choices/`."""
BESIDES = """Measured outside of this study, in other ways than here (`LOG.md`): rsLoRA beside plain adapters of its scale (28
November 2026), labels smoothed, which is how labels are trained since, and lessons without the passage (both 1 December)."""


def document(found: Mapping[str, Sequence[Row]]) -> str:
    """A pure function of the rows."""
    head = ("task", "way", "seeds", "right", "difference", "tokens", "seconds")
    lines = [line for name, rows in found.items() for line in _lines(name, rows)]
    made = sorted({f"- {row.machine}, commit {row.commit or 'unknown'}" for rows in found.values() for row in rows})
    parts = ["# Which ways to train pay?", SAYS, markdown(head, lines, range(2, 7))]
    if left := [f"- {name}: {told}" for name, rows in found.items() if (told := _not_run(name, rows))]:
        parts += ["\n".join(["Not run yet:", "", *left])]
    return "\n\n".join([*parts, BESIDES, "\n".join(made)]) + "\n"


def _not_run(name: str, rows: Sequence[Row]) -> str:
    """The ways of the task that lack seeds, and which; empty where nothing is missing."""
    done, lacking = {(row.way, row.seed) for row in rows}, dict[tuple[int, ...], list[str]]()
    for way in TASKS[name]:
        lacking.setdefault(tuple(seed for seed in SEEDS if (way, seed) not in done), []).append(way)
    lacking.pop((), None)
    return "; ".join(f"{_told(seeds)} of {listed(ways)}" for seeds, ways in lacking.items())


def _told(seeds: Sequence[int]) -> str:
    if seeds == SEEDS:
        return "every seed"
    return f"seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in seeds])}"


def _lines(name: str, rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    by = {way: {row.seed: row for row in rows if row.way == way} for way in TASKS[name]}
    for way, mine in by.items():
        seeds = [seed for seed in SEEDS if seed in mine and seed in by[PLAIN]]
        if not seeds:
            continue
        scores, plain = (np.mean([each[seed].scores for seed in seeds], axis=0) for each in (mine, by[PLAIN]))
        difference = ""
        if way != PLAIN:
            change = paired_difference(scores.tolist(), plain.tolist(), None)
            difference = f"{change.mean * 100:+.1f} ({change.lower * 100:+.1f} to {change.upper * 100:+.1f})"
        tokens, seconds = (
            np.mean([getattr(mine[seed], part) for seed in seeds]) for part in ("request_tokens", "seconds")
        )
        yield name, way, str(len(seeds)), f"{100 * scores.mean():.1f} %", difference, f"{tokens:.0f}", f"{seconds:.0f}"


if __name__ == "__main__":
    main()
