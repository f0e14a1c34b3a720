"""F1 of one label: for tasks in which one rare label is what matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Answered, BadInput
from benchmarks.metrics._base import Example, OverLabels, label_of, labels_of
from benchmarks.statistics.grouping import Floats
from strategies.contract import Case


@dataclass(frozen=True, kw_only=True)
class F1OfLabel(OverLabels):
    """F1 of `label` over the rows; a row without an answer counts as "not that label".

    Where no row has the label and no answer claims it the figure is 0, since nothing was shown.
    """

    name: ClassVar[str] = "f1_of_label"

    label: str

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not self.label.strip():
            raise BadInput(f"`label` of the metric f1_of_label is {self.label!r}; write one of the task's labels.")

    def must_be_among(self, labels: Sequence[str]) -> None:
        """Raises `BadInput` where no label of the task is meant: the figure of every approach would be 0."""
        if label_of(self.label) not in map(label_of, labels):
            nearest = get_close_matches(self.label, labels, n=1, cutoff=0.0)[0]
            raise BadInput(
                f'`label` of the metric f1_of_label is "{self.label[:60]}", which is none of the {len(labels)} labels of '
                f'the task. Write one of them; the nearest is "{nearest[:60]}".'
            )

    def by_counts(self, rows: Sequence[Answered]) -> Callable[[Floats], Floats]:
        wanted, claimed = self._wanted_and_claimed(rows)

        def figures(counts: Floats) -> Floats:
            hits, total = counts @ (wanted & claimed), counts @ wanted + counts @ claimed
            return np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)

        return figures

    def carrying(self, rows: Sequence[Answered]) -> int:
        wanted, claimed = self._wanted_and_claimed(rows)
        # F1 is 2 hits / (wanted + claimed), so near 1 an error costs it half of what it costs a share of these rows.
        return int(wanted.sum() + claimed.sum())

    def _wanted_and_claimed(self, rows: Sequence[Answered]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        label = label_of(self.label)
        pairs = np.array([[side == label for side in labels_of(row)] for row in rows], dtype=np.bool_).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


METRIC = F1OfLabel
EXAMPLE: Example = ({"label": "spam"}, Case(id="1", input="WIN a free cruise, text YES now", output="spam"))
