"""Real runs of approaches that only wait, on one worker and on more: what an imagined run is held against.

Workers that sleep do not take each other's processor, so a machine with two cores can tell how four of them share a run.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.contract import Benchmark, Candidate
from benchmarks.executors.in_process import Executor
from benchmarks.running.models import Models
from benchmarks.running.plan import Options, Unit
from benchmarks.running.run import Run
from benchmarks.running.scheduler import NullEvents
from benchmarks.storage.store import UnitResult
from benchmarks.studies.faults_injected.price import clocked
from benchmarks.studies.scale.imagined import Cluster, Times
from strategies.contract import Outcome, Prediction, Query, Sampling, Task, Usage, Workbench


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Takes so many seconds to fit and for each answer, which is always the same."""

    name: str
    simplicity: int
    fit_s: float
    answer_s: float
    family: ClassVar[str] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Waiting:
        time.sleep(self.fit_s)
        return self

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        time.sleep(self.answer_s * len(queries))
        used = Usage(model="waiting", step="answering", seconds=self.answer_s)
        for query in queries:
            yield query.key, Prediction(text="yes", usage=(used,))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, folder: Path, bench: Workbench) -> Waiting:
        return self

    def describe(self) -> Mapping[str, Any]:
        return {"waits": self.answer_s, "selection_score": 0.0}


def candidates(count: int, fit_s: float, answer_s: float) -> list[Candidate]:
    """Of which each takes a little longer than the one before."""
    found = []
    for number in range(count):
        times = 1 + number / 4
        strategy: Any = Waiting(
            name=f"waiting {number}", simplicity=number, fit_s=fit_s * times, answer_s=answer_s * times
        )
        found.append(Candidate(name=strategy.name, strategy=strategy, model=""))
    return found


@dataclass
class Timed(NullEvents):
    """When units were begun and over, in seconds of one clock."""

    begun: dict[str, float] = field(default_factory=dict)
    over: dict[str, tuple[Unit, float]] = field(default_factory=dict)

    def started(self, unit: Unit, number: int, total: int) -> None:
        self.begun[unit.name] = time.perf_counter()

    def finished(self, unit: Unit, done: UnitResult) -> None:
        self.over[unit.name] = unit, time.perf_counter()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A real run: seconds from the first unit handed out to the last one stored, each unit's own, and those of a write."""

    seconds: float
    units: Sequence[tuple[str, str, float]]
    """(candidate, kind, seconds) in the order in which they were over."""
    write: float


def measured(benchmark: Benchmark, asked: Sequence[Candidate], executor: Executor, folder: Path) -> Measured:
    events = Timed()
    run = Run(
        benchmark=benchmark,
        candidates=asked,
        models=Models(()),
        options=Options(),
        folder=folder,
        events=events,
        executor=executor,
    )
    with clocked() as clock:
        run.execute()
    units = [(unit.candidate, unit.kind, over - events.begun[name]) for name, (unit, over) in events.over.items()]
    last = max(over for _, over in events.over.values())
    return Measured(seconds=last - min(events.begun.values()), units=units, write=clock.seconds / len(units))


def learnt(alone: Measured) -> tuple[dict[str, Times], Cluster]:
    """Times of each kind of unit from a run on one worker, whose first unit also waited for it to start."""
    (first, kind, whole), *rest = alone.units
    by: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for candidate, name, seconds in rest:
        by[candidate][name].append(seconds - alone.write)
    mean = {
        candidate: {name: sum(seconds) / len(seconds) for name, seconds in kinds.items()}
        for candidate, kinds in by.items()
    }
    known = mean[first].get(kind) or min(kinds[kind] for kinds in mean.values() if kind in kinds)
    mean[first].setdefault(kind, known)
    start = max(0.0, whole - known - alone.write)
    return {name: Times(by_kind=kinds) for name, kinds in mean.items()}, Cluster(
        workers=1, start=start, write=alone.write
    )
