"""A rung without a language model: the answer of the most similar example, or the label whose own words are more similar."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from strategies.contract import (
    Embedder,
    Evidence,
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
from strategies.prompting.rendering import is_label, label_cases
from strategies.retrieval.neighbours import Neighbours
from strategies.sources import case_from
from strategies.standalone.alone import EXAMPLES, NEAREST

BATCH = 64
"""Queries that are embedded together."""


@dataclass(frozen=True)
class Copying:
    """Answers with the output of the nearest example, and shows that example's id."""

    neighbours: Neighbours
    embedder: Embedder

    @classmethod
    def of(cls, task: Task, embedder: Embedder) -> Copying:
        """From the examples of the task, and from its labels as examples of themselves."""
        return cls(Neighbours((*task.examples, *label_cases(task.labels)), embedder), embedder)

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for first in range(0, len(queries), BATCH):
            part = queries[first : first + BATCH]
            start = time.perf_counter()
            hits = self.neighbours.nearest([query.input for query in part], 1)
            seconds = (time.perf_counter() - start) / len(part)
            for query, row in zip(part, hits, strict=True):
                case, similarity = row[0]
                usage = Usage(model=self.embedder.name, step="answering", seconds=seconds)
                found = Evidence(document_id=case.id, text=case.input, score=similarity)
                yield query.key, Prediction(text=case.output, evidence=(found,), usage=(usage,))

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / NEAREST, self.neighbours.vectors(), allow_pickle=False)
        rows = [asdict(case) for case in self.neighbours.cases]
        (folder / EXAMPLES).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        examples = sum(not is_label(case) for case in self.neighbours.cases)
        return {"examples": examples, "embedder": self.embedder.name}


@dataclass(frozen=True, kw_only=True)
class CopyNearest:
    """Similarity is the cosine of sentence embeddings."""

    name: ClassVar[str] = "copy nearest"
    says: ClassVar[str] = "gives the answer of the example that is most like the request, without a language model"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 2

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        start = time.perf_counter()
        fitted = Copying.of(task, bench.embedder)
        fitted.neighbours.vectors()
        bench.record(Usage(model=bench.embedder.name, step="index", seconds=time.perf_counter() - start))
        return fitted

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        import numpy as np

        rows = json.loads((folder / EXAMPLES).read_text(encoding="utf-8"))
        cases = tuple(case_from(row) for row in rows)
        stored = np.load(folder / NEAREST, allow_pickle=False)
        return Copying(Neighbours(cases, bench.embedder, stored), bench.embedder)

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self.fit(task, bench)


CANDIDATES: tuple[Strategy, ...] = (CopyNearest(),)
