"""A rung without any model: logistic regression on the words and letter sequences of a text, weighted by TF-IDF."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from strategies.approaches.copy_nearest import BATCH
from strategies.contract import Case, Family, Fitted, Outcome, Query, Sampling, Strategy, Task, Usage, Workbench
from strategies.heads import Head, chosen
from strategies.leaning import shift_in
from strategies.prompting.rendering import label_cases
from strategies.standalone.alone import WORDS
from strategies.standalone.reading import COUNTED

SETS = (("words",), ("letters",), ("words", "letters"))
STRENGTHS = (3.0, 10.0, 100.0)
"""Inverse regularisation; chosen together with what is counted by the selection parts."""
CELLS = 8_000_000
"""Labels times terms of a head at most. While it is fitted `COPIES` of as many numbers are held, of eight bytes each: 1.4 GB.
Beyond, the terms that most texts have are counted."""
COPIES = 22
CELL_S, CHARACTER_S, CHARACTER_BYTES = 1e-6, 2.5e-6, 120
"""Of one fit, about, as measured on a slow core: what a cell and a character of the examples take."""
NOTHING = "."
"""In place of a text without any letter, so that there is something to count."""


@dataclass(frozen=True)
class Counting:
    """TF-IDF over the n-grams of some texts, with its vocabulary in the order of the columns."""

    unit: str
    terms: tuple[str, ...]
    weights: Any
    """Inverse document frequency of each term."""
    left_out: int = 0
    """Terms of the texts that are not counted."""

    @classmethod
    def of(cls, unit: str, texts: Sequence[str], most: int | None = None) -> Counting:
        """With at most so many terms, all by default; of those that equally many texts have the first of the alphabet."""
        import numpy as np

        made = _vectorizer(unit)
        try:
            made.fit(texts)
        except ValueError:  # No text has a word.
            made = _vectorizer(unit, [NOTHING]).fit([NOTHING])
        terms, weights = made.get_feature_names_out(), made.idf_
        kept = np.sort(np.argsort(weights, kind="stable")[:most])
        return cls(unit, tuple(map(str, terms[kept])), weights[kept], len(terms) - len(kept))

    def features(self, texts: Sequence[str]) -> Any:
        """Sparse matrix (texts, terms), rows of unit length."""
        made = _vectorizer(self.unit, self.terms)
        made.idf_ = self.weights
        return made.transform(texts)


def _vectorizer(unit: str, terms: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, vocabulary=list(terms) if terms else None, **COUNTED[unit])


@dataclass(frozen=True)
class WordClassifier:
    """One head on the counts of one or two units."""

    counting: tuple[Counting, ...]
    head: Head
    record: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(cls, cases: Sequence[Case], option: Mapping[str, Any], record: Mapping[str, Any]) -> WordClassifier:
        texts, wanted, units = [case.input for case in cases], [case.output for case in cases], option["counted"]
        most = max(1, CELLS // len(set(wanted)) // len(units))
        counting = tuple(Counting.of(unit, texts, most) for unit in units)
        left_out = sum(counted.left_out for counted in counting)
        told = {**record, "terms_left_out": left_out} if left_out else record
        return cls(counting, Head.fit(_features(counting, texts), wanted, option["C"]), told)

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for first in range(0, len(queries), BATCH):
            part = queries[first : first + BATCH]
            start = time.perf_counter()
            shares = self.head.probabilities(_features(self.counting, [query.input for query in part]))
            usage = (Usage(model="", step="answering", seconds=(time.perf_counter() - start) / len(part)),)
            for query, row in zip(part, shares, strict=True):
                yield query.key, self.head.label(row, usage)

    def save(self, folder: Path) -> None:
        import numpy as np

        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "head.npy", self.head.table, allow_pickle=False)
        for counted in self.counting:
            np.save(folder / f"{counted.unit}.npy", counted.weights, allow_pickle=False)
        manifest = {
            "classes": self.head.classes,
            "terms": {counted.unit: counted.terms for counted in self.counting},
            "record": dict(self.record),
        }
        (folder / WORDS).write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {"terms": sum(len(counted.terms) for counted in self.counting), **self.record}


def _features(counting: Sequence[Counting], texts: Sequence[str]) -> Any:
    from scipy.sparse import hstack

    return hstack([counted.features(texts) for counted in counting], format="csr")


@dataclass(frozen=True, kw_only=True)
class WordHead:
    """What a classifier of the time before embeddings reaches; it answers in well under a millisecond."""

    name: ClassVar[str] = "tf-idf"
    says: ClassVar[str] = "a small text classifier that counts words, without any model"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 2

    def unsuitable(self, task: Task) -> str:
        return "" if task.labels else "counting words decides among labels, and there are none"

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        start = time.perf_counter()
        named = label_cases(task.labels)
        options = [{"counted": list(units), "C": strength} for units in SETS for strength in STRENGTHS]
        best, record = chosen(
            self.name, (task, bench), options, lambda cases, option: WordClassifier.fit((*cases, *named), option, {})
        )
        fitted = WordClassifier.fit((*task.examples, *named), best, record)
        fitted = replace(fitted, head=fitted.head.leant(shift_in(record)))
        bench.record(Usage(model="", step="search", seconds=time.perf_counter() - start))
        return fitted

    def foretold(self, task: Task) -> tuple[float, int]:
        characters = sum(len(case.input) for case in task.examples)
        cells = min(CELLS, len(task.labels) * _terms(characters))
        fits = len(SETS) * len(STRENGTHS) * len(task.folds) + 1
        seconds = fits * (CELL_S * cells + CHARACTER_S * characters)
        return seconds, round(8 * COPIES * cells + CHARACTER_BYTES * characters)

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        import numpy as np

        manifest = json.loads((folder / WORDS).read_text(encoding="utf-8"))
        counting = tuple(
            Counting(unit, tuple(terms), np.load(folder / f"{unit}.npy", allow_pickle=False))
            for unit, terms in manifest["terms"].items()
        )
        table = np.load(folder / "head.npy", allow_pickle=False)
        return WordClassifier(counting, Head.from_table(manifest["classes"], table), manifest["record"])

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self.fit(task, bench)


def _terms(characters: int) -> int:
    """How many different ones so much text has, about: 15,000 in 600 short messages, 160,000 in 10,000 lines."""
    return round(6 * math.pow(characters, 0.75))


CANDIDATES: tuple[Strategy, ...] = (WordHead(),)
