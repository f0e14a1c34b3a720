"""Further processes that read a part of each batch of a training: one on each other graphics card, or one on a processor.

On a processor two processes with half of the threads each are quicker than one with all: between matrix products lie many
short passes over memory that gain little from a second thread, and two processes are in different places at a time (LOG.md).
In a step the adapter's weights go one way and its gradients the other; who trains adds them in a fixed order, so the same
training gives the same numbers.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from strategies.contract import Recipe
from strategies.finetuning.master_weights import MasterWeights, split_like
from strategies.finetuning.packs import Encoded, Pack, losses
from strategies.models.device import memory_available
from strategies.models.unpickled import weight_files

if TYPE_CHECKING:
    from strategies.models.device import Placement
    from strategies.models.local import LocalModel

SLOWER = 1.4
"""Times as long as with all threads a pass takes with half of them (LOG.md)."""
LEAST_WORK = {"cpu": 1e13, "cuda": 1e15}
"""Bytes of weights times tokens of a training from which another process is worth its start: some twenty seconds. Of cards
it is reckoned, not measured: they are a hundred times as quick."""
ROOM = 1_500_000_000
"""Bytes that such a process takes beside its weights: libraries, and the states of a pass."""
PATIENCE = 120.0
"""Seconds that it waits for another training, which then need not start one."""


@dataclass
class Partner:
    """The other process, as the one that trains sees it."""

    process: subprocess.Popen[bytes]
    line: Connection
    place: Placement | None = None
    """Where it trains along; on a processor with as many threads as the one that trains then keeps."""

    @classmethod
    def started(cls) -> Partner:
        ours, theirs = socket.socketpair()
        there = "from strategies.finetuning.partner import serve"
        command = f"import sys; sys.path[:] = {sys.path!r}; {there}; serve({theirs.fileno()})"
        process = subprocess.Popen(
            [sys.executable, "-c", command],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        return cls(process, Connection(ours.detach()))

    def begin(self, model: LocalModel, recipe: Recipe, seed: int) -> None:
        """Has it load the model where that is placed, while this process does so too."""
        self.place = model.placement
        self.line.send(("begin", model, recipe, seed))

    @property
    def slower(self) -> float:
        """Times as long as alone a pass takes beside it."""
        return SLOWER if self.place is not None and self.place.device == "cpu" else 1.0

    def ready(self) -> bool:
        """Waits until it has loaded; False, and told why, where it cannot go along."""
        try:
            why = str(self.line.recv())
        except (EOFError, OSError):
            why = "it ended while it was loading"
        if why:
            _tell(why)
        return not why

    def ask(self, passes: Sequence[Pack], answers: int, masters: MasterWeights) -> None:
        """Hands over passes whose losses are to be divided by `answers`. Raises OSError where it is gone."""
        self.line.send(("step", passes, answers))
        self.line.send_bytes(_bytes(masters.live))

    def losses(self, masters: MasterWeights) -> list[float]:
        """The summed loss of each pass; their gradients are added. Raises EOFError or OSError where it is gone."""
        import torch

        found: list[float] = self.line.recv()
        flat = torch.empty(masters.vector.numel(), dtype=masters.vector.dtype)
        self.line.recv_bytes_into(flat.view(torch.uint8).numpy())
        masters.vector.grad.add_(flat.to(masters.vector.device))
        return found

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


_kept: list[Partner] = []
"""Those that wait for the next training of this process."""


@contextmanager
def threads_shared(partners: Sequence[Partner]) -> Iterator[None]:
    """This process keeps to its share of the threads, where one of these computes on the same processor."""
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(min((each.place.threads for each in partners if each.place is not None), default=usual))
    try:
        yield
    finally:
        torch.set_num_threads(usual)


@contextmanager
def alongside(model: LocalModel, rows: Sequence[Encoded], recipe: Recipe, seed: int) -> Iterator[Sequence[Partner]]:
    """Partners for a training on these rows, which are still loading; none where they would not pay.

    Whoever leaves by an exception leaves none behind.
    """
    partners: list[Partner] = []
    try:
        for place in places(model, rows, recipe):
            partner = _began(replace(model, placement=place), recipe, seed)
            if partner is not None:
                partners.append(partner)
        yield partners
        for partner in partners:
            with suppress(OSError):
                partner.line.send(("rest",))
    except BaseException:
        for partner in partners:
            partner.end()
        raise
    _kept.extend(partners)


def _began(model: LocalModel, recipe: Recipe, seed: int) -> Partner | None:
    """One that was kept, or a new one, that has been told what to load."""
    while True:
        known = _kept.pop() if _kept else None
        try:
            partner = Partner.started() if known is None else known
            if partner.alive:
                partner.begin(model, recipe, seed)
                return partner
            partner.end()
        except OSError as error:
            if known is None:
                _tell(f"it could not be started ({error})")
        if known is None:
            return None


def places(model: LocalModel, rows: Sequence[Encoded], recipe: Recipe) -> tuple[Placement, ...]:
    """Where further processes train these rows along, so that it is over sooner, their start included, and all have room."""
    place = model.placement
    startable = os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)
    if not startable or recipe.dropout or model.quantised:
        return ()
    weights = sum(file.stat().st_size for file in weight_files(model.folder))
    tokens = sum(len(row.ids) for row in rows) * recipe.epochs
    if weights * tokens < LEAST_WORK.get(place.device.partition(":")[0], math.inf):
        return ()
    shared = place.threads // 2 if place.device == "cpu" else place.threads
    others = (place.device,) if place.device == "cpu" else place.beside
    return tuple(
        replace(place, device=device, threads=shared, beside=())
        for device in others
        if shared and memory_available(device) > 4 * weights + ROOM
    )


@atexit.register
def _end_all() -> None:
    for partner in _kept:
        partner.end()


def _tell(why: str) -> None:
    logging.getLogger(__name__).warning("trains without another process: %s", why)


# ---------------------------------------------------------------- in the other process


def serve(descriptor: int) -> None:
    """Its whole life: it trains along until the other end of the line is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the one that trains ends this one.
    line, pupil = Connection(descriptor), None
    with suppress(EOFError, OSError):
        while pupil is not None or line.poll(PATIENCE):
            what, *given = line.recv()
            if what == "step" and pupil is not None:
                pupil.step(line, *given)
                continue
            pupil = None  # What it holds goes before the next model comes.
            if what == "begin":
                pupil = _loaded(line, *given)


def _loaded(line: Connection, model: LocalModel, recipe: Recipe, seed: int) -> _Pupil | None:
    try:
        pupil = _Pupil.of(model, recipe, seed)
    except Exception as error:
        line.send(f"{type(error).__name__}: {error}")
        return None
    line.send("")
    return pupil


@dataclass
class _Pupil:
    """The model with its adapter, as the one that trains has it."""

    module: Any
    masters: MasterWeights
    smoothing: float

    @classmethod
    def of(cls, model: LocalModel, recipe: Recipe, seed: int) -> _Pupil:
        from strategies.finetuning import adapters, lowrank

        module = adapters.attach(model.placed(model.base()), recipe, seed)
        lowrank.fold(module)
        module.train()
        return cls(module, MasterWeights.of(module), recipe.smoothing)

    def step(self, line: Connection, passes: Sequence[Pack], answers: int) -> None:
        """Answers at the end alone: until then nobody reads the line, and it takes less than one pass brings."""
        import torch

        live, found = self.masters.live, []
        flat = torch.empty(self.masters.vector.numel(), dtype=live[0].dtype)
        line.recv_bytes_into(flat.view(torch.uint8).numpy())
        with torch.no_grad():
            torch._foreach_copy_(live, split_like(flat.to(live[0].device), live))
        self.masters.vector.grad.zero_()
        for loss in losses(self.module, passes, False, self.smoothing):
            found.append(float(loss.detach()))
            (loss / answers).backward()
            self.masters.take_gradients()
        line.send(found)
        line.send_bytes(_bytes([self.masters.vector.grad]))


def _bytes(tensors: Sequence[Any]) -> Any:
    """Their values behind each other, as a buffer."""
    import torch

    return torch.cat([tensor.detach().flatten() for tensor in tensors]).cpu().view(torch.uint8).numpy()
