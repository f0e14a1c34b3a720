"""The Nth change of a file below the run folder fails, for N = 1, 2, ...: alone, or with every later one as on a full disk."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.studies.faults_injected.children import DONE, Ended, Tell, child
from benchmarks.studies.faults_injected.kills import Whole, Work
from benchmarks.studies.faults_injected.stored import Stored, compared

SOURCE = Path(__file__).with_name("failing_write.c")
ARMED = "ADVISOR_FAILING_WRITE"
"""The environment variable that holds the preloaded library, set where this process may be told to fail."""
EVERY = 30
"""Up to here each N is tried, and about `SPREAD` more up to the last."""
SPREAD = 20


def start_again_preloaded(place: Path) -> None:
    """Builds the library with the C compiler of the machine and starts this very command with it; else returns at once."""
    if os.environ.get(ARMED):
        return
    library = place / "failing_write.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    os.execve(
        sys.executable,
        [sys.executable, "-m", "benchmarks.studies.faults_injected", *sys.argv[1:]],
        {**os.environ, "LD_PRELOAD": str(library), ARMED: str(library)},
    )


def failing(work: Callable[[Tell], int], folder: Path, number: int, stays: bool) -> Callable[[Tell], int]:
    """The work, in which the change of that number below the folder is refused; 0: none is, and they are counted."""

    def perform(tell: Tell) -> int:
        library = ctypes.CDLL(os.environ[ARMED])
        library.faults_arm(str(folder).encode(), ctypes.c_long(number or -1), int(stays))
        try:
            return work(tell)
        finally:
            library.faults_seen.restype = ctypes.c_long
            tell("changes", count=library.faults_seen())

    return perform


def changes(ended: Ended) -> int:
    """How many files were changed, the refused changes included."""
    return next((int(line["count"]) for line in ended.told if line["what"] == "changes"), 0)


def numbers(total: int) -> list[int]:
    """Which N are tried."""
    step = max(1, (total - EVERY) // SPREAD)
    return [*range(1, min(EVERY, total) + 1), *range(EVERY + 1, total + 1, step)]


def tries(work: Work, whole: Whole, place: Path, number: int) -> Iterator[dict[str, Any]]:
    """Two rows: that change alone, and all from it on; each run then goes on with room on the disk."""
    for stays in (False, True):
        folder = place / "full"
        shutil.rmtree(folder, ignore_errors=True)
        stopped = child(failing(work(folder), folder, number, stays), place / "full.err")
        reopened = Stored.of(folder)
        found = compared(reopened, whole.stored, whole.order, stopped.units())
        ended = child(work(folder), place / "after.err")
        last = Stored.of(folder)
        yield {
            "number": number,
            "stays": stays,
            "code": stopped.code,
            "said": next((line["said"] for line in stopped.told if line["what"] == "refused"), ""),
            "traceback": stopped.traceback or ended.traceback,
            **asdict(found),
            "repeated": sum(last.starts.get(name) != reopened.starts[name] for name in reopened.finished),
            "ended": ended.code == DONE,
            "as_whole": last.finished == whole.stored.finished,
        }
