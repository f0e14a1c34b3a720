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
    JSON object or array only the parsed values are compared, their strings in the same way: the order of keys and the
    layout do not count, that of a list and the case of keys do, and one code fence around the answer is tolerated.
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
        wanted = _json.read(accepted, fenced=False)
        if wanted is None:
            return plain(accepted, self.case_sensitive) == plain(text, self.case_sensitive)
        given = _json.read(text)
        return given is not None and _json.same(wanted.value, given.value, self.case_sensitive)


METRIC = ExactMatch
EXAMPLE: Example = (
    {},
    Case(id="1", input="Who wrote Middlemarch?", output="George Eliot", answers=("Mary Ann Evans",)),
)
