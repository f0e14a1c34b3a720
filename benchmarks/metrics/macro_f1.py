"""Macro-F1: every label counts the same, however rare it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Answered
from benchmarks.metrics._base import Example, OverLabels, labels_of
from strategies.contract import Case


@dataclass(frozen=True, kw_only=True)
class MacroF1(OverLabels):
    """Mean of the F1 of each label that is the right one for at least one of the rows.

    An answer that is no such label (empty, or not in the list) is a miss of the right label and no label of its own.
    """

    name: ClassVar[str] = "macro_f1"

    def by_index(self, rows: Sequence[Answered]) -> Callable[[NDArray[np.intp]], float]:
        pairs = [labels_of(row) for row in rows]
        code = {label: number for number, label in enumerate(sorted({right for right, _ in pairs}))}
        other = len(code)
        right = np.array([code[label] for label, _ in pairs], dtype=np.intp)
        given = np.array([code.get(label, other) for _, label in pairs], dtype=np.intp)

        def figure(indices: NDArray[np.intp]) -> float:
            wanted, got = right[indices], given[indices]
            hits = np.bincount(wanted[wanted == got], minlength=other + 1)[:other]
            support = np.bincount(wanted, minlength=other + 1)[:other]
            claimed = np.bincount(got, minlength=other + 1)[:other]
            present = support > 0
            return float(np.mean(2 * hits[present] / (support[present] + claimed[present])))

        return figure

    def carrying(self, rows: Sequence[Answered]) -> int:
        return len(rows)


METRIC = MacroF1
EXAMPLE: Example = ({}, Case(id="1", input="The parcel never came.", output="delivery_lost"))
