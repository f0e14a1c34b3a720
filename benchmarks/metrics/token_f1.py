"""Token F1: how many words an answer shares with the accepted one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.metrics._base import Example, OfCases
from benchmarks.metrics._words import answer_words, best, plain
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class TokenF1(OfCases):
    """F1 over words without punctuation and English articles, the best over the accepted answers.

    Source: SQuAD, arXiv 1606.05250. An accepted answer without any such word counts only when it is given as it stands.
    """

    name: ClassVar[str] = "token_f1"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"qa", "generation", "extraction"})
    graded: ClassVar[bool] = True

    def score(self, case: Case, text: str) -> float:
        given = Counter(answer_words(text))
        return best(case, lambda accepted: _f1(accepted, text, given))


def _f1(accepted: str, text: str, given: Counter[str]) -> float:
    wanted = Counter(answer_words(accepted))
    if not wanted:
        return float(plain(accepted) == plain(text))
    return 2 * (wanted & given).total() / (wanted.total() + given.total())


METRIC = TokenF1
EXAMPLE: Example = (
    {},
    Case(id="1", input="Where does the Danube end?", output="in the Black Sea", answers=("Black Sea",)),
)
