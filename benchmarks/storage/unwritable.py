"""Where nothing can be written, as in an archive or a snapshot, a run's database is only read, and nothing is made beside it."""

from __future__ import annotations

import os
from pathlib import Path

_WAL = 2
"""What byte 18 of the file says of a database that has a write-ahead log."""


def cannot_be_written(path: Path) -> bool:
    """Whether a database is there, in a folder or file that this process may only read."""
    return path.is_file() and not all(os.access(place, os.W_OK) for place in (path, path.parent))


def cannot_be_read(path: Path, error: Exception) -> str:
    """What is said where SQLite would have to write to read: a log without its index, a change that was not finished."""
    return (
        f"{path.name} can only be read after something was written beside it ({error}), and nothing can be written in "
        f"{path.parent}. Copy the run's folder to where you can write."
    )


def address(path: Path) -> str:
    """How SQLite is told of it, a URI where it is only read.

    A database with a write-ahead log is read without locks where there is no log: SQLite would want to make one. With a log
    somebody may be writing it, or was killed, and SQLite looks into the log as long as its index is there too.
    """
    if not cannot_be_written(path):
        return str(path)
    with path.open("rb") as file:
        logs = file.read(19)[18:] == bytes([_WAL])
    log = path.with_name(f"{path.name}-wal")
    still = logs and not (log.exists() and log.stat().st_size)
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
