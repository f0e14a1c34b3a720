"""What writing everything down costs: the time spent in the store and on checkpoints while a run goes on, as a share of it and
by the case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks.store import Store, StoredJournal
from strategies.finetuning.checkpoints import Checkpoints

WRITES = (
    *((Store, name) for name in ("begin", "finish", "keep_completion", "forget_completions", "set_meta")),
    (StoredJournal, "put"),
    (Checkpoints, "write"),
)
TASK, EXAMPLES, HELDOUT = "support-intents", 120, 100
APPROACHES = ("majority", "copy nearest", "linear head", "prompting", "retrieval", "lora")


@dataclass
class Clock:
    """Seconds in all writes of the store, each with its sync, and how many there were."""

    seconds: float = 0.0
    writes: int = 0

    def timed(self, write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def perform(*given: Any, **more: Any) -> Any:
            started = time.perf_counter()
            try:
                return write(*given, **more)
            finally:
                self.seconds += time.perf_counter() - started
                self.writes += 1

        return perform


@contextmanager
def clocked() -> Iterator[Clock]:
    """While it lasts every write of a store is timed."""
    clock, before = Clock(), [(owner, name, vars(owner)[name]) for owner, name in WRITES]
    for owner, name, write in before:
        setattr(owner, name, clock.timed(write))
    try:
        yield clock
    finally:
        for owner, name, write in before:
            setattr(owner, name, write)


def bakeoff(folder: Path) -> dict[str, Any]:
    """A run with the default model, on the machine as it is; no fault is injected."""
    from advisor import Wishes, advise

    started = time.perf_counter()
    wishes = Wishes(effort="quick", examples=EXAMPLES, heldout=HELDOUT, approaches=APPROACHES)
    with clocked() as clock:
        verdict = advise(TASK, out=folder, wishes=wishes)
    return {
        "task": TASK,
        "cases": sum(len(each.scores) for each in verdict.evaluations),
        "seconds": time.perf_counter() - started,
        "writes": clock.writes,
        "store_s": clock.seconds,
    }
