"""Who may read what is written: what lies in a run its owner alone, what a cache or a person's own place holds as usual."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o077
_usual: list[int] = []
"""The mask of the person who started the program, while another one holds."""


@contextmanager
def owner_only() -> Iterator[None]:
    """Files that are made here only their owner can read, and folders likewise. It holds for the whole process."""
    before = os.umask(OWNER_ONLY)
    _usual.append(before)
    try:
        yield
    finally:
        _usual.pop()
        os.umask(before)


@contextmanager
def as_usual() -> Iterator[None]:
    """Inside of `owner_only`: what is made here, such as a cache that several people share, gets the usual permissions."""
    before = os.umask(_usual[0]) if _usual else None
    try:
        yield
    finally:
        if before is not None:
            os.umask(before)


def make_usual(folder: Path) -> None:
    """Gives a folder and what lies in it the permissions that anything made anew gets."""
    mask = os.umask(OWNER_ONLY)
    os.umask(mask)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
