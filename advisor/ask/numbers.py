"""Counts as people write them: with thousands in groups, with "k" or "million" behind them, and as ranges."""

from __future__ import annotations

import re

_SCALES = {
    "dozen": 12,
    "hundred": 100,
    "k": 1_000,
    "thousand": 1_000,
    "lakh": 100_000,
    "m": 1_000_000,
    "mn": 1_000_000,
    "mio": 1_000_000,
    "million": 1_000_000,
    "crore": 10_000_000,
    "bn": 1_000_000_000,
    "billion": 1_000_000_000,
    "trillion": 1_000_000_000_000,
}
_GROUP = r"[.,'\u2019\u00a0\u202f ]"
_DIGITS = rf"(?:\d{{1,3}}(?:{_GROUP}\d{{3}})+|\d+(?:[.,]\d+)?)(?![\d.,]*\d)"
_SCALE = rf"(?:\s?(?:{'|'.join(sorted(_SCALES, key=len, reverse=True))})\b)?"
COUNT = rf"(?<![\w.,])(?<![A-Za-z]-)(?:{_DIGITS}){_SCALE}"
"""Pattern of one count, without groups; in upper or lower case."""
_GROUPED = re.compile(rf"\d{{1,3}}(?:({_GROUP})\d{{3}})(?:\1\d{{3}})*")
_PARTS = re.compile(rf"({_DIGITS})\s?(\w*)", re.IGNORECASE)
_RANGE = re.compile(rf"({COUNT})\s?(?:-|\u2013|\u2014|to|or|and|up to)\s?$", re.IGNORECASE)
_BOUNDED = re.compile(r"\b(?:fewer than|less than|under|below|short of)\s+(?:\w+\s+)?$", re.IGNORECASE)


def count_of(words: str) -> float | None:
    """The number that a text of the form `COUNT` means; None where that is not a count, such as "1,5" without "million".

    Three digits behind each mark are thousands ("1.000", "1,000"), but before "million" one mark is the decimal one.
    """
    found = _PARTS.fullmatch(words.strip())
    if found is None:
        return None
    digits, scale = found[1], _SCALES.get(found[2].lower(), 1)
    marks = re.findall(_GROUP, digits)
    decimal = len(marks) == 1 and marks[0] in ".," and (scale > 1 or not _GROUPED.fullmatch(digits))
    if decimal:
        value = float(digits.replace(",", ".")) * scale
    elif not marks or _GROUPED.fullmatch(digits):
        value = float(re.sub(_GROUP, "", digits)) * scale
    else:
        return None
    return value if value == round(value) else None


def lower_end(before: str) -> re.Match[str] | None:
    """The first number of a range, such as "300" where `before` ends with "300 to ": group 1, and what follows on it."""
    return _RANGE.search(before)


def is_bounded(before: str) -> bool:
    """Whether the count that follows is only said not to be reached."""
    return bool(_BOUNDED.search(before))
