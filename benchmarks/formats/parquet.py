"""Parquet tables, read in batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.hf_dataset import class_names, named
from benchmarks.formats.record import MAX_FILE_BYTES, Record
from benchmarks.formats.unpacked import VALUE, rows, too_much

SUFFIXES = (".parquet", ".pq")
NAMED_ONCE = True
_MOST, _FEW = 1_000, 10
"""Rows that are read at a time."""
_AT_ONCE = 16_000_000
"""Bytes of one width that are read at a time."""
_DIFFERING = {"DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"}


def records(path: Path) -> Iterator[Record]:
    """Yields one record a row; numbers of classes become their names where `datasets` wrote the file.

    Raises `BadInput` where the file is damaged, a value is above 10 MB, or all unpacks to more than 1 GB.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        texts, at_once = _to_read(path)
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            classes = _classes(file.schema_arrow.metadata or {})
            batches = file.iter_batches(batch_size=at_once)
            for number, values in enumerate(rows(batches, path.name), start=1):
                yield Record(f"row {number}", named(values, classes))
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        said = next(iter(str(error).replace(str(path), path.name).splitlines()), "no reason given")[:100]
        raise BadInput(
            f"{path.name} is not a readable Parquet file ({said}). Write it anew, or save it as CSV."
        ) from None


def _to_read(path: Path) -> tuple[list[str], int]:
    """Columns to read as the texts that there are and which of them each row has, and how many rows to read at a time.

    What is stored so takes no more memory than in the file. Texts that are stored as what differs from the one before
    cannot be read that way, so few rows are read at a time. Raises `BadInput` for a file that is too large.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        columns = [file.schema.column(index) for index in range(file.metadata.num_columns)]
    chunks = [(place, group.column(place)) for group in groups for place in range(len(columns))]
    values = sum(chunk.num_values for _, chunk in chunks)
    if max(sum(group.total_byte_size for group in groups), values * VALUE) > MAX_FILE_BYTES:
        raise too_much(path.name)
    differing = {place for place, chunk in chunks if _DIFFERING & set(chunk.encodings)}
    texts = [
        column.path
        for place, column in enumerate(columns)
        if column.physical_type == "BYTE_ARRAY" and place not in differing
    ]
    fixed = sum(max(0, column.length) for column in columns if column.physical_type == "FIXED_LEN_BYTE_ARRAY")
    return texts, _FEW if differing else max(1, min(_MOST, _AT_ONCE // max(1, fixed)))


def _classes(metadata: Mapping[bytes, bytes]) -> Mapping[str, list[str]]:
    """column -> names of its classes, as `datasets` notes them in the file."""
    try:
        return class_names(json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"])
    except (KeyError, RecursionError, TypeError, ValueError):
        return {}
