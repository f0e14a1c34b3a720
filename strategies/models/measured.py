"""Which of several ways is quickest on this machine: tried for a moment at first use, then remembered in the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from strategies.permissions import as_usual

ROUNDS = 3
FILE = "measured.json"
BUSY = 0.8
"""Processes that run or wait, a core, from which on a machine counts as busy."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What was tried for one question: the choice, and the best seconds of each way."""

    question: str
    choice: str
    seconds: Mapping[str, float]
    day: str

    def times(self, quick: str, slow: str) -> float:
        """How many times as quick one way is as another."""
        return self.seconds[slow] / self.seconds[quick]


def quickest(question: str, ways: Mapping[str, Callable[[], Any]], worth: float = 1.0) -> Timing:
    """The remembered answer of this machine, or the best of three rounds of each way, found now.

    The first way is kept unless another one is more than `worth` times as quick.
    """
    found = _read().get(_key(question))
    if found is not None and set(found["seconds"]) == set(ways):
        return Timing(**found)
    occupied = busy()
    seconds = _tried(ways)
    usual, best = next(iter(ways)), min(seconds, key=seconds.__getitem__)
    choice = best if seconds[usual] > worth * seconds[best] else usual
    timing = Timing(question=question, choice=choice, seconds=seconds, day=time.strftime("%Y-%m-%d", time.gmtime()))
    if not occupied:
        _remember(timing)
    return timing


def known(question: str) -> bool:
    """Whether the answer of this machine is remembered."""
    return _key(question) in _read()


def busy() -> bool:
    """Whether other work takes the cores now or took much of the last minute: what is measured then is not remembered."""
    try:
        running = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        running = 1
    return running > 1 or (hasattr(os, "getloadavg") and os.getloadavg()[0] > BUSY * cores())


def remembered() -> list[Timing]:
    """All that is known of this machine."""
    prefix = _key("")
    return [Timing(**found) for key, found in sorted(_read().items()) if key.startswith(prefix)]


def forget() -> None:
    """Lets everything be measured again."""
    _file().unlink(missing_ok=True)


@cache
def machine() -> str:
    """Processor, cores, the libraries that compute; no name of a host or a person."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    features = hashlib.sha256(flags.encode()).hexdigest()[:6]
    many = f"{cores()} core{'' if cores() == 1 else 's'}"
    return f"{named[0] if named else platform.machine()} ({features}), {many}, torch {version('torch')}"


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tried(ways: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """In turns, so that what else goes on meets all of them alike."""
    best = dict.fromkeys(ways, float("inf"))
    for work in ways.values():
        work()
    for _ in range(ROUNDS):
        for name, work in ways.items():
            start = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _key(question: str) -> str:
    return f"{machine()}: {question}"


def _file() -> Path:
    from strategies.models.weights import cache_folder

    return cache_folder() / FILE


def _read() -> dict[str, Any]:
    """Empty where nothing was kept, or what was kept cannot be read."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    names = {each.name for each in fields(Timing)}
    return {key: timing for key, timing in found.items() if isinstance(timing, dict) and set(timing) == names}


def _remember(timing: Timing) -> None:
    """Whole or not at all. A cache folder that cannot be written to costs the measurement each time, nothing else."""
    file = _file()
    try:
        with as_usual():
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_name(f"{file.name}.{os.getpid()}")
            known = {**_read(), _key(timing.question): asdict(timing)}
            partial.write_text(json.dumps(known, indent=1), encoding="utf-8")
            partial.replace(file)
    except OSError:
        return
