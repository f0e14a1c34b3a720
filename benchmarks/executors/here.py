"""Performs units one after another in this process; and what every executor is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from benchmarks.executors.desk import Desk
from benchmarks.running.others import BESIDE, Watch
from benchmarks.running.pending import Pending
from benchmarks.running.plan import Unit
from benchmarks.running.remembering import Memory
from benchmarks.running.work import Job
from benchmarks.storage.store import Finished
from strategies.models.measured import cores


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


class _OfEvents(BaseException):
    """Carries what a person's own events raised out of a unit, past everything that takes an `Exception` for the approach's."""

    def __init__(self, error: Exception) -> None:
        self.error = error


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
                try:
                    desk.events.progress(begun, done, total, what)
                except Exception as error:
                    raise _OfEvents(error) from error

        worker = job.worker(desk.journal, Memory(kept=desk.store), tell)
        while (begun := units.take()) is not None:
            watch = Watch.begin()
            try:
                done = worker.perform(begun, job.candidates[begun.candidate])
            except _OfEvents as carried:
                raise carried.error from carried.error.__cause__
            model = job.candidates[begun.candidate].model
            own = begun.kind == "answer" and not (model and job.models.answered_elsewhere(model))
            yield _with_what_ran_beside(done, watch) if own else done


def _with_what_ran_beside(done: Finished, watch: Watch) -> Finished:
    """Its seconds are too high by what other programs took, where the system says how much that was."""
    busy = watch.others()
    return done if busy is None else replace(done, note={**(done.note or {}), BESIDE: [busy / cores(), watch.seconds]})
