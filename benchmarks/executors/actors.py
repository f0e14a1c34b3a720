"""What runs inside a Ray cluster: a worker, the mailbox that carries its questions to the writer, and files on their way."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from benchmarks.contract import BadInput
from benchmarks.executors.remote import RemoteWorker, Share, fault_values
from benchmarks.running.plan import Unit
from benchmarks.running.reuse import whole_program
from benchmarks.running.work import Job
from strategies.models.meeting import over

SERVERS = "servers"
"""Where workers of a machine meet at servers of the run, below its folder there."""
ENDS_S = 15.0
"""A server may take so long to end."""
Files = Mapping[str, bytes]
"""Path below a folder -> contents."""


class Mailbox:
    """An actor beside the writer. A worker waits here for the answer to a question; the writer takes what has arrived."""

    def __init__(self) -> None:
        self._arrived = asyncio.Event()
        self._mail: list[tuple[str, Any]] = []
        self._answers: dict[str, asyncio.Future[str]] = {}

    async def ask(self, worker: str, message: str) -> str:
        """JSON of the question; JSON of the answer."""
        self._answers[worker] = asyncio.get_running_loop().create_future()
        self._put(worker, message)
        return await self._answers[worker]

    async def tell(self, worker: str, message: str) -> None:
        self._put(worker, message)

    def _put(self, worker: str, message: str) -> None:
        self._mail.append((worker, json.loads(message)))
        self._arrived.set()

    async def take(self) -> str:
        """JSON of (worker, message) of all that has arrived since, as soon as there is some."""
        await self._arrived.wait()
        mail, self._mail = self._mail, []
        self._arrived.clear()
        return json.dumps(mail)

    async def answer(self, worker: str, value: str) -> None:
        waiting = self._answers.pop(worker, None)
        if waiting is not None:
            waiting.set_result(value)


class UnitActor:
    """A worker: it keeps its models from unit to unit."""

    def __init__(self, handed: tuple[Job, str], mailbox: Any, name: str, cpus: tuple[int, Mapping[str, int]]) -> None:
        """`cpus`: those of this worker, and for each machine those that the run in one process would use there."""
        self._job, self._program = handed
        self._mailbox, self._name, self._cpus = mailbox, name, cpus
        self._unit = ""
        self._worker: RemoteWorker | None = None
        self._reports()

    def _reports(self) -> None:
        """To the writer, before anything is loaded: a worker that found no room says nothing."""
        import ray

        self._mailbox.tell.remote(self._name, json.dumps(["here", ray.get_runtime_context().get_node_id()]))

    def perform(self, unit: str, fit: Files | None) -> tuple[str, Files]:
        """The message for the writer, and the files of what was fitted. `fit` is what a unit that is none itself needs."""
        name, kind, candidate, part = json.loads(unit)
        self._unit = name
        try:
            worker = self._worker = self._worker or self._begun()
            place = worker.job.folder / "fits"
            fitted = place / worker.job.fits[candidate]
            if fit is not None and not fitted.exists():
                write_files(fit, fitted)
            done = worker.perform(Unit(name=name, kind=kind, candidate=candidate, part=part))
        except Exception as error:
            return json.dumps(["failed", fault_values(error)]), {}
        return json.dumps(["done", done]), read_files(place / name) if kind == "fit" else {}

    def _begun(self) -> RemoteWorker:
        import ray

        if whole_program() != self._program:
            raise BadInput(
                "A machine of the cluster has another version of this program than the one that runs the comparison. Install "
                "the same one on all."
            )
        threads, machines = self._cpus
        all_threads = machines.get(ray.get_runtime_context().get_node_id(), threads)
        folder = Path(tempfile.gettempdir()) / self._job.folder
        folder.mkdir(mode=0o700, exist_ok=True)
        models = self._job.models.found_here()
        if models.placement.device == "cpu":  # On a graphics card of its own a worker has a server of its own.
            models = models.sharing(folder / SERVERS)
        job = replace(self._job, folder=folder, models=models)
        share = Share(threads=threads, all_threads=all_threads, part=min(1.0, threads / all_threads))
        return RemoteWorker(job=job, ask=self._ask, tell=self._tell, share=share)

    def _ask(self, name: str, *given: Any) -> Any:
        import ray

        return json.loads(ray.get(self._mailbox.ask.remote(self._name, json.dumps(["ask", name, given]))))

    def _tell(self, done: int, total: int, what: str) -> None:
        self._mailbox.tell.remote(self._name, json.dumps(["tell", self._unit, done, total, what]))


# ---------------------------------------------------------------- files


def read_files(folder: Path) -> Files:
    """Everything below the folder; empty where there is none."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_files(files: Files, folder: Path) -> None:
    """Writes them below a folder that replaces an earlier one; another worker that did the same came first or second."""
    partial = folder.with_name(f"{folder.name}.{uuid4().hex}.partial")
    for name, contents in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"a fit holds a file that lies outside of it: {name}")
        (partial / path).parent.mkdir(parents=True, exist_ok=True)
        (partial / path).write_bytes(contents)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        partial.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(partial)


def forget(folder: str) -> None:
    """Removes the run's folder from this machine, once servers that its workers shared have ended."""
    place = Path(tempfile.gettempdir()) / folder
    over(place / SERVERS, ENDS_S)
    shutil.rmtree(place, ignore_errors=True)
