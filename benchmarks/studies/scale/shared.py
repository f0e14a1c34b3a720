"""Real runs that several workers share, beside the run in one process: the same rows, the time, and what is lost on the way."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.storage.outcomes import text_of
from benchmarks.storage.store import Store
from benchmarks.studies.faults_injected.stored import Stored, compared
from benchmarks.studies.scale.real import Asked, Disturbance, Life, lived, lived_together

CASES = {"light": 100_000, "default": 2_000, "heavy": 1_000}
"""Held-out cases of the runs of each kind."""
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Of the answering, at which the memory of the process that writes is noted."""
TIMED = ("light", "default")
"""Those whose times are compared."""
ROOM = "room in the object store"
STORE = 80_000_000
"""Bytes of the object store of a machine where two of the heavy fits do not fit at once: the least that Ray takes."""
STOPPED_S = 30.0
"""So long a worker that is slow does nothing at all."""
MACHINES = 3
ROUNDS = 5
"""Of light runs that nothing disturbs, each after all of the one before: on a busy machine single times tell little."""


Key = tuple[str, str, int, str]


def key(row: Mapping[str, Any]) -> Key:
    """Which setting a row is of."""
    return (row["what"], row["on"], row["workers"], row["lost"])


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One real run. `lost` says what is taken from it on the way."""

    what: str
    on: str
    workers: int
    lost: str = ""

    @property
    def key(self) -> Key:
        return (self.what, self.on, self.workers, self.lost)

    @property
    def rounds(self) -> int:
        return ROUNDS if self.what == "light" and not self.lost and self.on != "cluster" else 1


SETTINGS = (
    *(Setting(what=what, on="here", workers=1) for what in TIMED),
    *(Setting(what=what, on="by hand", workers=2) for what in TIMED),
    *(Setting(what=what, on="processes", workers=workers) for what in TIMED for workers in (1, 2)),
    *(Setting(what=what, on="ray", workers=2) for what in TIMED),
    Setting(what="light", on="cluster", workers=MACHINES),
    Setting(what="light", on="processes", workers=2, lost="a worker"),
    Setting(what="light", on="processes", workers=2, lost="the driver"),
    Setting(what="light", on="processes", workers=2, lost="time of one worker"),
    Setting(what="light", on="cluster", workers=MACHINES, lost="a worker"),
    Setting(what="light", on="cluster", workers=MACHINES, lost="a machine"),
    Setting(what="light", on="cluster", workers=MACHINES, lost="the driver"),
    Setting(what="heavy", on="here", workers=1),
    Setting(what="heavy", on="cluster", workers=MACHINES, lost=ROOM),
)
"""The first of each kind is the run that the others are held against."""


def performed(setting: Setting, place: Path, cases: int) -> dict[str, Any]:
    """One row: how long the run took, and what of it is not as in the run in one process, whose folder lies in `place`."""
    name = "-".join(map(str, (setting.what, setting.on, setting.workers, setting.lost))).replace(" ", "_").rstrip("-")
    for old in place.glob(f"{name}*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    asked = Asked(what=setting.what, folder=str(place / name), cases=cases, on=setting.on, workers=setting.workers)
    if setting.on == "by hand":
        halves = [
            replace(asked, on="here", workers=None, half=half, folder=f"{asked.folder}-{half}") for half in (1, 2)
        ]
        lives = lived_together(halves)
        return _told(setting, cases, lives)
    if setting.on == "here":
        lives = [lived(replace(asked, workers=None))]
    elif setting.lost == ROOM:
        lives = _without_room(asked)
    else:
        with _machines(setting.on) as (address, environment, lose):
            lives = _lives(replace(asked, on=address or setting.on), setting.lost, environment, lose)
    found, whole = Path(asked.folder), place / f"{setting.what}-here-1"
    told = _told(setting, cases, lives) | _compared(Stored.of(found), Stored.of(whole), lives)
    return told | {"answers_changed": answers_changed(found, whole)}


def _lives(asked: Asked, lost: str, environment: Mapping[str, str], lose: Callable[[], None]) -> list[Life]:
    """The run with one thing lost on the way, when about two fifths of the work are done; gone on with where it ended."""
    ways: Mapping[str, Callable[[subprocess.Popen[str]], None]] = {
        "a worker": partial(_to_a_worker, signal.SIGKILL),
        "a machine": lambda _: lose(),
        "the driver": lambda process: process.kill(),
        "time of one worker": _stopped,
    }
    after = asked.cases // 128 * 4 * 2 // 5
    lives = [lived(asked, environment, Disturbance(after=after, disturb=ways[lost]) if lost else None)]
    return [*lives, lived(asked, environment)] if lost == "the driver" else lives


def _without_room(asked: Asked) -> list[Life]:
    """The run on machines whose object store is full, and so is the disk beside it; gone on with where that has room."""
    lives = []
    for more in ({"RAY_local_fs_capacity_threshold": "0.001"}, {}):
        with _machines(asked.on, more, object_store_memory=STORE) as (address, environment, _):
            lives.append(lived(replace(asked, on=address), environment))
    if "object store is full" not in lives[0].errors:
        raise RuntimeError(f"the object store was not full: {lives[0].errors[-2000:]}")
    return lives


def _told(setting: Setting, cases: int, lives: list[Life]) -> dict[str, Any]:
    """What each run told; raises `RuntimeError` where one ended otherwise than it should."""
    for place, life in enumerate(lives):
        due = {"the driver": -signal.SIGKILL, ROOM: 1}.get(setting.lost, 0) if place == 0 else 0
        if life.code != due:
            raise RuntimeError(f"{setting.key} ended with {life.code}: {life.errors[-2000:]}")
    together = max if setting.on == "by hand" else sum
    memory = lives[-1].memory_mb()
    return {
        "what": setting.what,
        "on": setting.on,
        "workers": setting.workers,
        "lost": setting.lost,
        "cases": cases,
        "seconds": round(together(life.seconds for life in lives), 1),
        "memory_mb": [round(memory[round(share * (len(memory) - 1))], 1) for share in SHARES],
    }


def _compared(found: Stored, whole: Stored, lives: list[Life]) -> dict[str, Any]:
    told = [name for life in lives for name in life.finished()]
    at_odds = compared(found, whole, list(whole.finished), told)
    return {
        "units": len(found.finished),
        "missing": len(set(whole.finished) - set(found.finished)) + at_odds.lost,
        "different": at_odds.wrong + at_odds.orphans,
        "repeated": sum(count > 1 for count in Counter(told).values()),
        "again": sum(starts - 1 for starts in found.starts.values()),
    }


def answers_changed(found: Path, whole: Path) -> int:
    """Held-out answers with another text or score, or without one, whatever their last digits."""
    answers, expected = _answers(found), _answers(whole)
    return sum(answers.get(name) != answer for name, answer in expected.items())


def _answers(folder: Path) -> dict[tuple[str, str], tuple[str, float]]:
    with closing(Store(folder / "run.sqlite")) as store:
        return {
            (row.candidate, row.key): (text_of(row.outcome), row.score)
            for name in store.candidates()
            for row in store.rows(name, "heldout")
        }


# ---------------------------------------------------------------- what is lost


def _workers_of(process: subprocess.Popen[str]) -> list[Any]:
    """Processes in which units are performed, of this run or of the cluster that this process started."""
    import psutil

    marks = ("spawn_main", "UnitActor")
    below = [*psutil.Process(process.pid).children(recursive=True), *psutil.Process().children(recursive=True)]
    return [each for each in below if any(mark in part for part in each.cmdline() for mark in marks)]


def _to_a_worker(number: int, process: subprocess.Popen[str]) -> None:
    _workers_of(process)[0].send_signal(number)


def _stopped(process: subprocess.Popen[str]) -> None:
    worker = _workers_of(process)[0]
    worker.send_signal(signal.SIGSTOP)
    threading.Timer(STOPPED_S, worker.send_signal, [signal.SIGCONT]).start()


@contextmanager
def _machines(
    on: str, more: Mapping[str, str] | None = None, **each: int
) -> Iterator[tuple[str, Mapping[str, str], Callable[[], None]]]:
    """For a cluster: its address, the environment that may use it, and a way to lose one of its machines. `more` is part of the
    environment of all, and `each` says what a machine has."""
    if on != "cluster":
        yield "", {}, lambda: None
        return
    from benchmarks.executors import on_ray

    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    environment |= {**on_ray._ONLY_HERE, **(more or {})}
    os.environ.update(environment)
    on_ray._read_again()
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **each})
    try:
        others = [cluster.add_node(num_cpus=1, **each) for _ in range(MACHINES - 1)]
        yield f"ray:{cluster.address}", environment, lambda: cluster.remove_node(others[0], allow_graceful=False)
    finally:
        cluster.shutdown()
        for name in environment:
            del os.environ[name]
