"""Parquet tables, read in batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.hf_dataset import class_names, named
from benchmarks.formats.record import MAX_FILE_BYTES, Record

SUFFIXES = (".parquet", ".pq")


def records(path: Path) -> Iterator[Record]:
    """Yields one record a row; numbers of classes become their names where `datasets` wrote the file.

    Raises `BadInput` where the file is damaged or unpacks to more than 1 GB.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
            if sum(group.total_byte_size for group in groups) > MAX_FILE_BYTES:
                raise BadInput(f"{path.name} unpacks to more than 1 GB. Take a sample of it.")
            classes = _classes(file.schema_arrow.metadata or {})
            for batch in file.iter_batches(batch_size=1_000):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", named(values, classes))
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        said = next(iter(str(error).replace(str(path), path.name).splitlines()), "no reason given")[:100]
        raise BadInput(
            f"{path.name} is not a readable Parquet file ({said}). Write it anew, or save it as CSV."
        ) from None


def _classes(metadata: Mapping[bytes, bytes]) -> Mapping[str, list[str]]:
    """column -> names of its classes, as `datasets` notes them in the file."""
    try:
        return class_names(json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"])
    except (KeyError, RecursionError, TypeError, ValueError):
        return {}
