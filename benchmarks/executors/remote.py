"""The side of a worker in another process: it performs units and asks the writer for all that is shared."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from benchmarks.contract import BadInput, ScoreFailure
from benchmarks.costs.prices import TokenPrices
from benchmarks.costs.spending import LimitReached, SpendingBudget
from benchmarks.running.completion_cache import CompletionCache
from benchmarks.running.models import Models
from benchmarks.running.plan import Unit
from benchmarks.running.work import Job, Worker
from benchmarks.storage.store import Line, UnitResult
from strategies.contract import LanguageModel, Trial, Usage
from strategies.models.weights import ModelUnavailable

Ask = Callable[..., Any]
"""(name of the question, what belongs to it) -> the writer's answer; see `WriterService.handle`."""
EVERY_S = 0.2
"""Between two lines of progress of one worker."""
FREE = TokenPrices(model="", input=0.0, cached=0.0, output=0.0, source="")
"""Of a model for which no limit is kept."""
_FAULTS: Mapping[str, type[Exception]] = {
    kind.__name__: kind for kind in (BadInput, LimitReached, ScoreFailure, ModelUnavailable)
}
"""What is not a fault of one approach, and so ends the run with its sentence."""


# ---------------------------------------------------------------- what crosses


def as_values(done: UnitResult) -> dict[str, Any]:
    """Plain values of what a unit brought: JSON, as in the store."""
    return {
        "unit": done.unit,
        "kind": done.kind,
        "candidate": done.candidate,
        "rows": list(done.lines),
        "usage": [asdict(usage) for usage in done.usage],
        "trials": [asdict(trial) for trial in done.trials],
        "note": None if done.note is None else dict(done.note),
    }


def from_values(values: Mapping[str, Any]) -> UnitResult:
    """What `as_values` wrote."""
    return UnitResult(
        unit=values["unit"],
        kind=values["kind"],
        candidate=values["candidate"],
        rows=tuple(Line(*row) for row in values["rows"]),
        usage=tuple(Usage(**row) for row in values["usage"]),
        trials=tuple(Trial(**row) for row in values["trials"]),
        note=values["note"],
    )


def fault_values(error: Exception) -> dict[str, Any]:
    """An error as plain values, so that the writer can raise it as if it had happened there."""
    known = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _FAULTS), "")
    number = error.errno if isinstance(error, OSError) else None
    said = str(error) if known or number is not None else f"{type(error).__name__}: {error}"
    return {"kind": known, "errno": number, "said": said}


def fault(values: Mapping[str, Any]) -> Exception:
    """The error that `fault_values` told of."""
    if values["kind"]:
        return _FAULTS[values["kind"]](values["said"])
    if values["errno"] is not None:
        return OSError(values["errno"], values["said"])
    return RuntimeError(values["said"])


# ---------------------------------------------------------------- what is shared


@dataclass(frozen=True)
class RemoteJournal:
    """The journal of the run (`contract.Journal`)."""

    ask: Ask
    namespace: str

    def get(self, key: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.ask("journal", self.namespace, key)
        return found

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.ask("write", self.namespace, key, dict(value))


@dataclass(frozen=True)
class RemoteCompletionStore:
    """Answers of servers to the unit that this worker is at (`remembering.Kept`)."""

    ask: Ask

    def completions(self, unit: str) -> list[tuple[str, Mapping[str, Any]]]:
        return [(key, value) for key, value in self.ask("completions")]

    def keep_completion(self, unit: str, key: str, value: Mapping[str, Any]) -> None:
        self.ask("keep", key, dict(value))

    def forget_completions(self, unit: str) -> None:
        self.ask("forget")


@dataclass(kw_only=True)
class RemoteSpending(SpendingBudget):
    """The spending of the run: one limit for all workers, and leave for each request, also where it costs nothing or there is no
    limit. So a run that ends lets nobody send more, and knows whose answers are still on their way."""

    ask: Ask = field(repr=False)
    servers: Mapping[str, str] = field(default_factory=dict)
    """Model -> address of the server that answers for it."""
    server: str = ""
    """The one that is asked."""

    @classmethod
    def of(cls, models: Models, ask: Ask) -> Self:
        """For the models on servers that a worker has."""
        servers = {spec.name: spec.endpoint for spec in models.specs if spec.endpoint is not None}
        prices: dict[str, TokenPrices | None] = dict.fromkeys(servers, FREE)
        limit, currency = math.inf, FREE.currency
        if (kept := models.spending) is not None:
            limit, currency, prices = kept.limit, kept.currency, {**prices, **kept.prices}
        return cls(limit=limit, currency=currency, prices=prices, ask=ask, servers=servers)

    def __post_init__(self) -> None:
        """Whoever writes has looked at limit and prices."""

    def guarding(self, model: LanguageModel) -> LanguageModel:
        bound = replace(self, server=self.servers.get(model.name, ""))
        return SpendingBudget.guarding(bound, model)

    def reserve(self, worst: float) -> bool:
        granted, self.spent = self.ask("reserve", worst, self.server)
        return bool(granted)

    def shared(self, seconds: float) -> float:
        return seconds * float(self.ask("shared", self.server))

    def settle(self, worst: float, paid: float) -> None:
        self.spent = float(self.ask("settle", worst, paid, self.server))


@dataclass(kw_only=True)
class RemoteWaiting:
    """Of the seconds of a server that workers of this machine share what is this worker's own (`vllm_server.Waiting`).

    It works with the whole machine, and what this worker brings is charged as `machine` of it, so that much more is said.
    """

    ask: Ask
    machine: float
    _server: str = ""
    _part: float = 1.0
    _asked: float = 0.0

    def begins(self, server: str) -> None:
        self._server = server
        self.ask("waits", server)

    def part(self) -> float:
        if (now := time.monotonic()) - self._asked >= EVERY_S:
            self._part, self._asked = float(self.ask("shared", self._server)), now
        return self._part / self.machine

    def ends(self) -> None:
        self.ask("waited", self._server)


# ---------------------------------------------------------------- performing


@dataclass(frozen=True, kw_only=True)
class Share:
    """What of its machine a worker has: threads, those of the whole machine, and so the part of it that is charged."""

    threads: int
    all_threads: int
    part: float
    """A second on half of a machine is half of a machine second."""


@dataclass(kw_only=True)
class RemoteWorker:
    """Performs units of a job that another process writes down."""

    job: Job
    ask: Ask
    tell: Callable[[int, int, str], None]
    """Takes progress; nobody answers."""
    share: Share
    _worker: Worker = field(init=False, repr=False)
    _told: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        models = self.job.models
        self.job = replace(self.job, models=replace(models, spending=RemoteSpending.of(models, self.ask)))
        self._waits(self.share.part)
        self._worker = self.job.worker(
            lambda namespace: RemoteJournal(self.ask, namespace), self._cache, self._progress
        )

    @property
    def _cache(self) -> CompletionCache:
        return CompletionCache(store=RemoteCompletionStore(self.ask))

    def perform(self, unit: Unit) -> dict[str, Any]:
        """What the unit brought, as plain values. Faults that are not the approach's own are raised."""
        candidate = self.job.candidates[unit.candidate]
        if unit.kind != "latency":
            return as_values(self._charged(self._worker.perform(unit, candidate)))
        self._waits(1.0)
        with _Threads(self.share.all_threads, self.share.threads):  # Nothing else runs then.
            done = as_values(self._worker.perform(unit, candidate))
        self._waits(self.share.part)
        return done

    def _waits(self, part: float) -> None:
        """What this worker brings is charged as so much of its machine."""
        for server in self.job.models.servers():
            if server.place is not None:
                server.waiting = RemoteWaiting(ask=self.ask, machine=part)

    def _charged(self, done: UnitResult) -> UnitResult:
        """Seconds of models on this machine as seconds of the whole machine; a server's and a file's are what they are."""
        if self.share.part == 1.0 or self.job.candidates[done.candidate].strategy.family == "recorded":
            return done
        rows = tuple(row if isinstance(row, Line) else Line.of(row, self._seconds) for row in done.rows)
        usage = tuple(replace(spent, seconds=self._seconds(spent)) for spent in done.usage)
        return replace(done, rows=rows, usage=usage, note=self._charged_note(done))

    def _charged_note(self, done: UnitResult) -> Mapping[str, Any] | None:
        """The same of what a fit took, or another one after it, which stands beside the seconds of models."""
        note = done.note or {}
        taken = {name: note[name] for name in ("seconds", "again_seconds") if isinstance(note.get(name), float)}
        if not taken or self.job.candidates[done.candidate].model in self._served:
            return done.note
        return {**note, **{name: seconds * self.share.part for name, seconds in taken.items()}}

    def _seconds(self, usage: Usage) -> float:
        return usage.seconds if usage.model in self._served else usage.seconds * self.share.part

    @cached_property
    def _served(self) -> frozenset[str]:
        return frozenset(spec.name for spec in self.job.models.specs if spec.endpoint is not None)

    def _progress(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now - self._told >= EVERY_S:
            self._told = now
            self.tell(done, total, what)


@dataclass(frozen=True)
class _Threads:
    """While single requests are timed a worker has all threads of its machine, as what would be deployed has."""

    inside: int
    after: int

    def __enter__(self) -> None:
        self._set(self.inside)

    def __exit__(self, *_: Any) -> None:
        self._set(self.after)

    def _set(self, threads: int) -> None:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
