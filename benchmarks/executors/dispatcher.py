"""Hands units to several workers, answers what they ask, and gives a lost worker's unit to another one."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.contract import BadInput
from benchmarks.executors.deferred_signals import DeferredSignals
from benchmarks.executors.remote import fault, from_values
from benchmarks.executors.writer_service import WriterService
from benchmarks.running.plan import Unit
from benchmarks.running.scheduler import Scheduler
from benchmarks.storage.store import UnitResult

LOSSES = 3
"""So many workers may be lost over one unit before the run stops."""


class WorkerPool(Protocol):
    """Workers by number, and a way to talk with each. A message is a list: what it is, and what belongs to it."""

    def room(self) -> int:
        """For how many workers there is room now, those that were hired included."""
        ...

    def hire(self, number: int) -> None:
        """Starts a worker of that number, which takes messages from now on."""
        ...

    def send(self, number: int, message: Sequence[Any]) -> None:
        """`perform` and a unit, or `answer` and a value. To a worker that was lost nothing is sent, and that is told."""
        ...

    def wait(self) -> None:
        """Until there is a message. It may be interrupted, and no message is lost by that."""
        ...

    def receive(self) -> list[tuple[int, Sequence[Any]]]:
        """What there is: `ask` with name and values, `tell` with the name of the unit and progress, `done` with what it
        brought, `failed` with a fault, `lost` with how that worker ended, `late` where it never began."""
        ...


@dataclass(kw_only=True)
class Dispatcher:
    """One run on a pool of at most `workers`, which are hired as there is work for them."""

    pool: AbstractContextManager[WorkerPool]
    """When it is left no worker is."""
    workers: int
    units: Scheduler
    writer: WriterService
    _idle: dict[int, str] = field(default_factory=dict)
    """Worker -> the candidate that it has at hand."""
    _busy: dict[int, Unit] = field(default_factory=dict)
    _losses: Counter[str] = field(default_factory=Counter)
    _fault: BaseException | None = None
    """What the run ends with."""
    _interrupted: bool = False

    def run(self) -> Iterator[UnitResult]:
        """What units brought, as they finish. Raises what a worker could not go on with, or the first interruption, once all
        answers of servers that were on their way are written down; a second interruption at once."""
        with self.pool as pool, DeferredSignals() as signals:
            try:
                self._hand_out(pool)
                while self._busy and not (self._fault is not None and not self.writer.under_way):
                    self._listen(pool, signals)
                    for number, message in pool.receive():
                        done = self._heard(pool, number, message)
                        if done is not None:
                            self._hand_out(pool)  # Nobody waits until it is written down.
                            yield done
                    self._hand_out(pool)
            finally:
                for number in self._busy:
                    self.writer.lost(number)
            if self._fault is None and not pool.room():
                self._fault = BadInput(
                    "No machine is left on which a worker has room. What was finished is kept: the same command with --resume "
                    "goes on once there is one."
                )
        if self._fault is not None:
            raise self._fault

    def _listen(self, pool: WorkerPool, signals: DeferredSignals) -> None:
        """Waits for messages. The first interruption closes the service, and what a server is answering is waited for."""
        try:
            with signals.open():
                pool.wait()
        except KeyboardInterrupt as error:
            if self._interrupted:
                raise
            self._interrupted = True
            signals.release()
            self._fault = self._fault or error
            self.writer.close()
            self._answer(pool)
            if self.writer.under_way:
                said = "interrupted: %d answers that are on their way are waited for; interrupt again to end at once"
                logging.getLogger(__name__).warning(said, self.writer.under_way)

    def _hand_out(self, pool: WorkerPool) -> None:
        most = min(self.workers, pool.room()) if self._fault is None else 0
        while len(self._busy) < most:
            number = self._next_free()
            unit = self.units.take(self._idle.get(number, ""))
            if unit is None:
                return
            if number not in self._idle:
                pool.hire(number)
            self._idle.pop(number, None)
            self._busy[number] = unit
            pool.send(number, ["perform", unit.name, unit.kind, unit.candidate, unit.part])

    def _next_free(self) -> int:
        """A worker that waits, or the lowest number that is not taken."""
        return next(iter(self._idle), next(number for number in range(self.workers) if number not in self._busy))

    def _heard(self, pool: WorkerPool, number: int, message: Sequence[Any]) -> UnitResult | None:
        what, *given = message
        if number not in self._busy:
            if what == "lost":  # While it waited: another one is hired when there is work.
                self._idle.pop(number, None)
            return None
        unit = self._busy[number]
        done = None
        if what == "ask":
            self.writer.handle(number, unit, given[0], given[1])
        elif what == "tell":
            if given[0] == unit.name:
                self.writer.events.progress(unit, *given[1:])
        elif what == "done":
            done = from_values(given[0])
            self._rests(number)
        elif what == "failed":
            self._fault = self._fault or fault(given[0])
            self.writer.close()
            self._rests(number)
        elif what == "late":
            self._back(number)
        else:
            self._lost(number, str(given[0]))
        self._answer(pool)
        return done

    def _answer(self, pool: WorkerPool) -> None:
        for asker, value in self.writer.outbox:
            pool.send(asker, ["answer", value])
        self.writer.outbox.clear()

    def _rests(self, number: int) -> None:
        self.writer.rests(number)
        self._idle[number] = self._busy.pop(number).candidate

    def _back(self, number: int) -> Unit:
        """The unit goes back, to be performed by whoever comes next; another worker of that number is hired for it."""
        unit = self._busy.pop(number)
        self.writer.lost(number)
        self.units.again(unit)
        return unit

    def _lost(self, number: int, how: str) -> None:
        unit = self._back(number)
        self._losses[unit.name] += 1
        if self._losses[unit.name] == LOSSES and self._fault is None:
            self._fault = BadInput(
                f"{LOSSES} workers were lost, one after another, over the same work ({unit.kind} of {unit.candidate}); the last "
                f"one {how}. If memory ran out, take fewer workers or a smaller model. What was finished is kept: the same "
                "command with --resume goes on."
            )
            self.writer.close()
