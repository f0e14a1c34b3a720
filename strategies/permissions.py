"""Who may read what is written: what lies in a run its owner alone, what a cache or a person's own place holds as usual."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

OWNER_ONLY = 0o077


@dataclass
class _Inside:
    """How many are inside of what now, in all threads: a process has one mask, and runs of two threads may overlap."""

    owner_only: int = 0
    as_usual: int = 0
    usual: int = 0
    """The mask of the person who started the program, while another one holds."""


_inside, _changing = _Inside(), Lock()


def _change(owner_only: int = 0, as_usual: int = 0) -> None:
    """So many more are inside of each; the first that wants another mask sets it, the last puts back what there was."""
    with _changing:
        if owner_only and not _inside.owner_only:
            _inside.usual = os.umask(OWNER_ONLY)
        _inside.owner_only += owner_only
        _inside.as_usual += as_usual
        if owner_only or _inside.owner_only:
            os.umask(OWNER_ONLY if _inside.owner_only and not _inside.as_usual else _inside.usual)


@contextmanager
def owner_only() -> Iterator[None]:
    """Files that are made here only their owner can read, and folders likewise. It holds for the whole process, until the last
    of its threads is out of it."""
    _change(owner_only=1)
    try:
        yield
    finally:
        _change(owner_only=-1)


@contextmanager
def as_usual() -> Iterator[None]:
    """Inside of `owner_only`: what is made here, such as a cache that several people share, gets the usual permissions."""
    _change(as_usual=1)
    try:
        yield
    finally:
        _change(as_usual=-1)


def make_usual(folder: Path) -> None:
    """Gives a folder and what lies in it the permissions that anything made anew gets, outside of `owner_only`."""
    with _changing:
        mask = _inside.usual if _inside.owner_only else os.umask(OWNER_ONLY)
        if not _inside.owner_only:
            os.umask(mask)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
