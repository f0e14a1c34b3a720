"""Accuracy: the share of cases that got their label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from benchmarks.metrics._base import Example, OfCases, is_label
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class Accuracy(OfCases):
    """1 where the answer is the label of the case, compared after strip and casefold, else 0."""

    name: ClassVar[str] = "accuracy"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"classification"})
    graded: ClassVar[bool] = False

    def score(self, case: Case, text: str) -> float:
        return float(is_label(case, text))


METRIC = Accuracy
EXAMPLE: Example = ({}, Case(id="1", input="I was charged twice this month.", output="billing_duplicate"))
