"""A run whose units only take time: handed out by the dispatcher of real runs, on a clock that jumps from message to message."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.contract import Benchmark, Candidate
from benchmarks.executors.dispatcher import Dispatcher
from benchmarks.executors.remote import as_values
from benchmarks.executors.writer_service import WriterService
from benchmarks.running.plan import Options, units
from benchmarks.running.scheduler import NullEvents, Rules, Scheduler
from benchmarks.storage.store import UnitResult
from strategies.contract import Case

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of the units of one candidate, by kind; of a kind that is not named none."""

    by_kind: Mapping[str, float]

    def of(self, kind: str) -> float:
        return self.by_kind.get(kind, 0.0)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Workers, and what they and the one that writes take beside the work itself; all in seconds."""

    workers: int
    start: float = 0.0
    """Until a fresh worker begins its first unit."""
    write: float = 0.0
    """Of the one that writes, for each unit: taking what came, storing it, handing out the next."""
    spread: float = 0.0
    """Of the logarithm of a unit's time."""
    slow: float = 0.0
    """Share of the workers that take `slower` times as long."""
    slower: float = 1.0
    losses: float = 0.0
    """Workers that are lost in an hour of one worker's work."""
    noticed: float = 0.0
    """Until a loss is."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Seconds until everything was stored, units that were performed, workers that were lost."""

    seconds: float
    performed: int
    lost: int


@dataclass(kw_only=True)
class Imagined:
    """A `dispatcher.WorkerPool`: each message comes when its work would be done, and the clock is then there."""

    cluster: Cluster
    times: Mapping[str, Times]
    dice: random.Random
    now: float = 0.0
    lost: int = 0
    performed: int = 0
    _coming: list[tuple[float, int, int, list[Any]]] = field(default_factory=list)
    """(when, how many were sent before, worker, message)."""
    _sent: int = 0
    _fresh: set[int] = field(default_factory=set)
    _slow: dict[int, float] = field(default_factory=dict)

    def room(self) -> int:
        return self.cluster.workers

    def hire(self, number: int) -> None:
        self._fresh.add(number)
        self._slow[number] = self.cluster.slower if self.dice.random() < self.cluster.slow else 1.0

    def send(self, number: int, message: Sequence[Any]) -> None:
        _, name, kind, candidate, _ = message
        seconds = self.times[candidate].of(kind) * self._slow[number] * self.dice.lognormvariate(0, self.cluster.spread)
        begins = self.now + (self.cluster.start if number in self._fresh else 0.0)
        self._fresh.discard(number)
        lives = self.dice.expovariate(self.cluster.losses / HOUR) if self.cluster.losses else float("inf")
        if lives < seconds:
            self._comes(begins + lives + self.cluster.noticed, number, ["lost", "is gone"])
        else:
            note = {"chosen": {"of": candidate}} if kind == "fit" else None
            done = UnitResult(unit=name, kind=kind, candidate=candidate, note=note)
            self._comes(begins + seconds, number, ["done", as_values(done)])

    def _comes(self, when: float, number: int, message: list[Any]) -> None:
        self._sent += 1
        heapq.heappush(self._coming, (when, self._sent, number, message))

    def wait(self) -> None:
        self.now = max(self.now, self._coming[0][0])

    def receive(self) -> list[tuple[int, Sequence[Any]]]:
        """One at a time, since the one that writes stores each before it looks at the next."""
        _, _, number, message = heapq.heappop(self._coming)
        self.lost += message[0] == "lost"
        self.performed += message[0] == "done"
        self.now += self.cluster.write
        return [(number, message)]


class Unwritten:
    """Stands for the store of a run: nothing is kept, and nothing was there before."""

    def finished(self) -> Mapping[str, Any]:
        return {}

    def begin(self, unit: str, kind: str, candidate: str) -> None: ...

    def finish(self, done: UnitResult, fact: Any = None) -> None: ...

    def set_meta(self, key: str, value: Any) -> None: ...

    def journal(self, namespace: str) -> Any:
        raise NotImplementedError("nobody asks an imagined run")


class Able:
    """Stands for models that can do whatever an approach needs; nothing is asked of them."""

    fingerprint = name = "m"
    local, context_tokens, teacher = True, 2048, ""

    def language(self, name: str) -> Able:
        return self

    def never(self, *given: Any) -> Any:
        raise NotImplementedError("nobody asks an imagined run")

    generate = score_labels = score_narrowed = train = adapted = count = cut = never


@dataclass(frozen=True)
class Many(Sequence[Case]):
    """So many cases, of which none is made before it is asked for."""

    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self.size))]
        if not 0 <= place < self.size:
            raise IndexError(place)
        return Case(id=str(place), input=str(place), output="")


def simulated(
    benchmark: Benchmark, candidates: Sequence[Candidate], times: Mapping[str, Times], cluster: Cluster, seed: int = 0
) -> Outcome:
    """The run of these candidates on the cluster. Raises `BadInput` where too many workers are lost over one unit."""
    models: Any = Able()
    store: Any = Unwritten()
    plan = [(unit, each) for each in candidates for unit in units(benchmark, each, Options(), "imagined")]
    waiting = Scheduler(
        benchmark=benchmark,
        models=models,
        store=store,
        events=NullEvents(),
        rules=Rules(),
        candidates=candidates,
        plan=plan,
    )
    pool = Imagined(cluster=cluster, times=times, dice=random.Random(seed))
    writer = WriterService(store=store, journal=store.journal, spending=None, events=NullEvents())
    dispatcher = Dispatcher(pool=_left(pool), workers=cluster.workers, units=waiting, writer=writer)
    for done in dispatcher.run():
        waiting.finish(done)
    return Outcome(seconds=pool.now, performed=pool.performed, lost=pool.lost)


def with_cases(benchmark: Benchmark, cases: int) -> Benchmark:
    """The same with so many held-out cases."""
    heldout: Any = Many(cases)
    return replace(benchmark, heldout=heldout)


@contextmanager
def _left(pool: Imagined) -> Iterator[Imagined]:
    yield pool
