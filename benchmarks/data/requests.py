"""Reads new requests: every row has its line, whether it can be answered or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.data.columns import column_values, input_apart
from benchmarks.data.load import CaseReader, peeked
from benchmarks.formats.record import Record, lines
from benchmarks.specs.spec import Columns
from strategies.standalone.reading import column_of, identity, no_input, requests, unanswered


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The rows of one file in its order, and a sentence where they stand in another column than the spec says.

    A row has its `id`, where it has one, and its `input`, or in place of that a `problem`: why it cannot be answered.
    """

    rows: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = ()


def read_requests(path: Path, columns: Columns) -> Requests:
    """Of a data file, or of a text file with one request a line. Raises `BadInput` for what is no such file."""
    if path.suffix.lower() == ".txt":
        return requests_of(lines(path), columns)
    names, _, records = peeked(path, empty=True)
    layout = input_apart(names, columns, path.name)
    cases, named = CaseReader(file=path.name, stem=path.stem, layout=layout, slices=()), columns.model_dump()
    return Requests(rows=tuple(_of_record(cases, record, named) for record in records), notes=layout.notes)


def requests_of(numbered: Iterable[tuple[int, str]], columns: Columns) -> Requests:
    """Of lines with their numbers, each an object or a plain text."""
    return Requests(rows=tuple(requests(numbered, columns.model_dump())))


def _of_record(cases: CaseReader, record: Record, columns: Mapping[str, Any]) -> dict[str, Any]:
    named = identity(record.values, columns)
    source = column_of(record.values, columns)
    found = column_values(record.values, source) if source not in record.values else {source: record.values[source]}
    if all(value is None or (isinstance(value, str) and not value.strip()) for value in found.values()):
        return {**named, **unanswered(f"{record.place}: {no_input(source)}")}
    try:
        text = cases.input(record, source)
    except BadInput as refused:
        return {**named, **unanswered(str(refused))}
    return {**named, **({"input": text} if text.strip() else unanswered(f"{record.place}: {no_input(source)}"))}
