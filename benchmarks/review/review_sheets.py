"""Sheets for a person to go through before a run: rows that may be wrong, and held-out cases to label once more."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from benchmarks.audit.by_meaning import Alike
from benchmarks.audit.doubts import Doubt
from benchmarks.audit.file_findings import exclude_each_other, spelt_apart, without_input
from benchmarks.audit.missing_values import missing_inputs, missing_labels
from benchmarks.audit.text_quality import broken_encoding, held_by, placeholders, unwritten
from benchmarks.audit.text_shape import cut_off, other_languages
from benchmarks.contract import Metric
from benchmarks.data.assemble import Assembly, Loaded
from benchmarks.data.similar import normalised
from benchmarks.data.split import alike, overlapping
from benchmarks.metrics import load
from benchmarks.metrics._base import is_label
from benchmarks.review.sheets import write_sheet
from strategies.contract import Case, Document, Kind

REVIEW, SAMPLE = "review.csv", "sample.csv"
TOGETHER = "together"
REVIEW_COLUMNS = ("part", "id", "why", "like", "input", "output", "perhaps", "corrected", TOGETHER, "leave out")
LABELLED_COLUMNS, JUDGED_COLUMNS = ("id", "input", "label"), ("id", "input", "output", "right", "corrected")
Side = Literal["example", "held-out case"]
_SHOWN_IDS = 3


@dataclass(frozen=True, kw_only=True)
class Material:
    """The data as it was read, each case on the side that it has in a run."""

    kind: Kind
    labels: tuple[str, ...]
    examples: tuple[Case, ...]
    heldout: tuple[Case, ...]
    documents: tuple[Document, ...]
    labels_given: bool = True
    """Whether the task names its labels; else they were taken from its examples."""
    schema: Mapping[str, Any] | None = None
    exact: Metric = field(default_factory=lambda: load("exact_match"))
    """By which answers that are no labels are told apart: the task's own where that is `exact_match`."""

    @classmethod
    def of(cls, assembly: Assembly, data: Loaded) -> Material:
        held = set(assembly.parts.heldout)
        cut = data.heldout is None
        task = assembly.benchmark.task
        return cls(
            kind=task.kind,
            labels=task.labels,
            examples=tuple(case for case in data.examples if not cut or case.id not in held),
            heldout=tuple(case for case in data.examples if case.id in held) if cut else data.heldout or (),
            documents=data.documents,
            labels_given=assembly.labels_given,
            schema=task.schema,
            exact=assembly.benchmark.metric if assembly.benchmark.metric.name == "exact_match" else load("exact_match"),
        )

    @cached_property
    def choices(self) -> frozenset[str]:
        """What may be written as a label: those of the task and those that only held-out cases have. None without labels."""
        return frozenset((*self.labels, *(case.output for case in self.heldout))) if self.labels else frozenset()

    def accepts(self, case: Case, text: str) -> bool:
        """Whether the text is a right answer of the case: its label, or what `exact_match` takes for the same."""
        if self.labels:
            return is_label(case, text)
        return text in case.accepted or self.exact.score(case, text) == 1.0

    def sides(self) -> Iterator[tuple[Side, tuple[Case, ...]]]:
        yield "example", self.examples
        yield "held-out case", self.heldout


@dataclass(kw_only=True)
class Concern:
    """One row to look at, and all that speaks against it."""

    side: Side
    case: Case
    why: list[str] = field(default_factory=list)
    like: list[str] = field(default_factory=list)
    """Ids of rows that it resembles: the first ones, and one more than is shown where there are more."""
    perhaps: str = ""

    def row(self) -> tuple[str, ...]:
        like = " ".join(self.like[:_SHOWN_IDS]) + (" ..." if len(self.like) > _SHOWN_IDS else "")
        why = "; ".join(self.why)
        return (self.side, self.case.id, why, like, self.case.input, self.case.output, self.perhaps, "", "", "")


def concerns(material: Material, suspected: Sequence[Doubt | Alike]) -> list[Concern]:
    """One for each row with something to look at: what contradicts first, then doubted labels, texts, leaks, copies, rows of one
    meaning and personal data.

    Held-out labels are not doubted by a model: correcting those alone with which one approach disagrees would favour it.
    """
    groups = {side: _alike(cases) for side, cases in material.sides()}
    found: dict[tuple[str, str], Concern] = {}

    def of(side: Side, case: Case) -> Concern:
        return found.setdefault((side, case.id), Concern(side=side, case=case))

    for side, group in ((side, group) for side, several in groups.items() for group in several):
        if material.kind != "generation" and exclude_each_other(group):
            for case in group:
                of(side, case).why.append("rows like it have another output")
    for doubt in (each for each in suspected if isinstance(each, Doubt)):
        concern = of("example", doubt.case)
        concern.why.append("the label is doubted")
        concern.perhaps = doubt.perhaps
    rows = [(side, case) for side, cases in material.sides() for case in cases]
    spelt = spelt_apart([case for _, case in rows], material.labels) if material.labels else {}
    for side, case in rows:
        if case.output in spelt:
            concern = of(side, case)
            concern.why.append("another label differs by capitals or spaces only")
            concern.perhaps = concern.perhaps or spelt[case.output]
    sides = {id(case): side for side, case in rows}
    for why, several in _odd_texts([case for _, case in rows], material):
        for case in several:
            of(sides[id(case)], case).why.append(why)
    leaks = overlapping(material.examples, material.heldout)
    for case in material.examples:
        if case.id in leaks.same:
            of("example", case).why.append("the input of a held-out case: left out of every run")
        elif case.id in leaks.near:
            of("example", case).why.append("nearly the input of a held-out case")
        elif case.id in leaks.reworded:
            of("example", case).why.append("the words and the answer of a held-out case: stays unless you take it out")
    for side, group in ((side, group) for side, several in groups.items() for group in several):
        inputs = [normalised(case.input) for case in group]
        times = Counter(inputs)
        for case, text in zip(group, inputs, strict=True):
            concern = of(side, case)
            concern.why.append("a copy" if times[text] > 1 else "nearly a copy")
            concern.like = [other.id for other in group[: _SHOWN_IDS + 2] if other is not case]
    known = {(side, case.id): case for side, case in rows}
    for alike_one in (each for each in suspected if isinstance(each, Alike)):
        side = "held-out case" if alike_one.held_out else "example"
        concern = of(side, known[side, alike_one.id])
        concern.why.append(alike_one.why)
        concern.like += [name for name in alike_one.like if name not in concern.like]
    for side, case in rows:
        if kinds := held_by(case):
            of(side, case).why.append(f"seems to hold {', '.join(kinds)}")
    return list(found.values())


def _odd_texts(cases: Sequence[Case], material: Material) -> Iterator[tuple[str, list[Case]]]:
    """Why single texts are to be looked at, as findings say it of both sides together, and which."""
    kind = material.kind
    yield "characters that a wrong encoding makes", broken_encoding(cases)
    taken = bool(material.labels) and not material.labels_given
    odd = unwritten(cases) if taken else placeholders(cases, kind, material.labels, material.schema)
    yield "looks like a placeholder, or holds one", odd
    yield "an empty input", without_input(cases)
    yield "an input like a missing value", missing_inputs(cases)
    yield "a label like a missing value", missing_labels(cases) if material.labels else []
    yield "looks as if something was cut", cut_off(cases, kind)
    for part, main, others in other_languages(cases, kind):
        yield f"the {part} seems to be in another language than {main}", others


def _alike(cases: Sequence[Case]) -> list[list[Case]]:
    return [[cases[place] for place in members] for members in alike(cases) if len(members) > 1]


def write_sheets(material: Material, suspected: Sequence[Doubt | Alike], folder: Path, seed: int) -> None:
    """Writes the sheets that are not there yet: what a person has filled in stays.

    The held-out cases of the sample stand in random order, so that whoever goes through the first so many goes through a random
    sample; without their labels, so that nobody is led by these. Answers that are no labels are shown: of two that are worded
    otherwise both may be right.
    """
    if not (folder / REVIEW).exists():
        write_sheet(folder / REVIEW, REVIEW_COLUMNS, (each.row() for each in concerns(material, suspected)))
    if not (folder / SAMPLE).exists():
        cases = drawn(material.heldout, seed)
        shown = [(each.id, each.input, *(("",) if material.labels else (each.output, "", ""))) for each in cases]
        write_sheet(folder / SAMPLE, sample_columns(material), shown)


def sample_columns(material: Material) -> tuple[str, ...]:
    """What a person fills in: a label, or whether the answer that stands there is right."""
    return LABELLED_COLUMNS if material.labels else JUDGED_COLUMNS


def drawn(heldout: Sequence[Case], seed: int) -> list[Case]:
    """The held-out cases in the random order of the sample: the first so many are a random sample of all."""
    cases = list(heldout)
    random.Random(f"relabel {seed}").shuffle(cases)
    return cases
