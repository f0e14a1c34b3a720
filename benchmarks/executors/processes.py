"""Several processes on this machine: spawned, with models that stay loaded, talking with the one that writes through pipes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.executors.remote import Share
    from benchmarks.executors.writer_service import WriterService
    from benchmarks.running.scheduler import Scheduler
    from benchmarks.running.work import Job
    from benchmarks.storage.store import UnitResult
    from strategies.models.device import Placement

# What is imported above is all that a fresh worker imports before it is told how many threads it has.

LOOK_UP_S = 0.5
"""A signal that comes in the moment before a wait begins, or to another thread, does not end the wait: so none is longer."""
_BEGUN = ["begun"]
"""A worker's first message."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class ProcessExecutor:
    """An executor: so many worker processes, each with its share of the threads."""

    workers: int

    @property
    def elsewhere(self) -> bool:
        return False

    @property
    def description(self) -> str:
        return f"{self.workers} processes"

    def share(self, placement: Placement) -> Share:
        """Of a worker: one with as many threads as the run in one process is charged as that is, whoever is idle beside it."""
        from benchmarks.executors.remote import Share

        machine = placement.threads
        threads = max(1, machine // self.workers)
        part = threads / machine if placement.device == "cpu" else 1 / self.workers  # Of a card all have their part.
        return Share(threads=threads, all_threads=machine, part=part)

    def run(self, job: Job, units: Scheduler, writer: WriterService) -> Iterator[UnitResult]:
        from dataclasses import replace

        from benchmarks.executors.dispatcher import Dispatcher

        share = self.share(job.models.placement)
        handed = replace(job, models=job.models.for_worker(self.workers, share.threads))
        yield from Dispatcher(pool=_pool(handed, share), workers=self.workers, units=units, writer=writer).run()


@dataclass(kw_only=True)
class _ProcessPool:
    """Worker processes by number (`dispatcher.WorkerPool`)."""

    job: Job
    share: Share
    processes: dict[int, Any] = field(default_factory=dict)
    pipes: dict[int, Connection] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    """Workers that came as far as their work."""
    ready: list[Any] = field(default_factory=list)
    """Pipes that hold a message."""

    def room(self) -> int:
        return sys.maxsize

    def hire(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.share.threads), daemon=True, name=f"worker {number}")
        process.start()
        theirs.close()
        self.processes[number], self.pipes[number] = process, ours
        _quietly(lambda: ours.send((self.job, self.share)))

    def send(self, number: int, message: Sequence[Any]) -> None:
        if number in self.pipes:
            _quietly(lambda: self.pipes[number].send_bytes(json.dumps(message).encode()))

    def wait(self) -> None:
        self.ready = wait(list(self.pipes.values()), LOOK_UP_S)

    def receive(self) -> list[tuple[int, Sequence[Any]]]:
        numbers = {pipe: number for number, pipe in self.pipes.items()}
        heard: list[tuple[int, Sequence[Any]]] = []
        ready, self.ready = self.ready, []
        for pipe in ready:
            number = numbers[pipe]
            try:
                message = json.loads(self.pipes[number].recv_bytes())
                self.begun.add(number)
            except (EOFError, OSError):
                message = ["lost", self._ended(number)]
                self._must_begin(number, message[1])
            if message != _BEGUN:
                heard.append((number, message))
        return heard

    def _must_begin(self, number: int, ended: str) -> None:
        """A worker imports the script that Python was started with before all else. Raises `BadInput` where that is as far as it
        came."""
        from benchmarks.contract import BadInput

        script = str(getattr(sys.modules.get("__main__"), "__file__", None) or "")
        if number not in self.begun and ended == _ended_with(1) and _may_lack_a_guard(script):
            raise BadInput(
                f"A worker ended while it read {os.path.basename(script)}, as each does before it begins. Put what calls the "
                'comparison there below `if __name__ == "__main__":`, so that no worker calls it again.'
            )

    def _ended(self, number: int) -> str:
        process = self.processes.pop(number)
        self.pipes.pop(number).close()
        process.join(5)
        code = process.exitcode
        process.close()
        return f"ended by signal {-code}" if code is not None and code < 0 else _ended_with(code)

    def end(self) -> None:
        """Nothing that a worker is at is worth waiting for: what it had finished is stored."""
        for process in self.processes.values():
            process.kill()
        for number in list(self.processes):
            self._ended(number)


def _may_lack_a_guard(script: str) -> bool:
    """Whether it is a person's: one that was installed as a command has a guard and no ending."""
    try:
        with open(script, encoding="utf-8", errors="replace") as lines:
            return script.endswith(".py") or "__name__" not in lines.read()
    except OSError:
        return False


def _ended_with(code: int | None) -> str:
    return f"ended with code {code}"


@contextmanager
def _pool(job: Job, share: Share) -> Iterator[_ProcessPool]:
    with _meeting(job) as job:
        pool = _ProcessPool(job=job, share=share)
        try:
            yield pool
        finally:
            pool.end()


@contextmanager
def _meeting(job: Job) -> Iterator[Job]:
    """Where workers meet that share the servers which the run starts; these have ended when it is left."""
    import tempfile
    from dataclasses import replace
    from pathlib import Path

    from strategies.models.meeting import over
    from strategies.models.vllm_server import STOP_S

    if not any(spec.engine for spec in job.models.specs):
        yield job
        return
    place = Path(tempfile.mkdtemp(prefix="advisor-"))
    try:
        yield replace(job, models=job.models.sharing(place))
    finally:
        over(place, STOP_S)


def _quietly(send: Any) -> None:
    """A worker that is gone is noticed where its messages are waited for."""
    try:
        send()
    except OSError:
        return


# ---------------------------------------------------------------- in the worker


def _work(pipe: Connection, threads: int) -> None:
    """The whole life of a worker: it gets the job, then units until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the one that writes ends the rest.
    for name in _THREADS:
        os.environ[name] = str(threads)
    sys.stdout = sys.stderr  # Results go to stdout, and code of a person's own may print.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _Line(pipe).say(*_BEGUN)
    job, share = pipe.recv()
    _perform_all(_Line(pipe), job, share)


def _end_with_parent() -> None:
    """Whoever writes may be killed: without it a worker has nobody to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@dataclass
class _Line:
    """A worker's end of its pipe."""

    pipe: Connection
    unit: str = ""
    """Name of the one that is being performed."""

    def say(self, *message: Any) -> None:
        self.pipe.send_bytes(json.dumps(message).encode())

    def hear(self) -> Any:
        return json.loads(self.pipe.recv_bytes())

    def ask(self, name: str, *given: Any) -> Any:
        self.say("ask", name, given)
        return self.hear()[1]

    def tell(self, done: int, total: int, what: str) -> None:
        self.say("tell", self.unit, done, total, what)


def _perform_all(line: _Line, job: Job, share: Share) -> None:
    from benchmarks.executors.remote import RemoteWorker, fault_values
    from benchmarks.running.plan import Unit

    worker = RemoteWorker(job=job, ask=line.ask, tell=line.tell, share=share)
    while True:
        try:
            _, name, kind, candidate, part = line.hear()
        except EOFError:
            return
        line.unit = name
        try:
            line.say("done", worker.perform(Unit(name=name, kind=kind, candidate=candidate, part=part)))
        except Exception as error:
            line.say("failed", fault_values(error))
