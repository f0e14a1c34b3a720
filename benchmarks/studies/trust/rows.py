"""The rows of the study of trust: one committed file for each part, with what was measured of each of its approaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from advisor.experiments.stored import reopen
from benchmarks.checked import (
    Added,
    Agreement,
    Altered,
    ByHeart,
    Changed,
    Coverage,
    Forgetting,
    Grounding,
    Guard,
    Leaks,
    Planted,
    Rebuilds,
    RetrievalQuality,
)
from benchmarks.contract import Evaluation
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.settings import ROWS
from benchmarks.studies.trust.parts import Part, parts

FOLDER = ROWS / "trust"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One candidate's evaluation without its answers: what is told of it here, under the names that it has there."""

    candidate: str
    family: str
    keys: tuple[str, ...]
    groups: tuple[str, ...]
    figure: float
    lower: float
    upper: float
    agreements: tuple[Agreement, ...] = ()
    leaks: Leaks | None = None
    forgetting: Forgetting | None = None
    grounding: Grounding | None = None
    retrieval: RetrievalQuality | None = None
    planted: tuple[Planted, ...] = ()
    rebuilds: Rebuilds | None = None
    changed: Changed | None = None
    added: Added | None = None
    altered: Altered | None = None
    by_heart: ByHeart | None = None
    coverage: Coverage | None = None
    guard: Guard | None = None
    share: float | None = None
    """Of what its adapter learnt, how much it uses; None: it has none, or the row is from before that was kept."""

    @classmethod
    def of(cls, evaluation: Evaluation) -> Checked:
        told = {name: getattr(evaluation, name) for name in cls.__dataclass_fields__ if name != "share"}
        return cls(**told, share=evaluation.chosen.get("share"))

    @property
    def grouped(self) -> Mapping[str, str]:
        """Case -> its group."""
        return dict(zip(self.keys, self.groups, strict=True))


_ROW = TypeAdapter(Checked)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One part: how it was made, and its approaches that answered."""

    part: Part
    made: Mapping[str, Any]
    checked: tuple[Checked, ...]


def file_of(part: Part, folder: Path = FOLDER) -> Path:
    return folder / f"{part.name}.jsonl.gz"


def keep(part: Part, run: Path, made: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Writes the rows of a part from the folder of its finished run."""
    checked = [Checked.of(each) for each in reopen(run).evaluations if each.scores]
    write_lines(file_of(part, folder), [made, *(_ROW.dump_python(each, mode="json") for each in checked)])


def read(folder: Path = FOLDER) -> dict[str, Found]:
    """Name of the part -> what was found, for each that was run. Raises `BadInput` where a file is none of ours."""
    found = {}
    for part in parts():
        if (file := file_of(part, folder)).is_file():
            made, *rows = read_lines(file)
            found[part.name] = Found(part=part, made=made, checked=tuple(map(_ROW.validate_python, rows)))
    return found
