"""The lowest rung: always the most frequent answer of the examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from strategies.contract import (
    Case,
    Family,
    Fitted,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
    Workbench,
)
from strategies.fields import ABSENT, is_object, most_frequent, nested
from strategies.standalone.alone import CONSTANT


@dataclass(frozen=True)
class Constant:
    """One answer for every query."""

    text: str

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            yield query.key, Prediction(text=self.text, usage=(Usage(model="", step="answering"),))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONSTANT).write_text(json.dumps({"text": self.text}, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {"answer": self.text}


def commonest(cases: Sequence[Case], kind: str) -> str:
    """The most frequent output; for JSON objects the most frequent value of each field, which may be that there is none."""
    if kind == "extraction" and all(map(is_object, cases)):
        objects = [json.loads(case.output) for case in cases]
        names = dict.fromkeys(name for row in objects for name in row)
        columns = {name: [json.dumps(row[name]) if name in row else ABSENT for row in objects] for name in names}
        best = {name: most_frequent(values) for name, values in columns.items()}
        return json.dumps(nested({(name,): value for name, value in best.items()}), ensure_ascii=False)
    return most_frequent([case.output for case in cases])


@dataclass(frozen=True, kw_only=True)
class Majority:
    """What a program reaches that has not read the input."""

    name: ClassVar[str] = "majority"
    says: ClassVar[str] = "always gives the most frequent answer of the examples: what anything else has to beat"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 0

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        return Constant(commonest(task.examples, task.kind))

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return Constant(json.loads((folder / CONSTANT).read_text(encoding="utf-8"))["text"])

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None


CANDIDATES: tuple[Strategy, ...] = (Majority(),)
