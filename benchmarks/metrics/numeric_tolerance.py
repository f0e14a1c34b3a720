"""Numeric tolerance: the first number of the answer is close enough."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from benchmarks.contract import BadInput
from benchmarks.metrics._base import Example, OfCases, check_count, check_number
from benchmarks.metrics._words import best, longer_than, plain
from strategies.contract import Case, Kind

_CURRENCY = r"[$\u00a2-\u00a5\u20a0-\u20cf]"
_SIGN, _EXPONENT = rf"(?<![\d.,])(?:(?<!\w)[-+]{_CURRENCY}?)?", r"(?:[eE][-+]?\d{1,4})?"
_MINUS = str.maketrans("\u2212\u2013", "--")
"""Also an en dash, which is written for it."""
_GROUPING = {".": r"[,'\u2019\u00a0\u202f]", ",": r"[.'\u2019\u00a0\u202f]"}
_NUMBERS = {
    point: re.compile(
        rf"{_SIGN}(?:(?:\d{{1,3}}(?:{grouping}\d{{3}})+(?!\d)|\d+)(?:[{point}]\d+)?|[{point}]\d+){_EXPONENT}"
    )
    for point, grouping in _GROUPING.items()
}
_RUN = re.compile(r"\d(?:[\d.,]*\d)?")
_ONLY = {
    point: re.compile(rf"0[{point}]\d+|\d+[{point}](?:\d{{1,2}}|\d{{4,}})|\d{{1,3}}(?:[{other}]\d{{3}})+[{point}]\d+")
    for point, other in (".,", ",.")
}
"""Numbers that make sense with this decimal point alone; 1,234 does with either."""


@dataclass(frozen=True, kw_only=True)
class NumericTolerance(OfCases):
    """1 where the first number of the text is within `relative` times the accepted one, or within `absolute`, else 0.

    Thousands may be separated by a comma, an apostrophe or a narrow or no-break space (with `decimal: ","` by a full
    stop instead of a comma). A minus may stand before the sign of a currency (-$5). A text of more than `max_words` words
    scores 0. An accepted answer without a number ("unknown") is compared as text.
    """

    name: ClassVar[str] = "numeric_tolerance"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"qa", "extraction", "generation"})
    graded: ClassVar[bool] = False

    relative: float = 0.01
    absolute: float = 0.0
    decimal: str = "."
    max_words: int = 40

    def __post_init__(self) -> None:
        check_number(self.name, "relative", self.relative, 0, 1)
        check_number(self.name, "absolute", self.absolute, 0, 1e300)
        check_count(self.name, "max_words", self.max_words)
        if self.decimal not in _NUMBERS:
            raise BadInput(f'`decimal` of the metric numeric_tolerance is {self.decimal!r}; write "." or ",".')

    def must_read(self, cases: Sequence[Case]) -> None:
        """Raises `BadInput` where more accepted answers make sense only with the other decimal point than with this one."""
        found = (_RUN.search(answer) for case in cases for answer in case.accepted)
        numbers = [match.group() for match in found if match]
        other = "," if self.decimal == "." else "."
        ours, theirs = ([each for each in numbers if _ONLY[point].fullmatch(each)] for point in (self.decimal, other))
        if len(theirs) > len(ours):
            mark = "comma" if other == "," else "point"
            raise BadInput(
                f"{len(theirs):,} of {len(numbers):,} accepted answers with a number make sense with a decimal {mark} only, such "
                f'as "{theirs[0][:20]}", which the metric would read as {self._first(theirs[0])}. Write `metric: '
                f'{{name: {self.name}, decimal: "{other}"}}`, or `decimal: "{self.decimal}"` there if that is meant.'
            )

    def score(self, case: Case, text: str) -> float:
        if longer_than(text, self.max_words):
            return 0.0
        return best(case, lambda accepted: float(self._close(accepted, text)))

    def _close(self, accepted: str, text: str) -> bool:
        wanted = self._first(accepted)
        if wanted is None:
            return plain(accepted) == plain(text)
        given = self._first(text)
        if given is None:
            return False
        # isclose would also measure against the answer, and so let a larger one pass; of floats, 20.00 - 19.99 is above 0.01.
        relative, absolute = (Decimal(str(tolerance)) for tolerance in (self.relative, self.absolute))
        return abs(given - wanted) <= max(relative * abs(wanted), absolute)

    def _first(self, text: str) -> Decimal | None:
        found = _NUMBERS[self.decimal].search(text.translate(_MINUS))
        if found is None:
            return None
        digits = re.sub(f"{_GROUPING[self.decimal]}|{_CURRENCY}", "", found.group()).replace(",", ".")
        return Decimal(digits) if math.isfinite(float(digits)) else None


METRIC = NumericTolerance
EXAMPLE: Example = ({}, Case(id="1", input="How many people live in Graz?", output="303,270"))
