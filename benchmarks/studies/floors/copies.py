"""A task of its own for each floor: the usual examples, and held-out cases other than those that were developed on."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.experiments.comparison import Wishes, prepare
from benchmarks.data.assemble import Assembly
from benchmarks.data.split import grouped, overlapping
from benchmarks.review.lineage import FILE as LINEAGE
from benchmarks.review.lineage import Changes, Lineage
from benchmarks.review.review_sheets import Material
from benchmarks.review.reviewed import Reviewed, write_copy
from benchmarks.studies.floors.goals import ALIKE, EXAMPLES, MOST, SEEN
from benchmarks.studies.peers.arms import SEEDS
from strategies.contract import Case

COUNTS = "counts.json"


@dataclass(frozen=True, kw_only=True)
class Rest:
    """What a floor is checked on."""

    known: Assembly
    """That which was developed on."""
    examples: tuple[Case, ...]
    heldout: tuple[Case, ...]
    left: int
    """Held-out cases that no study asks a language model; `heldout` is a sample of them."""
    near: int
    """Of `heldout`, those that are nearly one of the cases that were developed on, or that were asked before."""

    @property
    def counts(self) -> Mapping[str, int]:
        return {"left": self.left, "near": self.near}


def rest(task: str, examples: int = EXAMPLES, seen: int = SEEN, most: int = MOST, *, second: bool = False) -> Rest:
    """The examples that were developed on, with others in the place of those that are nearly a case that is asked, and a seeded
    sample of the held-out cases that no study asks a language model; for a `second` check, of what the first one left."""
    samples = [prepare(task, Wishes(examples=examples, heldout=seen, seed=seed)) for seed in SEEDS.get(task, (0,))]
    known, whole = samples[0].assembly, prepare(task, Wishes()).assembly
    looked_at = [case for sample in samples for case in sample.assembly.benchmark.heldout]
    ids, texts = {case.id for case in looked_at}, {case.input for case in looked_at}
    others = [case for case in whole.benchmark.heldout if case.id not in ids and case.input not in texts]
    drawn = sampled(task, others, most)
    if second:
        looked_at += drawn
        asked = {case.input for case in drawn}
        others = [case for case in others if case.input not in asked]
        drawn = sampled(task, others, most)
    return Rest(
        known=known,
        examples=filled(task, known.benchmark.task.examples, whole.benchmark.task.examples, drawn, examples),
        heldout=drawn,
        left=len(others),
        near=len(overlapping(looked_at, drawn).heldout),
    )


def sampled(task: str, cases: Sequence[Case], most: int) -> tuple[Case, ...]:
    """A seeded sample with at most `ALIKE` cases of each group of near-duplicates: what a larger one adds is mostly the weight
    of its largest group, which widens every interval."""
    marked = list(grouped(cases))
    random.Random(f"floors {task}").shuffle(marked)
    taken: Counter[str] = Counter()
    chosen: list[Case] = []
    for case in marked:
        name = case.group or f"\0{case.id}"
        if len(chosen) < most and taken[name] < ALIKE:
            taken[name] += 1
            chosen.append(case)
    return tuple(chosen)


def filled(
    task: str, known: Sequence[Case], others: Sequence[Case], heldout: Sequence[Case], size: int
) -> tuple[Case, ...]:
    """`known`, and so many of `others`, none of which is nearly a held-out case, that `size` are left where those that are
    nearly one of `heldout` have been left out, as every run does."""
    overlap, ids = overlapping(known, heldout), {case.id for case in known}
    left = len(ids - overlap.same - overlap.near)
    more = [case for case in others if case.id not in ids]
    random.Random(f"floors {task}").shuffle(more)
    return (*known, *more[: max(0, size - left)])


def write(found: Rest, folder: Path) -> Path:
    """The task.yaml in the folder, with its data and the counts beside it."""
    task = found.known.benchmark.task
    outputs = {case.output for case in (*found.examples, *found.heldout)}
    material = Material(
        kind=task.kind,
        labels=task.labels,
        examples=found.examples,
        heldout=found.heldout,
        documents=task.documents,
        labels_given=outputs <= set(task.labels),
    )
    nothing = Changes(rows=0, corrected=0, left_out=0)
    lineage = Lineage(task=task.name, source="", data="", examples=nothing, heldout=nothing)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COUNTS).write_text(json.dumps(found.counts), encoding="utf-8")
    copy = Reviewed(examples=found.examples, heldout=found.heldout, lineage=lineage, listed=0)
    write_copy(copy, found.known, material, folder)
    (folder / LINEAGE).unlink()  # It is no copy that somebody reviewed.
    return folder / "task.yaml"
