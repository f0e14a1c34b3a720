"""Performs units one after another in this process; and what every executor is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from benchmarks.executors.writer_service import WriterService
from benchmarks.running.completion_cache import CompletionCache
from benchmarks.running.machine_load import BESIDE, LoadMonitor
from benchmarks.running.plan import Unit
from benchmarks.running.scheduler import Scheduler
from benchmarks.running.work import Job
from benchmarks.storage.store import UnitResult
from strategies.models.measured import cores


class Executor(Protocol):
    """Where units of work are performed. It stores no results itself."""

    def run(self, job: Job, units: Scheduler, writer: WriterService) -> Iterator[UnitResult]:
        """Performs all that `units` hands out and yields what each brought, as it finishes. Whoever iterates stores it
        (`Scheduler.finish`) before asking for the next, since that may let other units begin."""
        ...

    @property
    def description(self) -> str:
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
class InProcessExecutor:
    """An executor: this process."""

    @property
    def workers(self) -> int:
        return 1

    @property
    def elsewhere(self) -> bool:
        return False

    @property
    def description(self) -> str:
        return "one process"

    def run(self, job: Job, units: Scheduler, writer: WriterService) -> Iterator[UnitResult]:
        begun: Unit | None = None

        def tell(done: int, total: int, what: str) -> None:
            if begun is not None:
                try:
                    writer.events.progress(begun, done, total, what)
                except Exception as error:
                    raise _OfEvents(error) from error

        worker = job.worker(writer.journal, CompletionCache(store=writer.store), tell)
        while (begun := units.take()) is not None:
            monitor = LoadMonitor.begin()
            try:
                done = worker.perform(begun, job.candidates[begun.candidate])
            except _OfEvents as carried:
                raise carried.error from carried.error.__cause__
            model = job.candidates[begun.candidate].model
            own = begun.kind == "answer" and not (model and job.models.answered_elsewhere(model))
            yield _with_what_ran_beside(done, monitor) if own else done


def _with_what_ran_beside(done: UnitResult, monitor: LoadMonitor) -> UnitResult:
    """Its seconds are too high by what other programs took, where the system says how much that was."""
    busy = monitor.others()
    return (
        done if busy is None else replace(done, note={**(done.note or {}), BESIDE: [busy / cores(), monitor.seconds]})
    )
