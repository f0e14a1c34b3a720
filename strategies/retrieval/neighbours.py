"""The examples nearest to an input, and what they vote for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from strategies.contract import Case, Embedder

VOTERS = 12
"""Neighbours that vote."""
SHARPNESS = 20.0
"""Votes are weighted with exp(SHARPNESS x cosine similarity)."""


@dataclass(frozen=True)
class Neighbours:
    """A FAISS index over the inputs of the examples."""

    cases: tuple[Case, ...]
    embedder: Embedder

    @cached_property
    def _index(self) -> Any:
        from strategies.retrieval.index import flat_index

        return flat_index(self.embedder.embed([case.input for case in self.cases]))

    def nearest(self, texts: Sequence[str], k: int, leave_out: bool = False) -> list[list[tuple[Case, float]]]:
        """The `k` nearest examples of each text with their cosine similarity, nearest first.

        With `leave_out`, examples with the very same input are passed over: for texts that are examples themselves.
        """
        spare = 8 if leave_out else 0
        scores, found = self._index.search(self.embedder.embed(texts), min(k + spare, len(self.cases)))
        result = []
        for text, marks, places in zip(texts, scores.tolist(), found.tolist(), strict=True):
            hits = [(self.cases[place], mark) for place, mark in zip(places, marks, strict=True)]
            if leave_out:
                hits = [hit for hit in hits if hit[0].input != text]
            result.append(hits[:k])
        return result

    def votes(self, texts: Sequence[str], labels: Sequence[str]) -> list[list[float]]:
        """For each text the share of each label among the nearest examples, weighted by similarity."""
        place = {label: index for index, label in enumerate(labels)}
        shares = []
        for hits in self.nearest(texts, VOTERS):
            row = [0.0] * len(labels)
            top = hits[0][1] if hits else 0.0
            for case, similarity in hits:
                if case.output in place:
                    row[place[case.output]] += math.exp(SHARPNESS * (similarity - top))
            total = sum(row)
            shares.append([mark / total for mark in row] if total else [1 / len(labels)] * len(labels))
        return shares
