"""Tables that a person opens in a spreadsheet: what a cell may hold, and how it is read again."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats import read_records
from benchmarks.formats.clean import harmless
from benchmarks.formats.record import Record

YES, NO = frozenset({"x", "yes", "y", "1", "true"}), frozenset({"no", "n", "0", "false"})
"""What a person may write into a cell, whatever its case."""
ACCEPTED = "x"
"""In `corrected` of the review: what stands in `perhaps` is right."""
_STARTERS = "=+-@\u2212\uff1d\uff0b\uff0d\uff20"
"""At the beginning of a cell these make a formula of it in some program, also behind what cannot be seen."""


def as_cell(text: str) -> str:
    """The text as a spreadsheet shows it, letter by letter: what it would take for a formula gets an apostrophe in front."""
    first = text[:1]
    plain = not first or (first.isprintable() and not first.isspace() and first not in _STARTERS)
    return text if plain else f"'{text}"


def from_cell(text: str) -> str:
    """What `as_cell` was given, or a person meant by writing the same."""
    return text[1:] if text[:1] == "'" and as_cell(text[1:]) == text else text


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A CSV in UTF-8, without what cannot be seen and without formulas."""
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(columns)
        sheet.writerows([as_cell(harmless(text)) for text in row] for row in rows)


def read_sheet(path: Path, columns: Sequence[str], later: Sequence[str] = ()) -> list[Record]:
    """The rows of a sheet that has these columns, as texts; those that came `later` are empty where it is from before.

    Raises `BadInput` with the line.
    """
    found = []
    for place, values in read_records(path):
        lacks = [name for name in columns if name not in values and name not in later]
        if lacks:
            raise BadInput(f"{path.name} has lost its column {lacks[0]!r}. Put it back, or start with a new folder.")
        found.append(Record(place, {name: harmless(from_cell(str(values.get(name, "")))) for name in columns}))
    return found
