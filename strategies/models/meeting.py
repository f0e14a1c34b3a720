"""Where processes of one machine meet at a server: who comes first starts it, and it ends when nobody holds its line any more.

The line is a named pipe that is read by whoever keeps the server (`kept.py`) and never written to. The system closes the end of a
process that is killed, so the server ends with the last of those that ask it, however they end; and each of them sees at its own
end whether the server is still kept. These are means of POSIX systems; vLLM runs nowhere else.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINE, SAID = "line", "said.json"


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """One start of a server, as a process that may ask it sees it."""

    folder: Path
    """Of this start: only its owner can read it, and it is gone when the server is."""
    line: int
    """Our end."""
    said: Mapping[str, Any]
    """What whoever started the server tells the others: its port and its key."""

    @property
    def alive(self) -> bool:
        return not _broken(self.line)

    def leave(self) -> None:
        os.close(self.line)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other process is in this folder; who is killed in it leaves it."""
    with _locked(folder, wait=True):
        yield


def use(path: Path) -> int:
    """Marks a file as in use by this process until what is returned is closed (`os.close`), or the process ends."""
    import fcntl

    path.parent.mkdir(mode=0o700, exist_ok=True)
    number = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(number, fcntl.LOCK_SH)
    os.utime(path)
    return number


@contextmanager
def unused(path: Path) -> Iterator[bool]:
    """Whether nobody uses the file now, nor begins to before this is left."""
    with _locked(path, wait=False) as mine:
        yield mine


def found(place: Path, name: str) -> Meeting | None:
    """The server of that name which is up, with our end of its line. Whoever asks is `alone` in the place."""
    for folder in place.glob(f"{name}-*"):
        try:
            line = os.open(folder / LINE, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # Nobody keeps it any more.
            continue
        try:
            met = Meeting(folder=folder, line=line, said=json.loads((folder / SAID).read_text(encoding="utf-8")))
        except FileNotFoundError:  # Who was starting it was killed.
            os.close(line)
            continue
        if met.alive:
            return met
        met.leave()
    return None


def begun(place: Path, name: str, said: Mapping[str, Any]) -> tuple[Meeting, int]:
    """A new start that the others do not know yet, and the other end of its line: the standard input of `kept.py`."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
    os.mkfifo(folder / LINE, 0o600)
    kept = os.open(folder / LINE, os.O_RDONLY | os.O_NONBLOCK)
    line = os.open(folder / LINE, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(kept, True)
    return Meeting(folder=folder, line=line, said=said), kept


def make_known(met: Meeting) -> None:
    """The server is up, and others may join. Its key lies in a file of whoever owns the folder, and nowhere else."""
    partial = met.folder / f"{SAID}.partial"
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(dict(met.said), file)
    partial.replace(met.folder / SAID)


def over(place: Path, seconds: float) -> None:
    """Waits until all servers of the place have ended, or so long, and removes it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and place.is_dir() and any(place.iterdir()):
        time.sleep(0.05)
    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _locked(path: Path, wait: bool) -> Iterator[bool]:
    import fcntl

    number = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            mine = True
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(number)


def _broken(line: int) -> bool:
    watched = select.poll()
    watched.register(line, 0)
    return bool(watched.poll(0))
