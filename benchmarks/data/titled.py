"""Further short columns of documents, such as a country, which stand with the title before each passage: searched and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.data.columns import Rows, shown_names

LONGEST = 40
"""Characters of a value."""
MOST = 4
"""Columns that are shown, in the order of the file."""
_TOLD_APART = 1_000
"""Different values of a column that has none twice, from which it is taken for a number or a name of each row."""


def telling(names: Sequence[str], first: Rows, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of the columns that tell documents apart: values that are short in the first rows and no address, at least two of
    them different, and of more than a few rows one twice, which names and numbers of rows have not."""
    seen: dict[str, set[str]] = {name: set() for name in names if all(_may_be_shown(row.get(name)) for row in first)}
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
    found |= {name for name in undecided if 1 < len(seen[name]) < MOST}
    return [name for name in names if name in found][:MOST]


def plain(value: Any) -> str | int | float | None:
    """The value where it can be part of a title; None for lists and the like, and for what is not a number."""
    return value if isinstance(value, str | int | float) and value == value else None


def _may_be_shown(value: Any) -> bool:
    missing = value is None or value == "" or value != value
    return missing or (plain(value) is not None and _is_short(_text(value)))


def _text(value: Any) -> str:
    value = plain(value)
    return "" if value is None else " ".join(str(value).split())


def _is_short(text: str) -> bool:
    return 0 < len(text) <= LONGEST and "://" not in text


def titled(title: str, told: Iterable[tuple[str, str]]) -> str:
    """The title with what is told by (column, value), as in `Annual leave, country: DE`; long values are left out."""
    short = [(name, text) for name, value in told if _is_short(text := _text(value))]
    return ", ".join([*([title] if title else []), *(f"{name}: {text}" for name, text in short)])


def notes(file: str, shown: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """What became of the columns besides id, title, text and date."""
    parts = ((shown, "shown with the title of each document"), (others, "not read"))
    told = [f"{shown_names(names)} {'is' if len(names) == 1 else 'are'} {what}" for names, what in parts if names]
    return (f"{file}: {'; '.join(told)}.",) if told else ()
