"""Parquet tables, read in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES, Record


def records(path: Path) -> Iterator[Record]:
    """Yields one record a row. Raises `BadInput` where the file is damaged or unpacks to more than 1 GB."""
    import pyarrow as arrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
            if sum(group.total_byte_size for group in groups) > MAX_FILE_BYTES:
                raise BadInput(f"{path.name} unpacks to more than 1 GB. Take a sample of it.")
            for batch in file.iter_batches(batch_size=1_000):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", values)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        said = next(iter(str(error).replace(str(path), path.name).splitlines()), "no reason given")[:100]
        raise BadInput(
            f"{path.name} is not a readable Parquet file ({said}). Write it anew, or save it as CSV."
        ) from None
