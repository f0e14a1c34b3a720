"""A rung without a language model: logistic regression on sentence embeddings, one head for each thing to decide."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from strategies.approaches.copy_nearest import BATCH
from strategies.approaches.majority import commonest
from strategies.contract import (
    Case,
    Embedder,
    Family,
    Fitted,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Trial,
    Usage,
    Workbench,
)

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse regularisation, chosen by the selection parts."""
FEW = 12
"""A JSON field with at most this many values, each seen twice on average, gets a head of its own."""


@dataclass(frozen=True)
class Head:
    """Weights of shape (classes, dimension) and offsets of shape (classes,)."""

    classes: tuple[str, ...]
    weights: Any
    offsets: Any

    @classmethod
    def fit(cls, vectors: Any, wanted: Sequence[str], strength: float) -> Head:
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        classes = tuple(sorted(set(wanted)))
        if len(classes) == 1:
            return cls(classes, np.zeros((1, vectors.shape[1])), np.zeros(1))
        numbers = {name: place for place, name in enumerate(classes)}
        model = LogisticRegression(C=strength, max_iter=2000)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            model.fit(vectors, np.array([numbers[name] for name in wanted]))
        weights, offsets = model.coef_, model.intercept_
        if len(classes) == 2:
            weights, offsets = np.vstack([-weights / 2, weights / 2]), np.concatenate([-offsets / 2, offsets / 2])
        return cls(classes, weights, offsets)

    def probabilities(self, vectors: Any) -> Any:
        """Array (rows, classes)."""
        import numpy as np

        marks = vectors @ self.weights.T + self.offsets
        odds = np.exp(marks - marks.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)


@dataclass(frozen=True)
class Heads:
    """One head, or for JSON one for each decidable field, the others filled with their most frequent value."""

    embedder: Embedder
    heads: Mapping[str, Head]
    rest: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for first in range(0, len(queries), BATCH):
            part = queries[first : first + BATCH]
            start = time.perf_counter()
            vectors = self.embedder.embed([query.input for query in part])
            shares = {name: head.probabilities(vectors) for name, head in self.heads.items()}
            seconds = (time.perf_counter() - start) / len(part)
            for row, query in enumerate(part):
                usage = (Usage(model=self.embedder.name, step="answering", seconds=seconds),)
                yield query.key, self._prediction({name: share[row] for name, share in shares.items()}, usage)

    def _prediction(self, shares: Mapping[str, Any], usage: tuple[Usage, ...]) -> Prediction:
        if "" in self.heads:
            classes = self.heads[""].classes
            spread = {name: float(share) for name, share in zip(classes, shares[""], strict=True)}
            return Prediction(text=max(spread, key=lambda name: spread[name]), probabilities=spread, usage=usage)
        values = dict(self.rest)
        for name, share in shares.items():
            values[name] = json.loads(self.heads[name].classes[int(share.argmax())])
        return Prediction(text=json.dumps(values, ensure_ascii=False), usage=usage)

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        names = list(self.heads)
        for place, name in enumerate(names):
            head = self.heads[name]
            np.save(folder / f"head-{place}.npy", np.hstack([head.weights, head.offsets[:, None]]), allow_pickle=False)
        manifest = {
            "heads": [{"name": name, "classes": list(self.heads[name].classes)} for name in names],
            "rest": dict(self.rest),
            "record": dict(self.record),
        }
        (folder / "heads.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {"embedder": self.embedder.name, "heads": len(self.heads), **self.record}


def targets(cases: Sequence[Case], kind: str) -> dict[str, list[str]]:
    """What has to be decided: the label (under the empty name), or the JSON fields with few values, as JSON text."""
    if kind == "classification":
        return {"": [case.output for case in cases]}
    rows = [json.loads(case.output) for case in cases]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [json.dumps(row.get(name), ensure_ascii=False) for row in rows] for name in names}
    return {
        name: values
        for name, values in columns.items()
        if len(set(values)) <= FEW and len(values) >= 2 * len(set(values))
    }


@dataclass(frozen=True, kw_only=True)
class LinearHead:
    """Often the cheapest that passes, where there are labels (compare SetFit, arXiv 2209.11055)."""

    name: ClassVar[str] = "linear head"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 3

    def unsuitable(self, task: Task) -> str:
        if task.kind == "classification":
            return ""
        if task.kind == "extraction" and all(case.output.lstrip().startswith("{") for case in task.examples):
            return (
                "" if targets(task.examples, task.kind) else "no field of the answers has few enough values to classify"
            )
        return "a classifier needs answers from a small fixed set"

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        start = time.perf_counter()
        looks = {strength: self._looks(task, bench, strength) for strength in STRENGTHS}
        scores = {strength: sum(row[2] for row in rows) / len(rows) for strength, rows in looks.items()}
        best = max(STRENGTHS, key=lambda strength: scores[strength])
        cases = sum(len(fold.selection) for fold in task.folds)
        for strength, score in scores.items():
            bench.tried(Trial(approach=self.name, configuration={"C": strength}, score=score, cases=cases, tokens=0))
        record = {
            "C": best,
            "selection_score": scores[best],
            "selection_cases": cases,
            "configurations_tried": len(scores),
            "selection_answers": looks[best],
        }
        fitted = self._heads(task.examples, (task.kind, bench.embedder), best, record)
        bench.record(Usage(model=bench.embedder.name, step="search", seconds=time.perf_counter() - start))
        return fitted

    def _looks(self, task: Task, bench: Workbench, strength: float) -> list[list[Any]]:
        """[case id, answer, score] of every selection case."""
        rows: list[list[Any]] = []
        for fold in task.folds:
            fitted = self._heads(fold.train, (task.kind, bench.embedder), strength, {})
            queries = [Query.of(case.input) for case in fold.selection]
            found = dict(fitted.answer(queries, Sampling()))
            for case, query in zip(fold.selection, queries, strict=True):
                outcome = found[query.key]
                text = outcome.text if isinstance(outcome, Prediction) else ""
                rows.append([case.id, text, task.score(case, outcome)])
        return rows

    def _heads(
        self, cases: Sequence[Case], on: tuple[str, Embedder], strength: float, record: Mapping[str, Any]
    ) -> Heads:
        kind, embedder = on
        vectors = embedder.embed([case.input for case in cases])
        heads = {name: Head.fit(vectors, wanted, strength) for name, wanted in targets(cases, kind).items()}
        rest = json.loads(commonest(cases, kind)) if kind == "extraction" else {}
        return Heads(embedder, heads, rest, record)

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        import numpy as np

        manifest = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        heads = {}
        for place, row in enumerate(manifest["heads"]):
            table = np.load(folder / f"head-{place}.npy", allow_pickle=False)
            heads[row["name"]] = Head(tuple(row["classes"]), table[:, :-1], table[:, -1])
        return Heads(bench.embedder, heads, manifest["rest"], manifest["record"])

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None


CANDIDATES: tuple[Strategy, ...] = (LinearHead(),)
