"""Runs the study of planted faults, and writes faults.md from the rows that it left.

`python -m benchmarks.studies.faults run` plants and looks; what is done is not done again. `run --no-model` leaves out what takes
a language model, which is minutes for each row. `table` writes the document from the rows alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from advisor.experiments.found import find
from benchmarks.data.assemble import Limits
from benchmarks.running.models import Models
from benchmarks.running.workbench import bare
from benchmarks.studies.faults import detecting, grid, report, rewordings, templates, tuning, verdicts
from benchmarks.studies.faults.detecting import COPIED, DRAWS, FLIPS, LABELLED, READ, SHARES, Remembering, Row
from benchmarks.studies.settings import ROWS, commit
from strategies.contract import Strategy
from strategies.selection import PipelineBuilder

FILE = ROWS / "faults-in-data.jsonl"
DOCUMENT = Path(__file__).parents[1] / "faults.md"
LEARNT, READING = "support-intents", "handbook-qa"
"""The tasks of what takes a language model: one to be learnt, one with documents to read."""
SEEDS = 3
GRID = "grid"
GRID_TOKENS = 120_000
"""Budget of each approach that chooses: that of `--effort standard`."""
Piece = tuple[Row, Callable[[], Iterator[Row]]]


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the counts go.")
@click.option("--part", "parts", multiple=True, help="Only this part; can be given several times.")
@click.option("--model/--no-model", default=True, help="Whether a language model is asked too.")
def run(rows: Path, parts: tuple[str, ...], model: bool) -> None:
    """Plant and look, where that is not in the rows yet."""
    done, begun_by = {key(row) for row in read(rows)}, commit()
    with tempfile.TemporaryDirectory() as folder:
        for piece, look in pieces(Ground.of_the_product(Path(folder)), model):
            if key(piece) in done or (parts and piece["part"] not in parts):
                continue
            found = [{**piece, **row, "commit": begun_by} for row in look()]
            with rows.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in found)
            click.echo(f"{' '.join(map(str, piece.values()))}: {found}")


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="The counts.")
@click.option("--out", type=click.Path(path_type=Path), default=DOCUMENT, help="The document.")
def table(rows: Path, out: Path) -> None:
    """Write the document."""
    out.write_text(report.document(read(rows)), encoding="utf-8")


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def key(row: Row) -> str:
    names = ("part", "task", "share", "draw", "how", "of")
    return json.dumps([row.get(name) for name in (*names, *(["approach"] if row["part"] == GRID else []))])


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The models that the pieces share, and where they may write."""

    models: Models
    embedder: Remembering
    folder: Path
    unshared: Models
    """With the embedder itself, which one approach trains."""

    @classmethod
    def of_the_product(cls, folder: Path) -> Ground:
        """With the default models; none is loaded before it is asked."""
        spec = find(LEARNT).spec
        models = Models(spec.models, embedder_spec=spec.embedder)
        embedder = Remembering(load=lambda: models.embedder)
        return cls(models=replace(models, _embedder=embedder), embedder=embedder, folder=folder, unshared=models)

    def lab(self, task: str, name: str, limits: Limits | None = None) -> tuning.Lab:
        folder = self.folder / name.replace(" ", "-")
        return tuning.Lab(assembly=find(task).assembled(limits), models=self.models, folder=folder)


def pieces(ground: Ground, model: bool = True) -> Iterator[Piece]:
    """What is planted: who it is, and how it is looked for."""
    yield from _copies()
    yield from _reworded(ground)
    yield from _documents()
    yield from _relabelled()
    yield from _flips(ground)
    yield from _worth_and_verdicts(ground)
    yield from _templates(ground)
    yield from _grid(ground, grid.cells(), grid.quick())
    if model:
        yield from _with_the_model(ground)


def _copies() -> Iterator[Piece]:
    for task in COPIED:
        for share in SHARES:
            who: Row = {"task": task, "share": share, "draw": 0}
            yield {"part": "leaks", **who}, partial(_one, detecting.leaks, **who)
            yield {"part": "duplicates", **who}, partial(_one, detecting.duplicates, **who)
            twice = partial(_one, detecting.duplicates, held_out=True, **who)
            yield {"part": "held-out duplicates", **who}, twice


def _reworded(ground: Ground) -> Iterator[Piece]:
    for task, shares in rewordings.PLANTED.items():
        for share in shares:
            who: Row = {"task": task, "share": share, "draw": 0}
            yield {"part": "reworded", **who}, partial(_one, rewordings.reworded, embedder=ground.embedder, **who)


def _documents() -> Iterator[Piece]:
    for task, shares in READ.items():
        for share in shares:
            who: Row = {"task": task, "share": share, "draw": 0}
            yield {"part": "documents", **who}, partial(_one, detecting.contradicted, **who)


def _relabelled() -> Iterator[Piece]:
    for of, cases in ((300, 50), (300, 100), (500, 100), (500, 300), (3000, 100), (3000, 300)):
        for share in FLIPS:
            drawn: Row = {"share": share, "of": of, "cases": cases}
            look = partial(_one, detecting.relabelled, draws=2_000, **drawn)
            yield {"part": "relabelled", "how": cases, **drawn}, look


def _flips(ground: Ground) -> Iterator[Piece]:
    for task in LABELLED:
        for share in FLIPS:
            for how in ("any other", "confusable"):
                for draw in range(1 if task == "banking77" else DRAWS):
                    who: Row = {"task": task, "share": share, "draw": draw}
                    asked = {"embedder": ground.embedder, "confusable": how == "confusable"}
                    yield {"part": "flips", **who, "how": how}, partial(_one, detecting.flips, **who, **asked)


def _worth_and_verdicts(ground: Ground) -> Iterator[Piece]:
    bench = bare(ground.models, "", ground.folder)
    for task in ("banking77", "sms_spam"):
        for share in SHARES:
            who: Row = {"task": task, "share": share, "draw": 0}
            yield {"part": "worth", **who}, partial(_worth, bench=bench, **who)
    for task in verdicts.HELDOUT:
        for how in verdicts.faults(task):
            asked: Row = {"task": task, "draw": 0}
            yield {"part": "verdict", **asked, "how": how}, partial(verdicts.claims, how=how, bench=bench, **asked)
    poisoned: Row = {"task": READING, "draw": 0}
    yield {"part": "poisoned, checked", **poisoned}, partial(verdicts.named_by_the_check, bench=bench, **poisoned)


def _templates(ground: Ground) -> Iterator[Piece]:
    for how in templates.CHANGES:
        yield {"part": "template", "how": how}, partial(_template, ground, how)


def _with_the_model(ground: Ground) -> Iterator[Piece]:
    small = Limits(examples=tuning.SPOILT_ON, heldout=60)
    for how in (*tuning.SPOILT, *tuning.RATES):
        part = "dead adapter" if how in tuning.SPOILT else "divergence"
        yield {"part": part, "how": how}, partial(_spoilt, ground, how, small)
    for how in tuning.TRAININGS:
        for seed in range(SEEDS):
            yield {"part": "trained", "how": how, "draw": seed}, partial(_trained, ground, how, seed)
    yield {"part": "poisoned, asked"}, lambda: tuning.poisoned(ground.lab(READING, "poisoned"))
    yield from _grid(ground, grid.slow_cells(), grid.slow())


def _grid(ground: Ground, cells: Iterable[grid.Cell], strategies: Sequence[Strategy]) -> Iterator[Piece]:
    for cell in cells:
        for strategy in strategies:
            yield {"part": GRID, "approach": strategy.name, **asdict(cell)}, partial(_grown, ground, cell, strategy)


def _grown(ground: Ground, cell: grid.Cell, strategy: Strategy) -> Iterator[Row]:
    models = ground.models if strategy in grid.quick() else ground.unshared
    bench = replace(
        bare(models, models.names[0] if strategy.needs else "", Path(tempfile.mkdtemp(dir=ground.folder))),
        tuning_tokens=GRID_TOKENS,
    )
    yield grid.figure(cell, strategy, bench)


def _template(ground: Ground, how: str) -> Iterator[Row]:
    place = templates.place_of(how, ground.folder)
    builder: PipelineBuilder = ground.lab(LEARNT, "template").builder
    return templates.refused(templates.Fit.of(builder, place / "fit"), how, place / "model")


def _spoilt(ground: Ground, how: str, limits: Limits) -> Iterator[Row]:
    return tuning.spoilt(ground.lab(LEARNT, f"spoilt {how}", limits), how)


def _trained(ground: Ground, how: str, seed: int) -> Iterator[Row]:
    return tuning.trained(ground.lab(LEARNT, f"trained {how} {seed}"), how, seed)


def _worth(**who: Any) -> Iterator[Row]:
    for approach, figures in detecting.worth(**who):
        yield {"approach": approach, **figures}


def _one(look: Callable[..., Row], **who: Any) -> Iterator[Row]:
    yield look(**who)


if __name__ == "__main__":
    main()
