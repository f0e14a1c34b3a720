"""Tables with a header line: CSV with commas, semicolons or bars, and TSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_LINE_BYTES, Record, lines

SUFFIXES = (".csv", ".tsv", ".tab")
NAMED_ONCE = True
_SEP = re.compile(r"sep=([,;\t|])\s*")
"""A first line in which Excel is told what stands between the values, and no row."""


def records(path: Path) -> Iterator[Record]:
    """Yields one record a row, quoted line breaks included; rows of empty cells are passed over. Raises `BadInput` with the line
    where the row starts."""
    return (record for record in every_row(path) if any(value is not None for value in record.values.values()))


def every_row(path: Path) -> Iterator[Record]:
    """The same with rows of empty cells, whose values are all None; an empty line is no row."""
    csv.field_size_limit(MAX_LINE_BYTES)
    first = next((line for _, line in lines(path)), "")
    before = 1 if _SEP.fullmatch(first) and path.suffix.lower() == ".csv" else 0
    reader = csv.reader(
        (line for number, line in lines(path) if number > before), delimiter=_delimiter(path, first), strict=True
    )
    start = 1 + before
    try:
        header = _header(path, next(reader, []), start)
        start = reader.line_num + before + 1
        for row in reader:
            place, start = f"line {start}", reader.line_num + before + 1
            if not any(cell.strip() for cell in row):
                if row:
                    yield Record(place, {name: None for name in header if name})
                continue
            if len(row) != len(header):
                raise BadInput(
                    f"{path.name}, {place} has {_counted(len(row), 'value')}, but the header line names "
                    f"{_counted(len(header), 'column')}. Put texts with commas or line breaks in double quotes."
                )
            yield Record(place, {name: cell for name, cell in zip(header, row, strict=True) if name})
    except csv.Error as error:
        raise BadInput(_says(path, start, str(error))) from None


def _delimiter(path: Path, first: str) -> str:
    if path.suffix.lower() != ".csv":
        return "\t"
    if said := _SEP.fullmatch(first):
        return said[1]
    outside = "".join(first.split('"')[::2])
    return max(",;\t|", key=outside.count) if any(mark in outside for mark in ",;\t|") else ","


def _header(path: Path, row: list[str], line: int) -> list[str]:
    header = [name.strip() for name in row]
    if not any(header):
        raise BadInput(f"{path.name}, line {line} names no columns. Start with a line such as input,output.")
    for name in header:
        if name and header.count(name) > 1:
            raise BadInput(f'{path.name}, line {line} names the column "{name[:60]}" twice. Rename one of them.')
    return header


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _says(path: Path, line: int, error: str) -> str:
    if "unexpected end of data" in error:
        return (
            f"{path.name}: the quote opened in the row at line {line} never ends. Close it, or double it inside a text."
        )
    if "field larger" in error:
        return f"{path.name}, line {line}: a value is longer than 10 MB; a quote may be left open. Close it."
    if "new-line character" in error or "new line" in error:
        return (
            f"{path.name}, line {line}: a line ends with a carriage return alone, as on old Macs. "
            "Save the file with Unix or Windows line ends."
        )
    return (
        f"{path.name}, line {line}: a quote stands inside a value ({error}), or one that was opened is never closed. Double it "
        "and put the value in quotes, or close it."
    )
