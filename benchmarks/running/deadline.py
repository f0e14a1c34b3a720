"""Ends the work of a run when the time or the room on the disk that a person gave it is used up, wherever it is then: what was
finished is stored."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contract import BadInput

AGAIN_S = 120.0
"""So long answers that are on their way are waited for; then they are not."""
LONGEST_HOURS, MOST_GIGABYTES = 10_000, 1_000_000
LOOK_EVERY_S = 1.0
"""Between two looks at how much the run folder takes: it is passed by what is written meanwhile."""


class UsedUp(KeyboardInterrupt):
    """A limit of the person's is reached. As with any other interruption nothing is lost that was finished."""


class TimeUp(UsedUp):
    """The time is over."""


class DiskUp(UsedUp):
    """The run folder takes more than it may."""


@dataclass(frozen=True)
class Allowance:
    """Hours that the work may take, and gigabytes (10^9 bytes) of the run folder; None: no limit."""

    hours: float | None = None
    gigabytes: float | None = None

    def __post_init__(self) -> None:
        """Raises `BadInput` where that is no time that work can take, or no room."""
        _check("--max-hours", "hours", self.hours, LONGEST_HOURS)
        _check("--max-disk", "gigabytes", self.gigabytes, MOST_GIGABYTES)

    def check(self, folder: Path) -> None:
        """Raises `BadInput` where the folder takes more already: the work would end at once. And as `check_alarm` does."""
        self.check_alarm()
        taken = bytes_in(folder) / 1e9
        if self.gigabytes is not None and taken > self.gigabytes:
            raise BadInput(
                f"{folder} takes {taken:.3g} GB already, and --max-disk is {self.gigabytes:g}. Give it more, such as "
                f"--max-disk {2 * taken:.2g}."
            )

    def check_alarm(self) -> None:
        """Raises `BadInput` where there is a limit and the system has no alarm for it, or this is not the main thread."""
        if self.hours is None and self.gigabytes is None:
            return
        if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
            option = "--max-disk" if self.hours is None else "--max-hours"
            raise BadInput(f"{option} needs Linux or macOS, and the main thread. Leave it out.")

    def told(self, error: UsedUp, folder: Path) -> str:
        """Which limit it was, and what goes on."""
        if isinstance(error, DiskUp):
            return f"{folder} takes {bytes_in(folder) / 1e9:.3g} GB, and --max-disk is {self.gigabytes:g}: give it more to go on"
        return f"the {self.hours:g} hours of --max-hours are over"


def _check(option: str, unit: str, value: float | None, most: int) -> None:
    if value is not None and not (math.isfinite(value) and 0 < value <= most):
        raise BadInput(f"{option} is {value:g}; give {unit} above 0 and up to {most:,}, such as 2 or 0.5.")


def bytes_in(folder: Path) -> int:
    """What the files in it take, as long as they are; one that vanishes meanwhile takes nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


@contextmanager
def within(allowed: Allowance, folder: Path) -> Iterator[None]:
    """Raises `UsedUp` in the work once something is; without a limit it takes what it takes.

    Raises `BadInput` where the system has no such alarm, or the work is not done in the main thread.
    """
    allowed.check_alarm()
    if allowed.hours is None and allowed.gigabytes is None:
        yield
        return
    full, over = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        raise DiskUp if full.is_set() else TimeUp

    before = signal.signal(signal.SIGALRM, end)
    if allowed.hours is not None:
        signal.setitimer(signal.ITIMER_REAL, allowed.hours * 3600, AGAIN_S)
    watcher = threading.Thread(target=_watch, args=((allowed.gigabytes or 0.0) * 1e9, folder, full, over), daemon=True)
    if allowed.gigabytes is not None:
        watcher.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # An alarm that rings now comes too late, and must end nothing.
        signal.setitimer(signal.ITIMER_REAL, 0)
        over.set()
        if watcher.is_alive():
            watcher.join()
        signal.signal(signal.SIGALRM, before)


def _watch(most: float, folder: Path, full: threading.Event, over: threading.Event) -> None:
    """Rings the alarm of the main thread when the folder takes more, and again for one that waits for answers."""
    main = threading.main_thread().ident or 0
    pause_s = LOOK_EVERY_S
    while not over.wait(pause_s):
        if full.is_set() or bytes_in(folder) > most:
            full.set()
            signal.pthread_kill(main, signal.SIGALRM)
            pause_s = AGAIN_S
