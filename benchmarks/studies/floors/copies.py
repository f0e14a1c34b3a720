"""A task of its own for each floor: the usual examples, and held-out cases other than those that were developed on."""

from __future__ import annotations

import random
from pathlib import Path

from advisor.experiments.comparison import Wishes, prepare
from benchmarks.data.assemble import Assembly
from benchmarks.review.lineage import FILE as LINEAGE
from benchmarks.review.lineage import Changes, Lineage
from benchmarks.review.review_sheets import Material
from benchmarks.review.reviewed import Reviewed, write_copy
from benchmarks.studies.floors.goals import EXAMPLES, MOST, SEEN
from strategies.contract import Case


def rest(task: str, examples: int = EXAMPLES, seen: int = SEEN, most: int = MOST) -> tuple[Assembly, tuple[Case, ...]]:
    """The assembly that was developed on, and a seeded sample of the held-out cases that were not."""
    known = prepare(task, Wishes(examples=examples, heldout=seen)).assembly
    whole = prepare(task, Wishes(examples=examples)).assembly
    looked_at = {case.id for case in known.benchmark.heldout}
    texts = {case.input for case in known.benchmark.heldout}
    others = [case for case in whole.benchmark.heldout if case.id not in looked_at and case.input not in texts]
    return known, tuple(random.Random(f"floors {task}").sample(others, min(most, len(others))))


def write(known: Assembly, heldout: tuple[Case, ...], folder: Path) -> Path:
    """The task.yaml in the folder, with its data beside it."""
    task = known.benchmark.task
    material = Material(
        kind=task.kind,
        labels=task.labels,
        examples=task.examples,
        heldout=heldout,
        documents=task.documents,
        labels_given={case.output for case in heldout} <= set(task.labels),
    )
    nothing = Changes(rows=0, corrected=0, left_out=0)
    lineage = Lineage(task=task.name, source="", data="", examples=nothing, heldout=nothing)
    folder.mkdir(parents=True, exist_ok=True)
    write_copy(Reviewed(examples=task.examples, heldout=heldout, lineage=lineage, listed=0), known, material, folder)
    (folder / LINEAGE).unlink()  # It is no copy that somebody reviewed.
    return folder / "task.yaml"
