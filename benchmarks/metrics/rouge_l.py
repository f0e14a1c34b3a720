"""ROUGE-L: the longest common run of words in order, gaps allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from benchmarks.metrics._base import Example, OfCases
from benchmarks.metrics._words import best, plain, words
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class RougeL(OfCases):
    """F-measure (precision and recall weighted alike) of the longest common subsequence of words (Lin, 2004).

    Words are runs of letters and digits, casefolded and not stemmed; the best over the accepted answers counts.
    A copy of the input can score high where the task is a rewriting: read it beside a metric that checks the request.
    """

    name: ClassVar[str] = "rouge_l"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generation", "qa"})
    graded: ClassVar[bool] = True

    def score(self, case: Case, text: str) -> float:
        given = words(text)
        return best(case, lambda accepted: _f_measure(accepted, text, given))


def _f_measure(accepted: str, text: str, given: list[str]) -> float:
    wanted = words(accepted)
    if not wanted:
        return float(plain(accepted) == plain(text))
    return 2 * _common_subsequence(wanted, given) / (len(wanted) + len(given))


def _common_subsequence(first: list[str], second: list[str]) -> int:
    """Length of the longest common subsequence, one bit a word of `first` (Hyyro, 2004)."""
    places: dict[str, int] = {}
    for position, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << position
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & full
    return len(first) - row.bit_count()


METRIC = RougeL
EXAMPLE: Example = ({}, Case(id="1", input="tar: list", output="List the contents of an archive without unpacking it."))
