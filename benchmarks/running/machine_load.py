"""How busy other programs kept the machine while something was timed: its seconds are too high by what they took."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STATISTICS = Path("/proc/stat")
"""Where Linux counts what its processors did (proc_stat(5)); elsewhere nothing is known."""
_IDLE = (3, 4)
"""Columns of time that nobody used: idle, and waiting for a disk."""
_GUESTS = 8
"""From this column on, time is counted a second time."""
NOTICED = 0.1
"""Cores that others kept busy, from which on it is told."""
BESIDE = "beside"
"""In the note of answers: the share of this machine's cores that others kept busy meanwhile, and how many seconds that was."""


@dataclass(frozen=True, kw_only=True)
class LoadMonitor:
    """Begins at one moment; `others` tells of the time since then."""

    began: float
    own: float
    busy: float | None

    @classmethod
    def begin(cls) -> LoadMonitor:
        return cls(began=time.perf_counter(), own=_own(), busy=_busy())

    def others(self) -> float | None:
        """Cores that other programs kept busy on average since then; None where the system does not say."""
        busy, spent = _busy(), self.seconds
        if busy is None or self.busy is None or spent <= 0:
            return None
        return max(0.0, busy - self.busy - (_own() - self.own)) / spent

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self.began


def _own() -> float:
    """Processor seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])


def _busy() -> float | None:
    """Processor seconds of all programs since the system started, on the cores that this process may use."""
    if not STATISTICS.is_file():
        return None
    ours = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    cores = (line.split() for line in STATISTICS.read_text(encoding="ascii").splitlines())
    ticks = sum(sum(_used(counts)) for name, *counts in cores if name in ours)
    return ticks / os.sysconf("SC_CLK_TCK")


def _used(counts: Sequence[str]) -> Iterator[int]:
    return (int(count) for place, count in enumerate(counts[:_GUESTS]) if place not in _IDLE)
