"""A second process that reads half of a training's rows: on a processor two with half of the threads each are quicker than one.

Between matrix products lie many short passes over memory that gain little from a second thread. Two processes are in
different places at a time, so that both cores have work (LOG.md). In a step the adapter's weights go one way and its
gradients the other; who trains adds them in a fixed order, so the same training gives the same numbers.
"""

from __future__ import annotations

import atexit
import logging
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
from strategies.finetuning.masters import Masters, split_like
from strategies.finetuning.packs import Encoded, Pack, losses
from strategies.models.device import memory_available

if TYPE_CHECKING:
    from strategies.models.local import LocalModel

SLOWER = 1.4
"""Times as long as with all threads a pass takes with half of them (LOG.md)."""
LEAST_WORK = 1e13
"""Bytes of weights times tokens of a training from which a second process is worth its start: some twenty seconds."""
ROOM = 1_500_000_000
"""Bytes that a second process takes beside its weights: libraries, and the states of a pass."""
PATIENCE = 120.0
"""Seconds that it waits for another training, which then need not start one."""


@dataclass
class Partner:
    """The other process, as the one that trains sees it."""

    process: subprocess.Popen[bytes]
    line: Connection
    threads: int = 0
    """That each of the two has."""

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
        """Has it load the model, while this process does."""
        self.threads = max(1, model.placement.threads // 2)
        given = replace(model, placement=replace(model.placement, threads=self.threads))
        self.line.send(("begin", given, recipe, seed))

    def ready(self) -> bool:
        """Waits until it has loaded; False, and told why, where it cannot go along."""
        try:
            why = str(self.line.recv())
        except (EOFError, OSError):
            why = "it ended while it was loading"
        if why:
            _tell(why)
        return not why

    @contextmanager
    def threads_shared(self) -> Iterator[None]:
        """This process keeps to its share of the threads."""
        import torch

        usual = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(usual)

    def ask(self, passes: Sequence[Pack], answers: int, masters: Masters) -> None:
        """Hands over passes whose losses are to be divided by `answers`. Raises OSError where it is gone."""
        self.line.send(("step", passes, answers))
        self.line.send_bytes(_bytes(masters.live))

    def losses(self, masters: Masters) -> list[float]:
        """The summed loss of each pass; their gradients are added. Raises EOFError or OSError where it is gone."""
        import torch

        found: list[float] = self.line.recv()
        flat = torch.empty_like(masters.vector)
        self.line.recv_bytes_into(flat.view(torch.uint8).numpy())
        masters.vector.grad.add_(flat)
        return found

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


_kept: list[Partner] = []
"""One that waits for the next training of this process."""


@contextmanager
def alongside(model: LocalModel, rows: Sequence[Encoded], recipe: Recipe, seed: int) -> Iterator[Partner | None]:
    """A partner for a training on these rows, which is still loading; None where there is none or it would not pay.

    Whoever leaves by an exception leaves none behind.
    """
    partner = _began(model, recipe, seed) if worth(model, rows, recipe) else None
    try:
        yield partner
        if partner is not None:
            with suppress(OSError):
                partner.line.send(("rest",))
    except BaseException:
        if partner is not None:
            partner.end()
        raise
    if partner is not None:
        _kept.append(partner)


def _began(model: LocalModel, recipe: Recipe, seed: int) -> Partner | None:
    """The one that was kept, or a new one, that has been told what to load."""
    for known in (*_kept, None):
        try:
            partner = Partner.started() if known is None else known
            if partner.alive:
                partner.begin(model, recipe, seed)
                _kept.clear()
                return partner
            partner.end()
        except OSError as error:
            if known is None:
                _tell(f"it could not be started ({error})")
    _kept.clear()
    return None


def worth(model: LocalModel, rows: Sequence[Encoded], recipe: Recipe) -> bool:
    """Whether two processes train these rows sooner than one, start included, and there is room for both."""
    place = model.placement
    startable = os.name == "posix" and bool(sys.executable) and not getattr(sys, "frozen", False)
    if not startable or place.device != "cpu" or place.threads < 2 or recipe.dropout:
        return False
    weights = sum(file.stat().st_size for file in model.folder.glob("*.safetensors"))
    tokens = sum(len(row.ids) for row in rows) * recipe.epochs
    return weights * tokens >= LEAST_WORK and memory_available() > 4 * weights + ROOM


@atexit.register
def _end_all() -> None:
    for partner in _kept:
        partner.end()


def _tell(why: str) -> None:
    logging.getLogger(__name__).warning("trains without a second process: %s", why)


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
    masters: Masters

    @classmethod
    def of(cls, model: LocalModel, recipe: Recipe, seed: int) -> _Pupil:
        import torch

        from strategies.finetuning import adapters, lowrank

        module = adapters.attach(model.base().to(getattr(torch, model.placement.dtype)), recipe, seed)
        lowrank.fold(module)
        module.train()
        return cls(module, Masters.of(module))

    def step(self, line: Connection, passes: Sequence[Pack], answers: int) -> None:
        """Answers at the end alone: until then nobody reads the line, and it takes less than one pass brings."""
        import torch

        live, found = self.masters.live, []
        flat = torch.empty(self.masters.vector.numel(), dtype=live[0].dtype)
        line.recv_bytes_into(flat.view(torch.uint8).numpy())
        with torch.no_grad():
            torch._foreach_copy_(live, split_like(flat, live))
        self.masters.vector.grad.zero_()
        for loss in losses(self.module, passes, whole=False):
            found.append(float(loss.detach()))
            (loss / answers).backward()
            self.masters.take_gradients()
        line.send(found)
        line.send_bytes(_bytes([self.masters.vector.grad]))


def _bytes(tensors: Sequence[Any]) -> Any:
    """Their values behind each other, as a buffer."""
    import torch

    return torch.cat([tensor.detach().flatten() for tensor in tensors]).view(torch.uint8).numpy()
