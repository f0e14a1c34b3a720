"""Reads data files of every format as records: the place in the file, and a mapping of column to value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES, Record

FORMATS: Mapping[str, str] = {
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".json": "json_file",
    ".csv": "table",
    ".tsv": "table",
    ".tab": "table",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_OTHERS: Mapping[str, str] = {
    ".xlsx": "Save the sheet as CSV (UTF-8).",
    ".xls": "Save the sheet as CSV (UTF-8).",
    ".ods": "Save the sheet as CSV (UTF-8).",
    ".gz": "Unpack it first.",
    ".zip": "Unpack it first.",
    ".pdf": "Convert it to text or Markdown first.",
    ".docx": "Convert it to text or Markdown first.",
    ".pkl": "Save the table as Parquet or CSV.",
}


def read_records(path: Path) -> Iterator[Record]:
    """Yields the records of a JSONL, JSON, CSV, TSV or Parquet file, in order.

    Raises `BadInput` for an unknown format, a file above 1 GB, a file that is not what its name says, and, with the
    line, for a record that cannot be read.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        raise BadInput(f'"{path.name}" is a folder. Name a file with one example a line, such as examples.jsonl.')
    if not path.is_file():
        raise BadInput(f'The data file "{path.name}" does not exist. Correct its name.')
    if suffix not in FORMATS:
        advice = _OTHERS.get(suffix, "Save it in one of these formats.")
        raise BadInput(f"{path.name}: data is read from .jsonl, .json, .csv, .tsv and .parquet files. {advice}")
    check_size(path)
    records: Callable[[Path], Iterator[Record]] = import_module(f"benchmarks.formats.{FORMATS[suffix]}").records
    return records(path)


def check_size(path: Path) -> None:
    """Raises `BadInput` for a file that is empty or larger than 1 GB."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}. Check its permissions.") from None
    if size == 0:
        raise BadInput(f"{path.name} is empty. Write at least 10 examples into it, one a line.")
    if size > MAX_FILE_BYTES:
        raise BadInput(f"{path.name} has {size / 1e9:.1f} GB; at most 1 GB is read. Take a sample of it.")
