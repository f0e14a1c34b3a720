"""The Nth change of a file below the run folder fails, for N = 1, 2, ... until none is left: for want of room, alone or with
every later one, or because the disk failed."""

from __future__ import annotations

import ctypes
import errno
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
FAULTS = {
    "no room": (errno.ENOSPC, False),
    "no room from then on": (errno.ENOSPC, True),
    "it failed": (errno.EIO, False),
}
"""What the system says, and whether it says so to all later changes too."""
RUNS = {
    "light writes": ("copy nearest",),
    "writes": ("majority", "copy nearest", "lora"),
    "few writes": ("copy nearest",),
}
"""The approaches of each part. In the light one every change is refused in each way, in the others in one of them in turn; the
few are a minute's look at the same, at one change of `FEW`, and no part of the whole study."""
FEW = 3


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


def failing(work: Callable[[Tell], int], folder: Path, number: int, fault: str) -> Callable[[Tell], int]:
    """The work, in which the change of that number below the folder is refused; 0: none is, and they are counted."""
    error, stays = FAULTS[fault]

    def perform(tell: Tell) -> int:
        library = ctypes.CDLL(os.environ[ARMED])
        library.faults_arm(str(folder).encode(), ctypes.c_long(number or -1), int(stays), error)
        try:
            return work(tell)
        finally:
            library.faults_seen.restype = ctypes.c_long
            tell("changes", count=library.faults_seen())

    return perform


def changes(ended: Ended) -> int:
    """How many files were changed, the refused changes included."""
    return next((int(line["count"]) for line in ended.told if line["what"] == "changes"), 0)


def wanted(part: str, total: int) -> Iterator[tuple[int, str]]:
    """Which changes are refused in which way."""
    for place, number in enumerate(range(1, total + 1, FEW if part == "few writes" else 1), start=1):
        in_turn = list(FAULTS)[place % len(FAULTS)]
        yield from ((number, fault) for fault in FAULTS if part == "light writes" or fault == in_turn)


def tried(work: Work, whole: Whole, place: Path, number: int, fault: str) -> dict[str, Any]:
    """What came of that change being refused, and of the run that then goes on with a disk that takes everything."""
    folder = place / "full"
    shutil.rmtree(folder, ignore_errors=True)
    stopped = child(failing(work(folder), folder, number, fault), place / "full.err")
    reopened = Stored.of(folder)
    found = compared(reopened, whole.stored, whole.order, stopped.units())
    ended = child(work(folder), place / "after.err")
    last = Stored.of(folder)
    return {
        "number": number,
        "fault": fault,
        "code": stopped.code,
        "said": next((line["said"] for line in stopped.told if line["what"] == "refused"), ""),
        "traceback": stopped.traceback or ended.traceback,
        **asdict(found),
        "repeated": sum(last.starts.get(name) != reopened.starts[name] for name in reopened.finished),
        "ended": ended.code == DONE,
        "as_whole": last.finished == whole.stored.finished,
    }
