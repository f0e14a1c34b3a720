"""Answer contained: an accepted answer stands somewhere in a short text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from benchmarks.metrics._base import Example, OfCases, check_count
from benchmarks.metrics._words import answer_words, best, longer_than, plain
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class AnswerContained(OfCases):
    """1 where an accepted answer is a run of words inside the text and the text has at most `max_words` words, else 0.

    Never a primary metric without the cap: whoever repeats the whole passage, or names every answer, would win.
    """

    name: ClassVar[str] = "answer_contained"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"qa"})
    graded: ClassVar[bool] = False

    max_words: int = 40

    def __post_init__(self) -> None:
        check_count(self.name, "max_words", self.max_words)

    def score(self, case: Case, text: str) -> float:
        if longer_than(text, self.max_words):
            return 0.0
        given = answer_words(text)
        return best(case, lambda accepted: float(_inside(accepted, text, given)))


def _inside(accepted: str, text: str, given: list[str]) -> bool:
    wanted = answer_words(accepted)
    if not wanted:
        return plain(accepted) == plain(text)
    length = len(wanted)
    return any(given[start : start + length] == wanted for start in range(len(given) - length + 1))


METRIC = AnswerContained
EXAMPLE: Example = (
    {},
    Case(id="1", input="How long is the probation period?", output="six months", answers=("6 months",)),
)
