"""Macro-F1: every label counts the same, however rare it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Answered
from benchmarks.grouping import Floats
from benchmarks.metrics._base import Example, OverLabels, labels_of
from strategies.contract import Case


@dataclass(frozen=True, kw_only=True)
class MacroF1(OverLabels):
    """Mean of the F1 of each label that is the right one for at least one of the rows.

    An answer that is no such label (empty, or not in the list) is a miss of the right label and no label of its own.
    """

    name: ClassVar[str] = "macro_f1"

    def by_counts(self, rows: Sequence[Answered]) -> Callable[[Floats], Floats]:
        pairs = [labels_of(row) for row in rows]
        code = {label: number for number, label in enumerate(sorted({right for right, _ in pairs}))}
        other = len(code)
        right = np.array([code[label] for label, _ in pairs], dtype=np.intp)
        given = np.array([code.get(label, other) for _, label in pairs], dtype=np.intp)

        hit = np.where(right == given, right, other)

        def figures(counts: Floats) -> Floats:
            hits, support, claimed = (_by_label(codes, counts, other + 1)[:, :other] for codes in (hit, right, given))
            present = support > 0
            each = np.divide(2 * hits, support + claimed, out=np.zeros_like(hits), where=present)
            return np.asarray(each.sum(axis=1) / present.sum(axis=1))

        return figures

    def carrying(self, rows: Sequence[Answered]) -> int:
        return len(rows)


def _by_label(codes: NDArray[np.intp], counts: Floats, labels: int) -> Floats:
    """What the rows of each label count for, a line for each line of the counts."""
    places = codes + labels * np.arange(len(counts))[:, None]
    found: Floats = np.bincount(places.ravel(), counts.ravel(), labels * len(counts)).astype(np.float64)
    return found.reshape(len(counts), labels)


METRIC = MacroF1
EXAMPLE: Example = ({}, Case(id="1", input="The parcel never came.", output="delivery_lost"))
