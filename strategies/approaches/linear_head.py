"""A rung without a language model: logistic regression, on embeddings to decide and on words to copy fields of JSON."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from strategies.answers import sureness
from strategies.approaches.copy_nearest import BATCH
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
from strategies.fields import ABSENT, FieldPath, columns, is_object, nested, plain
from strategies.tagging import Tagger

LABEL: FieldPath = ()
"""In place of a field's path: the label that is the whole answer."""
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse regularisation, chosen by the selection parts."""


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
    """One head for the label; for JSON one for each field that is decided, a tagger for each that is copied."""

    embedder: Embedder
    heads: Mapping[FieldPath, Head]
    taggers: Mapping[FieldPath, Tagger] = field(default_factory=dict)
    rest: Mapping[FieldPath, str] = field(default_factory=dict)
    """JSON text of the fields that are always the same, and of copied ones where nothing is found."""
    record: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for first in range(0, len(queries), BATCH):
            part = queries[first : first + BATCH]
            start = time.perf_counter()
            texts = [query.input for query in part]
            vectors = self.embedder.embed(texts)
            shares = {path: head.probabilities(vectors) for path, head in self.heads.items()}
            copied = {path: tagger.find(texts) for path, tagger in self.taggers.items()}
            seconds = (time.perf_counter() - start) / len(part)
            for row, query in enumerate(part):
                usage = (Usage(model=self.embedder.name, step="answering", seconds=seconds),)
                decided = {path: share[row] for path, share in shares.items()}
                if LABEL in self.heads:
                    yield query.key, self._label(decided[LABEL], usage)
                else:
                    found = {path: values[row] for path, values in copied.items()}
                    yield query.key, Prediction(text=self._json(decided, found), usage=usage)

    def _label(self, shares: Any, usage: tuple[Usage, ...]) -> Prediction:
        spread = {name: float(share) for name, share in zip(self.heads[LABEL].classes, shares, strict=True)}
        return Prediction(text=max(spread, key=lambda name: spread[name]), probabilities=spread, usage=usage)

    def _json(self, decided: Mapping[FieldPath, Any], copied: Mapping[FieldPath, Any]) -> str:
        values = dict(self.rest)
        values |= {path: self.heads[path].classes[int(shares.argmax())] for path, shares in decided.items()}
        values |= {path: json.dumps(value, ensure_ascii=False) for path, value in copied.items() if value is not None}
        return json.dumps(nested(values), ensure_ascii=False)

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        for place, head in enumerate(self.heads.values()):
            np.save(folder / f"head-{place}.npy", np.hstack([head.weights, head.offsets[:, None]]), allow_pickle=False)
        for place, tagger in enumerate(self.taggers.values()):
            np.save(folder / f"tagger-{place}.npy", tagger.weights, allow_pickle=False)
        manifest = {
            "heads": [{"path": path, "classes": head.classes} for path, head in self.heads.items()],
            "taggers": [{"path": path, **tagger.manifest} for path, tagger in self.taggers.items()],
            "rest": [[path, text] for path, text in self.rest.items()],
            "record": dict(self.record),
        }
        (folder / "heads.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        copied = {"copied_fields": len(self.taggers)} if self.taggers else {}
        return {"embedder": self.embedder.name, "heads": len(self.heads), **copied, **self.record}


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
        if task.kind == "extraction" and all(map(is_object, task.examples)):
            found = columns(task.examples)
            return "" if found.decided or found.copied else "no field of the answers can be decided or copied"
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
        """[case id, answer, score, how sure] of every selection case."""
        rows: list[list[Any]] = []
        for fold in task.folds:
            fitted = self._heads(fold.train, (task.kind, bench.embedder), strength, {})
            queries = [Query.of(case.input) for case in fold.selection]
            found = dict(fitted.answer(queries, Sampling()))
            for case, query in zip(fold.selection, queries, strict=True):
                outcome = found[query.key]
                text = outcome.text if isinstance(outcome, Prediction) else ""
                rows.append([case.id, text, task.score(case, outcome), sureness(outcome)])
        return rows

    def _heads(
        self, cases: Sequence[Case], on: tuple[str, Embedder], strength: float, record: Mapping[str, Any]
    ) -> Heads:
        kind, embedder = on
        texts = [case.input for case in cases]
        vectors = embedder.embed(texts)
        if kind == "classification":
            return Heads(embedder, {LABEL: Head.fit(vectors, [case.output for case in cases], strength)}, record=record)
        found = columns(cases)
        return Heads(
            embedder,
            heads={path: Head.fit(vectors, values, strength) for path, values in found.decided.items()},
            taggers={
                path: Tagger.fit(texts, [plain(v) for v in values], strength) for path, values in found.copied.items()
            },
            rest={
                **found.filled,
                **{path: "null" if "null" in values else ABSENT for path, values in found.copied.items()},
            },
            record=record,
        )

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        import numpy as np

        manifest = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        heads, taggers = {}, {}
        for place, row in enumerate(manifest["heads"]):
            table = np.load(folder / f"head-{place}.npy", allow_pickle=False)
            heads[tuple(row["path"])] = Head(tuple(row["classes"]), table[:, :-1], table[:, -1])
        for place, row in enumerate(manifest["taggers"]):
            weights = np.load(folder / f"tagger-{place}.npy", allow_pickle=False)
            path = tuple(row.pop("path"))
            taggers[path] = Tagger(weights=weights, **row)
        rest = {tuple(path): text for path, text in manifest["rest"]}
        return Heads(bench.embedder, heads, taggers, rest, manifest["record"])

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self.fit(task, bench)


CANDIDATES: tuple[Strategy, ...] = (LinearHead(),)
