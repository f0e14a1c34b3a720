"""Runs the study of faulty data, and writes faults.md from the rows that it left.

`python -m benchmarks.studies.faults run` plants and looks; what is done is not done again. `table` writes the document from the
rows alone. The embedder runs, and no language model.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from advisor.found import find
from benchmarks.models import Models
from benchmarks.studies.faults import detecting, report
from benchmarks.studies.faults.detecting import COPIED, DRAWS, FLIPS, LABELLED, READ, SHARES, Remembering, Row
from benchmarks.studies.settings import ROWS
from benchmarks.workbench import bare

FILE = ROWS / "faults-in-data.jsonl"
DOCUMENT = Path(__file__).parents[1] / "faults.md"
Piece = tuple[Row, Callable[[], Iterator[Row]]]


@click.group(help=__doc__)
def main() -> None: ...


@main.command()
@click.option("--rows", type=click.Path(path_type=Path), default=FILE, help="Where the counts go.")
@click.option("--part", "parts", multiple=True, help="Only this part; can be given several times.")
def run(rows: Path, parts: tuple[str, ...]) -> None:
    """Plant and look, where that is not in the rows yet."""
    spec = find("banking77").spec
    models = Models(spec.models, embedder_spec=spec.embedder)
    done = {key(row) for row in read(rows)}
    with tempfile.TemporaryDirectory() as folder:
        for piece, look in pieces(models, Path(folder)):
            if key(piece) in done or (parts and piece["part"] not in parts):
                continue
            found = [{**piece, **row} for row in look()]
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
    return json.dumps([row.get(name) for name in ("part", "task", "share", "draw", "how", "of")])


def pieces(models: Models, folder: Path) -> Iterator[Piece]:
    """What is planted: who it is, and how it is looked for."""
    for task in COPIED:
        for share in SHARES:
            who: Row = {"task": task, "share": share, "draw": 0}
            yield {"part": "leaks", **who}, partial(_one, detecting.leaks, **who)
            yield {"part": "duplicates", **who}, partial(_one, detecting.duplicates, **who)
    for task, shares in READ.items():
        for share in shares:
            who = {"task": task, "share": share, "draw": 0}
            yield {"part": "documents", **who}, partial(_one, detecting.contradicted, **who)
    for of, cases in ((300, 50), (300, 100), (500, 100), (3000, 100), (3000, 300)):
        for share in FLIPS:
            drawn: Row = {"share": share, "of": of, "cases": cases}
            yield (
                {"part": "relabelled", "how": cases, **drawn},
                partial(_one, detecting.relabelled, draws=2_000, **drawn),
            )
    yield from _with_embedder(models, folder)


def _with_embedder(models: Models, folder: Path) -> Iterator[Piece]:
    embedder = Remembering(load=lambda: models.embedder)
    bench = bare(replace(models, _embedder=embedder), "", folder)
    for task in LABELLED:
        for share in FLIPS:
            for how in ("any other", "confusable"):
                for draw in range(1 if task == "banking77" else DRAWS):
                    who: Row = {"task": task, "share": share, "draw": draw}
                    look = partial(_one, detecting.flips, **who, embedder=embedder, confusable=how == "confusable")
                    yield {"part": "flips", **who, "how": how}, look
    for task in ("banking77", "sms_spam"):
        for share in SHARES:
            who = {"task": task, "share": share, "draw": 0}
            yield {"part": "worth", **who}, partial(_worth, bench=bench, **who)


def _worth(**who: Any) -> Iterator[Row]:
    for approach, figures in detecting.worth(**who):
        yield {"approach": approach, **figures}


def _one(look: Callable[..., Row], **who: Any) -> Iterator[Row]:
    yield look(**who)


if __name__ == "__main__":
    main()
