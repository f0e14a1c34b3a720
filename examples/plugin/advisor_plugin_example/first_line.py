"""A metric: the first line of an answer is the accepted one; what comes after it does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.contract import Answered
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class FirstLine:
    """1 where the first line that is not empty equals an accepted answer, else 0."""

    name: ClassVar[str] = "first_line"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"classification", "qa", "generation"})
    graded: ClassVar[bool] = False
    over_rows: ClassVar[bool] = False

    def score(self, case: Case, text: str) -> float:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return float(first in {answer.strip() for answer in (case.output, *case.answers)})

    def summarise(self, rows: Sequence[Answered]) -> float:
        return sum(row.score for row in rows) / len(rows)
