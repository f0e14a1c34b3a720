"""Performs units one after another in this process; and what every executor is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from benchmarks.executors.desk import Desk
from benchmarks.pending import Pending
from benchmarks.plan import Unit
from benchmarks.remembering import Memory
from benchmarks.store import Finished
from benchmarks.work import Job


class Executor(Protocol):
    """Where units of work are performed. It stores no results itself."""

    def run(self, job: Job, units: Pending, desk: Desk) -> Iterator[Finished]:
        """Performs all that `units` hands out and yields what each brought, as it finishes. Whoever iterates stores it
        (`Pending.finish`) before asking for the next, since that may let other units begin."""
        ...

    @property
    def told(self) -> str:
        """Where that was, for the record of the run."""
        ...

    @property
    def workers(self) -> int | None:
        """How many share the work; None: as many as the cluster has machines."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether workers may have machines of their own."""
        ...


@dataclass(frozen=True)
class Here:
    """This process."""

    @property
    def workers(self) -> int:
        return 1

    @property
    def elsewhere(self) -> bool:
        return False

    @property
    def told(self) -> str:
        return "one process"

    def run(self, job: Job, units: Pending, desk: Desk) -> Iterator[Finished]:
        begun: Unit | None = None

        def tell(done: int, total: int, what: str) -> None:
            if begun is not None:
                desk.events.progress(begun, done, total, what)

        worker = job.worker(desk.journal, Memory(kept=desk.store), tell)
        while (begun := units.take()) is not None:
            yield worker.perform(begun, job.candidates[begun.candidate])
