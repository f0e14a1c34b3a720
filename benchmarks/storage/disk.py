"""Tells a disk that takes no more from every other fault: the run stops then, and no approach is to blame."""

from __future__ import annotations

import errno
import os
import re
import sqlite3

_REFUSED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_READONLY: "the folder cannot be written to",
    sqlite3.SQLITE_CANTOPEN: "a file could not be opened",
}
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How libraries written in Rust, such as safetensors, end their messages."""


def disk_fault(error: BaseException | None) -> str:
    """What the system said when something could not be written; empty for every other fault and its causes."""
    while error is not None:
        said = _said(error)
        if said:
            return said
        error = error.__cause__ or error.__context__
    return ""


def _said(error: BaseException) -> str:
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF, "")
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _OS_ERROR.search(str(error))):
        number = int(found.group(1))
    return os.strerror(number).lower() if number in _REFUSED else ""
