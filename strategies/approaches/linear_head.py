"""A rung without a language model: logistic regression, on embeddings to decide and on words to copy fields of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

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
    Usage,
    Workbench,
)
from strategies.fields import ABSENT, Columns, FieldPath, columns, is_object, nested, plain
from strategies.heads import Head, chosen
from strategies.leaning import Shift, shift_in
from strategies.prompting.rendering import label_cases
from strategies.standalone.tagging import LESSONS, Tagger, sampled

LABEL: FieldPath = ()
"""In place of a field's path: the label that is the whole answer."""
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse regularisation, chosen by the selection parts."""
CHOICE_S, WORD_S = 1e-5, 2e-5
"""Of one fit, about, as measured on a slow core: for each row and value that is decided among, for each word and copied field."""
CHOICE_BYTES, ROW_BYTES, WORD_BYTES = 24, 6000, 650
"""At its peak, for each row and value, row (its vector), and word."""
WORD_CHARACTERS = 5


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
                    yield query.key, self.heads[LABEL].label(decided[LABEL], usage)
                else:
                    found = {path: values[row] for path, values in copied.items()}
                    yield query.key, self._object(decided, found, usage)

    def leant(self, shift: Shift | None) -> Heads:
        """The same with this added to the log-shares of labels."""
        return self if shift is None else replace(self, heads={LABEL: self.heads[LABEL].leant(shift)})

    def _object(
        self,
        decided: Mapping[FieldPath, Any],
        copied: Mapping[FieldPath, tuple[str | int | None, float]],
        usage: tuple[Usage, ...],
    ) -> Prediction:
        """As sure as its fields are on average: of what is decided and copied, the share of each value."""
        values = dict(self.rest)
        values |= {path: self.heads[path].classes[int(shares.argmax())] for path, shares in decided.items()}
        values |= {
            path: json.dumps(value, ensure_ascii=False) for path, (value, _) in copied.items() if value is not None
        }
        sure = [*(float(shares.max()) for shares in decided.values()), *(share for _, share in copied.values())]
        return Prediction(
            text=json.dumps(nested(values), ensure_ascii=False),
            certainty=sum(sure) / len(sure) if sure else None,
            usage=usage,
        )

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        for place, head in enumerate(self.heads.values()):
            np.save(folder / f"head-{place}.npy", head.table, allow_pickle=False)
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
    says: ClassVar[str] = "a small text classifier on embeddings, without a language model"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 3

    def unsuitable(self, task: Task) -> str:
        if task.labels:
            return ""
        if task.kind == "extraction" and all(map(is_object, task.examples)):
            found = columns(task.examples)
            return "" if found.decided or found.copied else "no field of the answers can be decided or copied"
        return "a classifier needs answers from a small fixed set"

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        start = time.perf_counter()
        on = (task, bench.embedder)
        options = [{"C": strength} for strength in STRENGTHS]
        best, record = chosen(
            self.name, (task, bench), options, lambda cases, option: self._heads(cases, on, option["C"], {})
        )
        fitted = self._heads(task.examples, on, best["C"], record).leant(shift_in(record))
        bench.record(Usage(model=bench.embedder.name, step="search", seconds=time.perf_counter() - start))
        return fitted

    def _heads(
        self, cases: Sequence[Case], on: tuple[Task, Embedder], strength: float, record: Mapping[str, Any]
    ) -> Heads:
        task, embedder = on
        lessons = (*cases, *label_cases(task.labels))
        texts = [case.input for case in lessons]
        vectors = embedder.embed(texts)
        if task.labels:
            wanted = [case.output for case in lessons]
            return Heads(embedder, {LABEL: Head.fit(vectors, wanted, strength)}, record=record)
        found = columns(cases)
        taken = len(sampled(texts)) if found.copied else len(texts)
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
            record={**record, "copied_from": taken} if taken < len(texts) else record,
        )

    def foretold(self, task: Task) -> tuple[float, int]:
        found = Columns({}, {}, {}) if task.labels else columns(task.examples)
        values = [len(task.labels), *(len(set(each)) for each in found.decided.values())]
        rows, copies = len(task.examples), len(found.copied)
        characters = sum(len(case.input) for case in task.examples) if copies else 0
        words = min(LESSONS, characters / WORD_CHARACTERS)
        fits = len(STRENGTHS) * len(task.folds) + 1
        seconds = fits * (CHOICE_S * rows * sum(values) + WORD_S * words * copies)
        return seconds, round(rows * (CHOICE_BYTES * max(values) + ROW_BYTES) + WORD_BYTES * words)

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        import numpy as np

        manifest = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        heads, taggers = {}, {}
        for place, row in enumerate(manifest["heads"]):
            table = np.load(folder / f"head-{place}.npy", allow_pickle=False)
            heads[tuple(row["path"])] = Head.from_table(row["classes"], table)
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
