"""One process at a time works in a run folder; whoever comes second is told who is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contract import BadInput


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Holds the folder, which exists, until the work in it is done.

    The system lets go of the lock when a process dies, however it dies, so none is ever stale. Raises `BadInput` where
    another process holds it.
    """
    from filelock import FileLock, Timeout

    lock, owner = FileLock(folder / "run.lock"), folder / "run.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(
            f"{_who(owner)} is working in the run folder {folder.name}. Wait for it or stop it, then write --resume; "
            "or give another folder with --out."
        ) from None
    try:
        owner.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _who(owner: Path) -> str:
    """The process by its number, where it has written that down yet."""
    try:
        return f"another process ({int(owner.read_text(encoding='utf-8'))})"
    except (OSError, ValueError):
        return "another process"
