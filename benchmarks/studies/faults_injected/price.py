"""What writing everything down costs: the time spent in the store and on checkpoints while a run goes on, as a share of it and
by the case; and the same run with nothing forced onto the disk and no checkpoint, beside it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from benchmarks.storage.journal import StoredJournal
from benchmarks.storage.store import Store
from strategies.finetuning.checkpoints import Checkpoints

WRITES = (
    *((Store, name) for name in ("begin", "finish", "keep_completion", "forget_completions", "set_meta")),
    (StoredJournal, "put"),
    (Checkpoints, "write"),
)
TASK, EXAMPLES, HELDOUT = "support-intents", 60, 100
APPROACHES = ("majority", "copy nearest", "linear head", "prompting", "lora")


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


@contextmanager
def nothing_durable() -> Iterator[None]:
    """While it lasts a store leaves it to the system when something reaches the disk, and no training writes a checkpoint."""
    opened, due = Store._open, Checkpoints.due

    def opens(self: Store, path: Path) -> None:
        opened(self, path)
        db: sqlite3.Connection = self._db
        db.execute("PRAGMA journal_mode=MEMORY")
        db.execute("PRAGMA synchronous=OFF")

    def at_once(self: Store, statement: str, values: Any) -> None:
        self._db.execute(statement, values)

    before = Store._at_once
    Store._open, Store._at_once = opens, at_once  # type: ignore[method-assign]
    Checkpoints.due = property(lambda _: False)  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        Store._open, Store._at_once, Checkpoints.due = opened, before, due  # type: ignore[method-assign]


def bakeoff(folder: Path, durable: bool) -> dict[str, Any]:
    """A run with the default model, on the machine as it is; no fault is injected."""
    from advisor import Wishes, advise

    started, used = time.perf_counter(), os.times()
    wishes = Wishes(
        effort="quick", examples=EXAMPLES, heldout=HELDOUT, approaches=APPROACHES, second_seed=False, probes="none"
    )
    with nullcontext() if durable else nothing_durable(), clocked() as clock:
        verdict = advise(TASK, out=folder, wishes=wishes)
    done = os.times()
    return {
        "task": TASK,
        "durable": durable,
        "cases": sum(len(each.scores) for each in verdict.evaluations),
        "seconds": time.perf_counter() - started,
        "processor_s": done.user + done.system - used.user - used.system,
        "writes": clock.writes,
        "store_s": clock.seconds,
    }
