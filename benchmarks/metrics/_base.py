"""What metrics share: the mean over cases, figures over rows, and the checks of their parameters."""

from __future__ import annotations

import math
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from benchmarks.contract import Answered, BadInput
from benchmarks.statistics.grouping import Floats
from strategies.contract import Case, Kind

Example = tuple[Mapping[str, Any], Case]
"""Parameters and a case, from which the contract tests try a metric; each module offers one as `EXAMPLE`."""

EVERY_KIND: frozenset[Kind] = frozenset({"classification", "extraction", "qa", "generation"})


class OfCases:
    """A metric whose figure is the mean of the single scores."""

    over_rows: ClassVar[bool] = False

    def summarise(self, rows: Sequence[Answered]) -> float:
        """The mean score, in [0, 1]. Errors: BadInput when there are no rows."""
        if not rows:
            raise BadInput("There are no answers to summarise: a figure needs at least one held-out case.")
        return math.fsum(row.score for row in rows) / len(rows)


class OverLabels(ABC):
    """A metric over rows of labels: its figure exists only for many answers together.

    The score of a single case is whether its label is right (compared after NFC, strip and casefold).
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"classification"})
    graded: ClassVar[bool] = False
    over_rows: ClassVar[bool] = True

    def score(self, case: Case, text: str) -> float:
        return float(is_label(case, text))

    def summarise(self, rows: Sequence[Answered]) -> float:
        """The figure over all rows, in [0, 1]. Errors: BadInput when there are no rows."""
        if not rows:
            raise BadInput("There are no answers to summarise: a figure needs at least one held-out case.")
        return float(self.by_counts(rows)(np.ones((1, len(rows))))[0])

    @abstractmethod
    def by_counts(self, rows: Sequence[Answered]) -> Callable[[Floats], Floats]:
        """A fast function from how often each of the rows counts, a line for each draw of the bootstrap, to their figures."""

    @abstractmethod
    def carrying(self, rows: Sequence[Answered]) -> int:
        """On how many right-or-wrong cases the figure rests: with a rare label on few, however many rows there are."""


def label_of(text: str) -> str:
    """A label as it is compared: without space around it, without case, and in one form of Unicode (NFC)."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def is_label(case: Case, text: str) -> bool:
    """Whether the text is one of the accepted labels of the case."""
    return label_of(text) in {label_of(answer) for answer in case.accepted}


def labels_of(row: Answered) -> tuple[str, str]:
    """(right label, given label) of a row; an accepted alternative counts as the right label itself."""
    right = label_of(row.case.output)
    return right, right if is_label(row.case, row.text) else label_of(row.text)


def check_number(metric: str, name: str, value: Any, low: float, high: float) -> None:
    """Errors: BadInput unless `value` is a number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadInput(f"`{name}` of the metric {metric} is {value!r}; write a number from {low:g} to {high:g}.")


def check_count(metric: str, name: str, value: Any) -> None:
    """Errors: BadInput unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"`{name}` of the metric {metric} is {value!r}; write a whole number of at least 1.")


def check_switch(metric: str, name: str, value: Any) -> None:
    """Errors: BadInput unless `value` is true or false."""
    if not isinstance(value, bool):
        raise BadInput(f"`{name}` of the metric {metric} is {value!r}; write true or false.")
