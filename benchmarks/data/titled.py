"""Further short columns of documents, such as a country, which stand with the title before each passage: searched and shown."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from typing import Any

from benchmarks.data.columns import Rows, shown_names
from benchmarks.formats.clean import harmless
from strategies.contract import Document
from strategies.retrieval.versions import versions

Told = Sequence[tuple[str, str]]
"""Columns of one document and their values."""

LONGEST = 40
"""Characters of a value."""
MOST = 4
"""Columns that are shown, in the order of the file."""
_VERSIONS = 50
"""Documents of one title at most among which versions are sought: more are pages of a site, and to compare them takes long."""
_FEW = 3
"""Different values, up to which none has to stand twice."""
_NUMBER = re.compile(r"[-+]?\d[\d.,]*")
_TOLD_APART = 1_000
"""Different values of a column that has none twice, from which it is taken for a number or a name of each row."""


def telling(names: Sequence[str], first: Rows, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of the columns that tell documents apart: values that are short in the first rows and no address, at least two of
    them different, and of more than a few rows one twice, which names and numbers of rows have not. A name that cannot stand
    in a title tells nothing."""
    shown = [name for name in names if _can_be_named(name) and all(_may_be_shown(row.get(name)) for row in first)]
    seen: dict[str, set[str]] = {name: set() for name in shown}
    undecided, twice, found = set(seen), set[str](), set[str]()
    for row in rows:
        for name in tuple(undecided):
            if not (text := _text(row.get(name))):
                continue
            twice |= {name} if text in seen[name] else set()
            seen[name].add(text)
            found |= {name} if name in twice and len(seen[name]) > 1 else set()
            undecided -= {name} if name in found or len(seen[name]) > _TOLD_APART else set()
        if not undecided:
            break
    found |= {name for name in undecided if 1 < len(seen[name]) <= _FEW and not all(map(_NUMBER.fullmatch, seen[name]))}
    return [name for name in names if name in found][:MOST]


def plain(value: Any) -> str | int | float | None:
    """The value where it can be part of a title; None for lists and the like, and for what is not a number."""
    return value if isinstance(value, str | int | float) and value == value else None


def _can_be_named(name: str) -> bool:
    """Whether the name of a column is short and free of what nobody sees."""
    text = _in_one_line(name)
    return _is_short(text) and harmless(text) == text


def _may_be_shown(value: Any) -> bool:
    missing = value is None or value == "" or value != value
    return missing or (plain(value) is not None and _is_short(_text(value)))


def _text(value: Any) -> str:
    value = plain(value)
    return "" if value is None else _in_one_line(str(value))


def _in_one_line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _is_short(text: str) -> bool:
    return 0 < len(text) <= LONGEST and "://" not in text


def titled(title: str, told: Iterable[tuple[str, str]]) -> str:
    """The title with what is told by (column, value), as in `Annual leave, country: DE`; long values are left out."""
    short = [(name, text) for name, value in told if _is_short(text := _text(value))]
    return ", ".join([*([title] if title else []), *(f"{_in_one_line(name)}: {text}" for name, text in short)])


def all_titled(documents: Sequence[Document], told: Sequence[Told]) -> tuple[list[Document], list[str]]:
    """The documents with what is told of each in their titles, and which columns that leaves shown."""
    kept = _beside_versions(documents, told)
    found = [replace(one, title=titled(one.title, more)) for one, more in zip(documents, kept, strict=True)]
    return found, list(dict.fromkeys(name for name, _ in chain.from_iterable(kept)))


def _beside_versions(documents: Sequence[Document], told: Sequence[Told]) -> list[Told]:
    """What is told of each document, without what goes with the date in the versions of one, such as a status or an author.

    Versions are known by a title that they have in common. A column stays where its values come back at a later date, and one
    in which documents of one title, text and date differ anywhere stays everywhere: a country tells them apart.
    """
    often = Counter(document.title for document in documents)
    found = versions(document for document in documents if often[document.title] <= _VERSIONS)
    families: dict[int, list[tuple[str, Mapping[str, str]]]] = defaultdict(list)
    for document, columns in zip(documents, told, strict=True):
        if document.id in found:
            version = found[document.id]
            families[version.family].append((version.day, dict(columns)))
    names = {name for columns in told for name, _ in columns}
    apart = {name for name in names if any(_differs_in_a_day(rows, name) for rows in families.values())}
    dated = {
        family: {name for name in names - apart if _goes_with_the_date(rows, name)} for family, rows in families.items()
    }
    left_out = {one: dated[version.family] for one, version in found.items()}
    return [
        [(name, text) for name, text in columns if name not in left_out.get(document.id, ())]
        for document, columns in zip(documents, told, strict=True)
    ]


def _differs_in_a_day(rows: Sequence[tuple[str, Mapping[str, str]]], name: str) -> bool:
    """Days and columns of the versions of one document."""
    return len({(day, columns[name]) for day, columns in rows}) > len({day for day, _ in rows})


def _goes_with_the_date(rows: Sequence[tuple[str, Mapping[str, str]]], name: str) -> bool:
    """Whether the value changes from one date to another, and none comes back."""
    in_order = [text for _, text in sorted((day, columns[name]) for day, columns in rows)]
    return 1 < len(set(in_order)) == len(list(groupby(in_order)))


def notes(file: str, shown: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """What became of the columns besides id, title, text and date."""
    parts = ((shown, "shown with the title of each document"), (others, "not read"))
    told = [f"{shown_names(names)} {'is' if len(names) == 1 else 'are'} {what}" for names, what in parts if names]
    return (f"{file}: {'; '.join(told)}.",) if told else ()
