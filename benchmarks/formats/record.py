"""What every data format gives: a record with its place, and the lines of a UTF-8 file, checked."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contract import BadInput

MAX_FILE_BYTES = 1_000_000_000
MAX_LINE_BYTES = 10_000_000


class Record(NamedTuple):
    """One record. `place` is what a sentence calls it, such as `line 7` or `entry 7`."""

    place: str
    values: dict[str, Any]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields (number from 1, line with its line end) of a UTF-8 file with or without a byte order mark.

    Raises `BadInput`, with the line, for text that is not UTF-8, a NUL byte and a line above 10 MB.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if number == 1:
                    raw = _without_mark(path, raw)
                yield number, decoded(raw, f"{path.name}, line {number}")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}. Check its permissions.") from None


def _without_mark(path: Path, raw: bytes) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        name = "UTF-32" if raw.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")) else "UTF-16"
        table = '; in Excel that is "CSV UTF-8"' if path.suffix.lower() in (".csv", ".tsv", ".tab") else ""
        raise BadInput(f"{path.name} is {name}. Save it with the encoding UTF-8{table}.")
    if raw.startswith((b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"%PDF")):
        raise BadInput(f"{path.name} is not a text file. Give it the ending of its real format, or unpack it.")
    return raw.removeprefix(b"\xef\xbb\xbf")


def decoded(raw: bytes, place: str) -> str:
    """The text of one line of bytes; raises `BadInput` where it is too long, holds NUL, or is not UTF-8."""
    if len(raw) > MAX_LINE_BYTES:
        raise BadInput(f"{place} is longer than 10 MB. Write one example a line, and cut longer texts.")
    if b"\0" in raw:
        raise BadInput(f"{place} holds a NUL byte, so this is not a text file. Save it as UTF-8 text.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{place} is not UTF-8 (byte {error.start + 1}). Save the file with the encoding UTF-8."
        ) from None


def named_by(path: Path) -> str:
    """A title for a document that has none: the file's name as words."""
    return path.stem.replace("_", " ").replace("-", " ")


def package(name: str, what: str, file: str) -> Any:
    """A library that only some formats take. Raises `BadInput`, which says how to have it, where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise BadInput(
            f"{file}: reading {what} takes a package that is not installed. Write: pip install 'finetune-advisor[documents]'"
        ) from None
