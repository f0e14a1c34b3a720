"""Rows of Arrow tables, measured before they are unpacked: what is stored once may stand in every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES, MAX_LINE_BYTES

VALUE = 8
"""Bytes that any value counts beside its text."""
_AT_ONCE = 16_000_000
"""Bytes that are unpacked at a time."""
_MOST_ROWS = 1_000
"""Rows that are unpacked at a time."""


def rows(batches: Iterable[Any], name: str) -> Iterator[dict[str, Any]]:
    """The rows of record batches of the file `name`, a few at a time.

    Raises `BadInput` for a value above 10 MB, with its row, and as soon as all rows together are above 1 GB.
    """
    total = number = 0
    for batch in batches:
        if total + batch.num_rows * VALUE > MAX_FILE_BYTES:  # Rows of empty values take no room in the file.
            raise too_much(name)
        wide = np.zeros(batch.num_rows, dtype=np.int64)
        for column, array in zip(batch.schema.names, batch.columns, strict=True):
            each = _sizes(array, name)
            long = np.flatnonzero(each > MAX_LINE_BYTES)
            if len(long):
                raise BadInput(
                    f"{name}, row {number + int(long[0]) + 1}: a value of {column[:40]} is longer than 10 MB. Cut longer texts."
                )
            wide += each
        total += int(wide.sum())
        if total > MAX_FILE_BYTES:
            raise too_much(name)
        step = max(1, min(_MOST_ROWS, _AT_ONCE // max(1, int(wide.max(initial=1)))))
        for start in range(0, batch.num_rows, step):
            yield from _plain(batch.slice(start, step)).to_pylist()
        number += batch.num_rows


def _plain(batch: Any) -> Any:
    """The same with each text in its row, which is much quicker to read than where it is looked up."""
    from pyarrow import RecordBatch, types

    columns = [each.dictionary_decode() if types.is_dictionary(each.type) else each for each in batch.columns]
    return RecordBatch.from_arrays(columns, names=batch.schema.names)


def too_much(name: str) -> BadInput:
    return BadInput(f"{name} unpacks to more than 1 GB. Take a sample of it.")


def _sizes(array: Any, name: str) -> Any:
    """Bytes of each value once it is unpacked, as int64; what is above 1 GB is only said to be."""
    if len(array) * VALUE > MAX_FILE_BYTES:
        raise too_much(name)
    return np.minimum(VALUE + _inside(array, name), MAX_FILE_BYTES + 1)


def _inside(array: Any, name: str) -> Any:
    from pyarrow import compute, int64, types

    kind = array.type
    if hasattr(array, "storage"):
        return _sizes(array.storage, name)
    if types.is_dictionary(kind):
        known = np.append(_sizes(array.dictionary, name), 0)
        return known[array.indices.cast(int64()).fill_null(-1).to_numpy()]
    if types.is_run_end_encoded(kind):
        ends = np.clip(array.run_ends.to_numpy().astype(np.int64) - array.offset, 0, len(array))
        return np.repeat(_sizes(array.values, name), np.diff(ends, prepend=0))
    if types.is_struct(kind):
        return sum((_sizes(part, name) for part in array.flatten()), np.zeros(len(array), dtype=np.int64))
    if types.is_nested(kind):
        return _lists(array, name)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        words = np.frombuffer(array.buffers()[1], dtype=np.int32).reshape(-1, 4)
        return words[array.offset : array.offset + len(array), 0].astype(np.int64)
    if types.is_fixed_size_binary(kind):
        return np.full(len(array), kind.byte_width)
    if any(texts(kind) for texts in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)):
        return compute.binary_length(array).cast(int64()).fill_null(0).to_numpy()
    return np.zeros(len(array), dtype=np.int64)


def _lists(array: Any, name: str) -> Any:
    """What lies between the ends of each list; a list may share its elements with others."""
    from pyarrow import types

    kind = array.type
    if types.is_union(kind):
        raise BadInput(f"{name} holds a column of several types. Write it as text.")
    held = (array.keys, array.items) if types.is_map(kind) else (array.values,)
    before = np.concatenate([[0], np.cumsum(sum(_sizes(part, name) for part in held))])
    if types.is_fixed_size_list(kind):
        first = (array.offset + np.arange(len(array))) * kind.list_size
        return before[first + kind.list_size] - before[first]
    offsets = array.offsets.to_numpy().astype(np.int64)
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return before[offsets + array.sizes.to_numpy()] - before[offsets]
    return before[offsets[1:]] - before[offsets[:-1]]
