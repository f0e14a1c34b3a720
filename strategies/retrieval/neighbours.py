"""The examples nearest to an input, and what they vote for."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from strategies.contract import Case, Embedder
from strategies.prompting.rendering import label_cases

VOTERS = 12
"""Neighbours that vote."""
SHARPNESS = 20.0
"""Votes are weighted with exp(SHARPNESS x cosine similarity)."""
SPARE = 64
"""Examples that are looked at besides, at most, where some are passed over; what a larger group fills is looked up again without
it."""


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
    def _one_group(self) -> bool:
        """Whether all examples are of one group, which then tells none from another."""
        return len({case.group or f"\0{case.id}" for case in self.cases}) == 1

    def _shared(self, case: Case) -> str:
        """What an example has in common with those that are not independent of it: the group, else the input."""
        return case.group if case.group and not self._one_group else f"\0{case.input}"

    @cached_property
    def _alike(self) -> Mapping[str, list[int]]:
        """Places of the examples that have the same in common."""
        found: dict[str, list[int]] = defaultdict(list)
        for place, case in enumerate(self.cases):
            found[self._shared(case)].append(place)
        return dict(found)

    def nearest(
        self, texts: Sequence[str], k: int, leave_out: Sequence[Case] | None = None
    ) -> list[list[tuple[Case, float]]]:
        """The `k` nearest examples of each text with their cosine similarity, nearest first.

        `leave_out` holds for each text the example that it is: those with its input or of its group are passed over. What is
        asked later has none of these among the examples, since near-duplicates stay on one side of every split.
        """
        vectors = self._embedded(texts)
        if leave_out is None:
            return self._hits(vectors, k)
        wide = k + min(SPARE, max(map(len, self._alike.values()), default=0))
        result = self._others(self._hits(vectors, wide), leave_out, k)
        crowded = defaultdict(list)
        for row, own in enumerate(leave_out):
            if len(result[row]) < k and len(self._alike.get(self._shared(own), ())) > SPARE:
                crowded[self._shared(own)].append(row)
        for shared, rows in crowded.items():
            hits = self._hits(vectors[rows], wide, self._alike[shared])
            for row, found in zip(rows, self._others(hits, [leave_out[row] for row in rows], k), strict=True):
                result[row] = found
        return result

    def _others(
        self, rows: Sequence[Sequence[tuple[Case, float]]], own: Sequence[Case], k: int
    ) -> list[list[tuple[Case, float]]]:
        """The first `k` hits of each row that have nothing in common with the example that the row is of."""
        return [
            [hit for hit in hits if hit[0].input != case.input and self._shared(hit[0]) != self._shared(case)][:k]
            for hits, case in zip(rows, own, strict=True)
        ]

    def _hits(self, vectors: Any, k: int, without: Sequence[int] = ()) -> list[list[tuple[Case, float]]]:
        """The `k` nearest examples of each vector, but for those in the places `without`."""
        from strategies.retrieval.vectors import search

        scores, found = search(self._index, vectors, min(k, len(self.cases)), without)
        return [
            [(self.cases[place], mark) for place, mark in zip(places, marks, strict=True) if place >= 0]
            for marks, places in zip(scores.tolist(), found.tolist(), strict=True)
        ]

    def votes(
        self, texts: Sequence[str], labels: Sequence[str], leave_out: Sequence[Case] | None = None
    ) -> list[list[float]]:
        """For each text the share of each label among the nearest examples and labels' own words, weighted by similarity.

        `leave_out` as in `nearest`.
        """
        place = {label: index for index, label in enumerate(labels)}
        shares = []
        for near, named in zip(self.nearest(texts, VOTERS, leave_out), self._named(texts, labels), strict=True):
            hits = sorted([*near, *named], key=lambda hit: -hit[1])[:VOTERS]
            row = [0.0] * len(labels)
            top = hits[0][1] if hits else 0.0
            for case, similarity in hits:
                if case.output in place:
                    row[place[case.output]] += math.exp(SHARPNESS * (similarity - top))
            total = sum(row)
            shares.append([mark / total for mark in row] if total else [1 / len(labels)] * len(labels))
        return shares
