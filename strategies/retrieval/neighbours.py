"""The examples nearest to an input, and what they vote for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from strategies.contract import Case, Embedder
from strategies.prompting.rendering import label_cases

VOTERS = 12
"""Neighbours that vote."""
SHARPNESS = 20.0
"""Votes are weighted with exp(SHARPNESS x cosine similarity)."""


@dataclass(frozen=True)
class Neighbours:
    """A FAISS index over the inputs of the examples."""

    cases: tuple[Case, ...]
    embedder: Embedder
    stored: Any = field(default=None, repr=False, compare=False)
    """Vectors of the inputs, where they were saved; None: they are embedded."""

    def vectors(self) -> Any:
        """float32 array of shape (cases, dimension)."""
        return self.embedder.embed([case.input for case in self.cases]) if self.stored is None else self.stored

    @cached_property
    def _index(self) -> Any:
        from strategies.retrieval.vectors import vector_index

        return vector_index(self.vectors())

    def open(self) -> None:
        """Builds the index, which else happens when something is looked up for the first time."""
        _ = self._index

    @cached_property
    def _asked(self) -> dict[str, Any]:
        """Vectors of the texts of the last call: what is shown and what votes is looked up for the same ones."""
        return {}

    def _embedded(self, texts: Sequence[str]) -> Any:
        import numpy as np

        if not texts or not all(text in self._asked for text in texts):
            vectors = self.embedder.embed(texts)
            self._asked.clear()
            self._asked.update(zip(texts, vectors, strict=True))
            return vectors
        return np.stack([self._asked[text] for text in texts])

    @cached_property
    def _words(self) -> dict[tuple[str, ...], tuple[tuple[Case, ...], Any]]:
        """Labels -> each as a case, and the vectors of their words."""
        return {}

    def _named(self, texts: Sequence[str], labels: Sequence[str]) -> list[list[tuple[Case, float]]]:
        """Each label as a case with the similarity of its words to each text."""
        if (known := tuple(labels)) not in self._words:
            named = label_cases(labels)
            self._words[known] = named, self.embedder.embed([case.input for case in named])
        cases, vectors = self._words[known]
        marks = self._embedded(texts) @ vectors.T
        return [list(zip(cases, row, strict=True)) for row in marks.tolist()]

    @cached_property
    def _most_alike(self) -> int:
        """How many examples share one input at most."""
        return max(Counter(case.input for case in self.cases).values(), default=0)

    def nearest(
        self, texts: Sequence[str], k: int, leave_out: Sequence[str] | None = None
    ) -> list[list[tuple[Case, float]]]:
        """The `k` nearest examples of each text with their cosine similarity, nearest first.

        `leave_out` holds for each text the input whose examples are passed over: that of the example that it is.
        """
        spare = 0 if leave_out is None else self._most_alike
        scores, found = self._index.search(self._embedded(texts), min(k + spare, len(self.cases)))
        result = []
        for row, (marks, places) in enumerate(zip(scores.tolist(), found.tolist(), strict=True)):
            hits = [(self.cases[place], mark) for place, mark in zip(places, marks, strict=True) if place >= 0]
            if leave_out is not None:
                hits = [hit for hit in hits if hit[0].input != leave_out[row]]
            result.append(hits[:k])
        return result

    def votes(self, texts: Sequence[str], labels: Sequence[str]) -> list[list[float]]:
        """For each text the share of each label among the nearest examples and labels' own words, weighted by similarity."""
        place = {label: index for index, label in enumerate(labels)}
        shares = []
        for near, named in zip(self.nearest(texts, VOTERS), self._named(texts, labels), strict=True):
            hits = sorted([*near, *named], key=lambda hit: -hit[1])[:VOTERS]
            row = [0.0] * len(labels)
            top = hits[0][1] if hits else 0.0
            for case, similarity in hits:
                if case.output in place:
                    row[place[case.output]] += math.exp(SHARPNESS * (similarity - top))
            total = sum(row)
            shares.append([mark / total for mark in row] if total else [1 / len(labels)] * len(labels))
        return shares
