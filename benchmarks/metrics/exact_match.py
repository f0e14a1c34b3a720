"""Exact match: the answer is one of the accepted answers, but for form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from benchmarks.metrics import _json
from benchmarks.metrics._base import EVERY_KIND, Example, OfCases, check_switch
from benchmarks.metrics._words import best, plain
from strategies.contract import Case, Kind


@dataclass(frozen=True, kw_only=True)
class ExactMatch(OfCases):
    """1 where the answer equals an accepted answer, else 0.

    Texts are compared after NFKC, casefold (unless `case_sensitive`, which regular expressions and commands want), with
    one space for any white space, without surrounding quotes and the final full stop. Where the accepted answer is a
    JSON object or array the parsed values are compared: the order of keys and the layout do not count, that of a list
    does, and one code fence around the answer is tolerated.
    """

    name: ClassVar[str] = "exact_match"
    kinds: ClassVar[frozenset[Kind]] = EVERY_KIND
    graded: ClassVar[bool] = False

    case_sensitive: bool = False

    def __post_init__(self) -> None:
        check_switch(self.name, "case_sensitive", self.case_sensitive)

    def score(self, case: Case, text: str) -> float:
        return best(case, lambda accepted: float(self._equal(accepted, text)))

    def _equal(self, accepted: str, text: str) -> bool:
        if plain(accepted, self.case_sensitive) == plain(text, self.case_sensitive):
            return True
        wanted = _json.read(accepted, fenced=False)
        given = _json.read(text) if wanted else None
        return wanted is not None and given is not None and _json.same(wanted.value, given.value)


METRIC = ExactMatch
EXAMPLE: Example = (
    {},
    Case(id="1", input="Who wrote Middlemarch?", output="George Eliot", answers=("Mary Ann Evans",)),
)
