"""Folders that Hugging Face's `datasets` saved a data set in (`save_to_disk`); numbers of classes become their names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES, Record
from benchmarks.formats.unpacked import rows
from benchmarks.specs.paths import inside

NAMED_ONCE = True
_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
_LONGEST = 10_000_000
_DICTIONARY, _BATCH = 2, 3
"""Kinds of messages of an Arrow stream that have buffers."""


def holds(folder: Path) -> bool:
    """Whether the folder is a saved data set, or several splits of one."""
    return (folder / _SPLITS).is_file() or ((folder / _STATE).is_file() and (folder / _INFO).is_file())


def records(folder: Path) -> Iterator[Record]:
    """Yields one record a row.

    Raises `BadInput` for several splits, a damaged file, a value above 10 MB, and more than 1 GB.
    """
    if (folder / _SPLITS).is_file():
        folder = _only_split(folder)
    classes = class_names(_json(folder / _INFO).get("features"))
    files = [_named(entry, folder) for entry in _json(folder / _STATE).get("_data_files") or ()]
    batches = (batch for path in files for batch in _batches(path))
    with _readable(folder):
        for number, values in enumerate(rows(batches, folder.name), start=1):
            yield Record(f"row {number}", named(values, classes))


def _named(entry: object, folder: Path) -> Path:
    if not isinstance(entry, Mapping):
        raise BadInput(f"{folder.name}/{_STATE} is not what `datasets` writes. Save the data set anew.")
    return inside(folder, str(entry.get("filename")), f"{folder.name}/{_STATE}")


def class_names(features: Any) -> Mapping[str, list[str]]:
    """column -> names of its classes, of the columns that hold numbers of classes."""
    columns = features if isinstance(features, Mapping) else {}
    labels = {name: each for name, each in columns.items() if isinstance(each, Mapping)}
    return {
        name: [str(one) for one in each["names"]]
        for name, each in labels.items()
        if each.get("_type") == "ClassLabel" and isinstance(each.get("names"), list)
    }


def named(values: dict[str, Any], classes: Mapping[str, list[str]]) -> dict[str, Any]:
    """The row with names in place of numbers; -1 stands for no class, and any other number that has no name stays."""
    for column in classes.keys() & values.keys():
        number = values[column]
        if isinstance(number, int) and not isinstance(number, bool) and number < len(classes[column]):
            values[column] = classes[column][number] if number >= 0 else None
    return values


def _only_split(folder: Path) -> Path:
    splits = _json(folder / _SPLITS).get("splits")
    names = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
    if len(names) != 1:
        raise BadInput(
            f"{folder.name} holds the splits {', '.join(name[:40] for name in names[:8]) or '(none)'}. Name one of them, such as "
            f"{folder.name}/{names[0][:40] if names else 'train'}."
        )
    return inside(folder, names[0], f"{folder.name}/{_SPLITS}")


def _json(path: Path) -> Mapping[str, Any]:
    shown = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > _LONGEST:
            raise BadInput(f"{shown} is larger than 10 MB, which `datasets` does not write. Save the data set anew.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise BadInput(f"{shown} cannot be read. Save the data set anew.") from None
    if not isinstance(values, Mapping):
        raise BadInput(f"{shown} is not what `datasets` writes. Save the data set anew.")
    return values


def _batches(path: Path) -> Iterator[Any]:
    import pyarrow as arrow
    from pyarrow import ipc

    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadInput(f"{path.name} has more than 1 GB. Take a sample of it.")
    with _readable(path), arrow.memory_map(str(path)) as file:
        for message in ipc.MessageReader.open_stream(file):
            if _compressed(message.metadata.to_pybytes()):
                raise BadInput(f"{path.name} is compressed, which `datasets` does not do. Save the data set anew.")
        file.seek(0)
        with ipc.open_stream(file) as batches:
            for batch in batches:
                batch.validate(full=True)
                yield batch


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    import pyarrow as arrow

    try:
        yield
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        said = next(iter(str(error).replace(str(path), path.name).splitlines()), "no reason given")[:100]
        raise BadInput(f"{path.name} is not a readable Arrow file ({said}). Save the data set anew.") from None


def _compressed(message: bytes) -> bool:
    """Whether the message of an Arrow stream says that its buffers are compressed, so that nobody knows yet how large they are.

    Its tables are Flatbuffers; the fields are those of Message.fbs.
    """
    try:
        place = int.from_bytes(message[:4], "little")
        header, kind = _field(message, place, 2), message[_field(message, place, 1)]
        if not header or kind not in (_DICTIONARY, _BATCH):
            return False
        table = header + int.from_bytes(message[header : header + 4], "little")
        if kind == _DICTIONARY:
            data = _field(message, table, 1)
            table = data + int.from_bytes(message[data : data + 4], "little")
        return bool(_field(message, table, 3))
    except IndexError:
        return False  # It is not what Arrow reads either.


def _field(message: bytes, table: int, number: int) -> int:
    """Where a field of a table stands; 0 where the table has none of that number."""
    fields = table - int.from_bytes(message[table : table + 4], "little", signed=True)
    size = int.from_bytes(message[fields : fields + 2], "little")
    entry = 4 + 2 * number
    if entry + 2 > size:
        return 0
    place = int.from_bytes(message[fields + entry : fields + entry + 2], "little")
    return table + place if place else 0
