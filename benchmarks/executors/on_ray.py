"""A Ray cluster, its own on this machine or one that runs: actors that keep their models, with resources stated for each.

What was fitted travels as files through Ray's object store, so no folder has to be shared between machines, and nobody but
the process that runs the comparison writes into the run's folder.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.executors.actors import Files, Mailbox, UnitActor, forget, read_files, write_files
from benchmarks.executors.dispatcher import Dispatcher
from benchmarks.executors.nodes import NOTHING, Machines, Resources, free, held_by_others, machines, places, shared_out
from benchmarks.executors.remote import fault_values
from benchmarks.executors.writer_service import WriterService
from benchmarks.running.reuse import whole_program
from benchmarks.running.scheduler import Scheduler
from benchmarks.running.work import Job
from benchmarks.storage.store import UnitResult

_LOOPBACK = "127.0.0.1"
_ONLY_HERE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
"""On any system: nothing listens but on loopback (without it Ray puts the machine's own address in its place), and workers
are no less urgent than the process that waits for them."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE_S = 20
"""How long the machines of a cluster may take to remove what the run put there."""
BEGUN_S = 60
"""A worker that has not reported by then found no room: Ray itself would wait for ever. It reports before it loads anything."""


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """An executor: so many actors of a Ray cluster."""

    address: str = ""
    """Of a cluster that runs, such as `10.0.0.5:6379`, or `auto`. Empty: one is started on this machine for the run."""
    workers: int | None = None
    """None: one for each machine of the cluster."""

    def __post_init__(self) -> None:
        if "://" in self.address:
            raise BadInput(
                f"--on ray:{self.address} names a protocol; the run has to start on a machine of the cluster. Write its "
                "address as HOST:PORT, or ray:auto."
            )
        host, _, port = self.address.rpartition(":")
        if self.address not in ("", "auto") and not (host and port.isdigit()):
            raise BadInput(f"--on ray:{self.address} is no address. Write ray:HOST:PORT, or ray:auto.")
        if find_spec("ray") is None:
            raise BadInput("--on ray needs Ray, which is not installed: pip install 'finetune-advisor[cluster]'.")

    @property
    def elsewhere(self) -> bool:
        return bool(self.address)

    @property
    def description(self) -> str:
        number = "" if self.workers is None else f" with {self.workers} workers"
        return f"Ray on {'a cluster' if self.address else 'this machine'}{number}"

    def run(self, job: Job, units: Scheduler, writer: WriterService) -> Iterator[UnitResult]:
        machine = job.models.placement.threads
        workers = self.workers
        started = None if workers is None or self.address else workers * max(1, machine // workers)
        with _cluster(self.address, started):
            share = shared_out(machines(), free(), workers, job.models.placement.device.startswith("cuda"))
            models = job.models.for_worker(share.workers, int(share.each.cpus))
            handed = replace(job, models=models, folder=Path(f"advisor-{secrets.token_hex(8)}"))
            pool = _pool(job, handed, share.each, shared=self.elsewhere)
            yield from Dispatcher(pool=pool, workers=share.workers, units=units, writer=writer).run()


# ---------------------------------------------------------------- the cluster


@contextmanager
def _cluster(address: str, cpus: int | None) -> Iterator[None]:
    """Connected with a cluster, which is gone afterwards if it was started here: loopback only, behind a token of its own,
    without dashboard; nobody is told that it was used."""
    wanted = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "token")}
    if not address:
        wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)} | _ONLY_HERE
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    with _environment(wanted), _own_sigterm():
        import ray

        _read_again()
        try:
            if address:
                _must_answer(address)
                ray.init(address=address, **{key: value for key, value in quiet.items() if key != "include_dashboard"})
            else:
                ray.init(address="local", num_cpus=cpus, _node_ip_address=_LOOPBACK, **quiet)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            first = str(error).strip().split("\n")[0][:200]
            raise BadInput(
                f"Ray could not be reached ({first}). Check the address of --on, and that the cluster's token is in "
                "RAY_AUTH_TOKEN or in the file that RAY_AUTH_TOKEN_PATH names."
            ) from error
    from ray._private import worker

    worker._worker_logs_enabled = False  # Else Ray writes to stdout, where results go, whenever a worker dies.
    try:
        with _environment(wanted):
            yield
    finally:
        with _environment(wanted), _own_sigterm():
            ray.shutdown()  # Writes what it had kept back.
        worker._worker_logs_enabled = True
        _read_again()


def _must_answer(address: str) -> None:
    """Ray itself waits for a minute. Raises `ConnectionError`."""
    host, _, port = address.rpartition(":")
    if host:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S).close()
        except OSError as error:
            raise ConnectionError(f"nothing answers at {address}: {error}") from error


def _read_again() -> None:
    """Ray reads the environment when it is imported, which may have been before the run."""
    from ray._raylet import AuthenticationTokenLoader, Config

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray puts a handler of its own in the place of whoever handles SIGTERM."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


# ---------------------------------------------------------------- the workers


@dataclass(kw_only=True)
class _RayPool:
    """Actors by number (`dispatcher.WorkerPool`). Each that is hired gets a name that no earlier one had."""

    job: Job
    handed: Any
    """Reference to what a worker has to know."""
    each: Resources
    """Of a worker."""
    mailbox: Any
    total: Machines
    others: Machines
    """What others held when it was last looked at."""
    shared: bool
    """Whether there can be others: on a cluster of the run's own a worker that has not reported is only slow."""
    folder: Path
    """Of the run on each machine, below the folder for temporary files there."""
    actors: dict[int, Any] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    asked: dict[Any, int] = field(default_factory=dict)
    """Reference to what a unit will bring -> worker."""
    fits: dict[str, Any] = field(default_factory=dict)
    """Name of a fit -> reference to its files."""
    taking: Any
    """Reference to what arrives in the mailbox."""
    ready: list[Any] = field(default_factory=list)
    """References to what has come."""
    unsent: list[tuple[int, Sequence[Any]]] = field(default_factory=list)
    """Workers whose unit could not be sent, and why."""
    waiting: dict[int, float] = field(default_factory=dict)
    """Worker that has not reported -> when it was hired."""
    homes: dict[int, str] = field(default_factory=dict)
    """Worker -> its machine."""
    changed: float = field(default_factory=time.monotonic)
    """When it was last looked, or a worker hired or lost: Ray tells a little late what is free."""
    most: int | None = None
    """Since a worker found no room: as many as had reported then."""
    _hired: Iterator[int] = field(default_factory=count)
    _said: bool = False

    def room(self) -> int:
        """A machine that is lost takes its room along, one that joins brings some, and so do others that are done."""
        if not self.waiting and time.monotonic() - self.changed >= BEGUN_S:
            self.others = held_by_others(Counter(self.homes.values()), self.each)
            self.changed, self.most = time.monotonic(), None
        left = {name: has.less(self.others.get(name, NOTHING)) for name, has in machines().items()}
        found = places(left, self.each)
        return found if self.most is None else min(found, self.most)

    def hire(self, number: int) -> None:
        import ray

        asked: dict[str, Any] = {"num_cpus": self.each.cpus, "num_gpus": self.each.gpus}
        make = ray.remote(**asked, max_restarts=0, max_task_retries=0)(UnitActor)
        here = self.job.models.placement.threads  # Of fewer than the workers a cluster of the run's own is told more.
        cpus = (int(self.each.cpus), {name: int(has.cpus) if self.shared else here for name, has in self.total.items()})
        self.names[number] = f"{number}/{next(self._hired)}"
        self.actors[number] = make.remote(self.handed, self.mailbox, self.names[number], cpus)
        self.changed = self.waiting[number] = time.monotonic()

    def send(self, number: int, message: Sequence[Any]) -> None:
        what, *given = message
        if what == "answer":
            if number in self.names:
                self.mailbox.answer.remote(self.names[number], json.dumps(given[0]))
            return
        _, kind, candidate, _ = given
        try:
            fit = None if kind == "fit" else self._fit(candidate)
        except _no_room() as error:
            self.unsent.append((number, ["failed", _full(error)]))
            return
        self.asked[self.actors[number].perform.remote(json.dumps(given), fit)] = number

    def _fit(self, candidate: str) -> Any:
        """Files of a fit. Of as many fits as there are workers they stay in the store, which else would fill up."""
        import ray

        name = self.job.fits[candidate]
        known = self.fits.pop(name, None)
        while len(self.fits) >= len(self.actors):
            del self.fits[next(iter(self.fits))]
        self.fits[name] = ray.put(read_files(self.job.folder / "fits" / name)) if known is None else known
        return self.fits[name]

    def wait(self) -> None:
        import ray

        if self.unsent:
            return
        since = min(self.waiting.values(), default=None) if self.shared else None
        timeout = None if since is None else max(0.0, since + BEGUN_S - time.monotonic())
        self.ready, _ = ray.wait([self.taking, *self.asked], num_returns=1, timeout=timeout)

    def receive(self) -> list[tuple[int, Sequence[Any]]]:
        import ray

        ready, self.ready = self.ready, []
        heard: list[tuple[int, Sequence[Any]]] = []
        if self.taking in ready:
            numbers = {name: number for number, name in self.names.items()}
            mail = json.loads(ray.get(self.taking))
            heard = [(numbers[name], message) for name, message in mail if name in numbers]
            self.taking = self.mailbox.take.remote()
        for number, message in heard:
            if message[0] == "here":
                self.waiting.pop(number, None)
                self.homes[number] = message[1]
        told = [(number, message) for number, message in heard if message[0] != "here"]
        told += [self._brought(reference) for reference in ready if reference in self.asked]
        unsent, self.unsent = self.unsent, []
        return told + unsent + self._late()

    def _late(self) -> list[tuple[int, Sequence[Any]]]:
        """Workers that found no room: each is given up, and for a while no more are hired than there are."""
        import ray

        now = time.monotonic()
        late = [number for number, since in self.waiting.items() if self.shared and now - since >= BEGUN_S]
        for number in late:
            self.asked = {reference: worker for reference, worker in self.asked.items() if worker != number}
            ray.kill(self.actors[number])
            self._forget(number)
        if late:
            self.most = len(self.homes)
        if late and not self._said:
            self._said = True
            logging.getLogger(__name__).warning(
                "a worker found no room on the cluster within %d seconds, since others use it; those that have room do its work",
                BEGUN_S,
            )
        return [(number, ["late"]) for number in late]

    def _forget(self, number: int) -> None:
        for kept in (self.actors, self.names, self.waiting, self.homes):
            kept.pop(number, None)
        self.changed = time.monotonic()

    def _brought(self, reference: Any) -> tuple[int, Sequence[Any]]:
        import ray

        number = self.asked.pop(reference)
        try:
            text, files = ray.get(reference)
        except _no_room() as error:
            return number, ["failed", _full(error)]
        except ray.exceptions.RayError as error:
            self._forget(number)
            return number, ["lost", f"was lost with {type(error).__name__}: {_shortened(error)}"]
        self.waiting.pop(number, None)
        message: list[Any] = json.loads(text)
        if message[0] == "done":
            self._keep(message[1], files)
        return number, message

    def _keep(self, done: Mapping[str, Any], files: Files) -> None:
        """Files of a fit, into the run's folder; whole or not at all."""
        if files:
            write_files(files, self.job.folder / "fits" / done["unit"])

    def end(self) -> None:
        """No worker is left, and on no machine anything that the run put there."""
        import ray

        for actor in [*self.actors.values(), self.mailbox]:
            ray.kill(actor)
        affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        remove = ray.remote(num_cpus=0, max_retries=0)(forget)
        folder = str(self.folder)
        gone = [
            remove.options(scheduling_strategy=affinity(node_id=node, soft=False)).remote(folder) for node in self.total
        ]
        ray.wait(gone, num_returns=len(gone), timeout=PATIENCE_S)


def _no_room() -> tuple[type[Exception], ...]:
    import ray

    return (ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError)


def _full(error: Exception) -> Mapping[str, Any]:
    """What a run ends with where a fit does not fit into the object store, nor onto the disk beside it."""
    said = (
        "the files of a fit have no room on the cluster: Ray's object store is full, and so is the disk that it puts the rest on "
        f"({type(error).__name__}). Free space on that disk (--temp-dir of `ray start`), or give Ray more memory "
        "(--object-store-memory). What was finished is kept: the same command with --resume goes on."
    )
    return fault_values(BadInput(said))


def _shortened(error: Exception) -> str:
    """The line of Ray's report that says what it was, without colours: of a worker that could not be made it is the last."""
    lines = [line for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()] or [""]
    return lines[-1 if "creation task" in lines[0] else 0].strip()[:200]


@contextmanager
def _pool(job: Job, handed: Job, each: Resources, shared: bool) -> Iterator[_RayPool]:
    import ray

    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    here = affinity(node_id=ray.get_runtime_context().get_node_id(), soft=False)
    mailbox = ray.remote(num_cpus=0, max_concurrency=1000)(Mailbox).options(scheduling_strategy=here).remote()
    reference = ray.put((handed, whole_program()))
    pool = _RayPool(
        job=job,
        handed=reference,
        each=each,
        mailbox=mailbox,
        total=machines(),
        others=held_by_others({}, each),
        shared=shared,
        folder=handed.folder,
        taking=mailbox.take.remote(),
    )
    try:
        yield pool
    finally:
        pool.end()
        shutil.rmtree(Path(tempfile.gettempdir()) / handed.folder, ignore_errors=True)
