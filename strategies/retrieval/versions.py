"""Tells which documents are versions of one, such as a rule of two years, so that of these the newest is shown."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from strategies.contract import Case, Document
from strategies.retrieval.chunking import heading
from strategies.standalone.reading import YEAR, current
from strategies.words import plain

ALIKE = 0.6
"""Share of the words of two texts that they have in common, from which they may be versions of one."""
_COMPARED = 50
"""Of documents with one title each is compared with so many that are about as long."""
_YEAR = r"(?P<year>(?:1[89]|20)\d\d)(?!\d)"
_DAY = r"(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_NAMES = (
    *("jan(?:uary)?", "feb(?:ruary)?", "mar(?:ch)?", "apr(?:il)?", "may", "june?", "july?", "aug(?:ust)?"),
    *("sept?(?:ember)?", "oct(?:ober)?", "nov(?:ember)?", "dec(?:ember)?"),
)
_MONTH = rf"\b(?P<month>{'|'.join(_NAMES)})\b\.?"
_MONTHS = tuple(name[:3] for name in _NAMES)
_DATES = (
    re.compile(rf"(?:{_DAY}\.?\s+(?:of\s+)?)?{_MONTH},?\s+{_YEAR}"),
    re.compile(rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}"),
    re.compile(rf"(?<!\d)(?P<first>\d{{1,2}})(?P<sign>[-/.])(?P<second>\d{{1,2}})(?P=sign){_YEAR}"),
    re.compile(rf"(?<!\d)(?P<month>\d{{1,2}})[-/.]{_YEAR}"),
    re.compile(
        r"(?<!\d)(?P<year>(?:1[89]|20)\d\d)(?:(?P<sign>[-/.])(?P<month>\d\d?)(?:(?P=sign)(?P<day>\d\d?))?)?(?!\d)"
    ),
)
"""How dates are written, each tried on what the ones before it left; the last is ISO 8601 or a year alone."""


def _asks_for(month: str) -> str:
    """What names the month in a request, where `may` and `march` are also other words."""
    if month[:3] not in ("mar", "may"):
        return rf"(?i:\b{month}\b)"
    before = "in|of|for|since|until|by|from|during|last"
    return rf"(?<=[\w,;] ){month.capitalize()}\b|(?i:\b(?:{before})\s+{month}\b)"


ASKED: Mapping[str, str] = {
    **{month[:3]: _asks_for(month) for month in _NAMES},
    **{str(number): rf"(?i:\bthe {number}(?:st|nd|rd|th)\b(?=\W*$|[?.!,;)]))" for number in range(1, 32)},
}
"""How `Version.names` calls a month, or a day such as `the 5th` at the end of a clause, and what names it in a request."""


class Version(NamedTuple):
    """Versions of one document share a number; `day` is a date in ISO 8601, or its beginning where no more is certain."""

    family: int
    day: str
    names: tuple[str, ...] = ()
    """The years, months and days of the dates in its heading, by which a request names it."""


def versions(documents: Iterable[Document], repeats: Collection[str] = ()) -> Mapping[str, Version]:
    """By id, the documents that are versions of one: dated, titled alike but for a date, and with nearly the same text, and none
    of them among the `repeats`.

    Titles alone do not tell: pages of one site may share theirs, and numbered tickets and sections differ in a number only.
    """
    titled: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        if day(document.date) and (title := " ".join(plain(_parted(document.title)[1]))):
            titled[title].append(document)
    families = [family for group in titled.values() for family in _alike(group)]
    return {
        one.id: Version(place, day(one.date), _names(heading(one)))
        for place, family in enumerate(families)
        if not any(one.id in repeats for one in family)
        for one in family
    }


def repeated(found: Mapping[str, Version], examples: Iterable[Case]) -> frozenset[str]:
    """Documents that examples name and a search would leave out as older versions, one of each family.

    What comes again and again, as minutes of meetings do, reads like versions of one and replaces nothing.
    """
    families: dict[int, dict[str, Version]] = defaultdict(dict)
    for name, version in found.items():
        families[version.family][name] = version
    repeats = set()
    for case in examples:
        for name in case.document_ids:
            own = families.get(found[name].family, {}) if name in found else {}
            if own and name not in current(own, case.input, ASKED):
                repeats.add(name)
                del families[found[name].family]
    return frozenset(repeats)


def day(written: str) -> str:
    """The one date that stands there as ISO 8601, or its beginning where no more is certain: 3/4/2026 may be in March or April.

    Empty where there is none, or more than one.
    """
    found, _ = _parted(written)
    return found[0] if len(found) == 1 else ""


def _names(text: str) -> tuple[str, ...]:
    dates = [date.split("-") for date in _parted(text)[0]]
    months = {_MONTHS[int(month) - 1] for _, month, *_ in (date for date in dates if len(date) > 1)}
    return tuple(sorted({*YEAR.findall(text), *months, *(str(int(date[2])) for date in dates if len(date) > 2)}))


def _parted(text: str) -> tuple[list[str], str]:
    """The dates of a text, and the text in lower case without them."""
    found: list[str] = []
    text = text.casefold()
    for pattern in _DATES:
        found += [_iso(match.groupdict()) for match in pattern.finditer(text)]
        text = pattern.sub(" ", text)
    return found, text


def _iso(parts: Mapping[str, str | None]) -> str:
    """Year, month and day as far as they are certain."""
    month, number = parts.get("month") or "0", int(parts.get("day") or 0)
    place = int(month) if month.isdecimal() else _MONTHS.index(month[:3]) + 1
    if parts.get("first"):
        first, second = int(parts["first"] or 0), int(parts["second"] or 0)
        if parts["sign"] == "." or first > 12 or first == second:
            place, number = second, first
        elif second > 12:
            place, number = first, second
    if not 1 <= place <= 12:
        return f"{parts['year']}"
    return f"{parts['year']}-{place:02}" + (f"-{number:02}" if 1 <= number <= 31 else "")


def _alike(documents: Sequence[Document]) -> list[list[Document]]:
    """Those of one title in groups of at least two that say nearly the same."""
    if len(documents) < 2:
        return []
    counted = sorted(((Counter(plain(one.text)), one) for one in documents), key=_length)
    group: list[int] = []
    for place, (words, _) in enumerate(counted):
        near = range(max(0, place - _COMPARED), place)
        group.append(next((group[other] for other in near if _say_the_same(words, counted[other][0])), place))
    joined: dict[int, list[Document]] = defaultdict(list)
    for number, (_, document) in zip(group, counted, strict=True):
        joined[number].append(document)
    return [family for family in joined.values() if len(family) > 1]


def _length(counted: tuple[Counter[str], Document]) -> int:
    return counted[0].total()


def _say_the_same(one: Counter[str], other: Counter[str]) -> bool:
    common = (one & other).total()
    return 0 < common >= ALIKE * (one.total() + other.total() - common)
