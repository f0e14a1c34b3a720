"""Macro-F1: every label counts the same, however rare it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Answered
from benchmarks.metrics._base import Example, OverLabels, label_of, labels_of
from benchmarks.statistics.grouping import Floats
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

        wrong = right != given
        of_right, missed, false = (
            _rows_of(codes, other) for codes in (right, np.where(wrong, right, other), np.where(wrong, given, other))
        )

        def figures(counts: Floats) -> Floats:
            support, hits, total = (_by_label(rows, counts) for rows in (of_right, missed, false))
            np.subtract(support, hits, out=hits)
            total += support
            total += hits
            np.maximum(total, 1, out=total)
            each = np.divide(np.add(hits, hits, out=hits), total, out=total)
            return np.asarray(np.ascontiguousarray(each.T).sum(axis=1) / np.count_nonzero(support, axis=0))

        return figures

    def carrying(self, rows: Sequence[Answered]) -> int:
        return len(rows)

    def by_label(self, rows: Sequence[Answered], labels: Sequence[str] = ()) -> list[tuple[int, float]]:
        """(rows, F1) of each label that is the right one for a row, then (0, 0.0) for each other one of `labels`."""
        pairs = [labels_of(row) for row in rows]
        cases, given = (Counter(side) for side in zip(*pairs, strict=True))
        hits = Counter(right for right, said in pairs if right == said)
        known = dict.fromkeys([*sorted(cases), *map(label_of, labels)])
        return [(cases[each], 2 * hits[each] / (cases[each] + given[each]) if cases[each] else 0.0) for each in known]


def _rows_of(codes: NDArray[np.intp], labels: int) -> list[NDArray[np.intp]]:
    """Places of the rows of each label."""
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=labels + 1))[:-1])[:labels]


def _by_label(rows: Sequence[NDArray[np.intp]], counts: Floats) -> Floats:
    """What the rows of each label count for: (labels, draws)."""
    found = np.zeros((len(rows), len(counts)))
    for of_label, places in zip(found, rows, strict=True):
        if len(places):
            np.add.reduce(counts.T[places], axis=0, out=of_label)
    return found


METRIC = MacroF1
EXAMPLE: Example = ({}, Case(id="1", input="The parcel never came.", output="delivery_lost"))
