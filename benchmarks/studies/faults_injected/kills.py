"""SIGKILL at random moments of a run, resumed until it ends: what is lost, repeated or wrong, and how soon it goes on."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.studies.faults_injected.children import DONE, KILLED, Death, Ended, Tell, child
from benchmarks.studies.faults_injected.stored import Stored, compared

Work = Callable[[Path], Callable[[Tell], int]]
"""Of a run folder, the work that is left in it."""
MOST_KILLS = 8
"""Of one run; after so many it may end."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The run that nobody interrupted."""

    stored: Stored
    order: Sequence[str]
    seconds: float


def whole_run(work: Work, place: Path) -> Whole:
    """Performs it. Raises `RuntimeError` where even that does not end."""
    ended = child(work(place / "whole"), place / "whole.err")
    if ended.code != DONE:
        raise RuntimeError(f"the uninterrupted run ended with {ended.code}: {ended.errors[-2000:]}")
    return Whole(stored=Stored.of(place / "whole"), order=ended.units(), seconds=ended.seconds)


def attempt(work: Work, whole: Whole, place: Path, seed: int) -> Iterator[dict[str, Any]]:
    """One run with up to `MOST_KILLS` kills: a row for each kill, and one for the end."""
    dice, folder = random.Random(seed), place / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    wanted, told = dice.randint(1, MOST_KILLS), list[str]()
    kept: dict[str, int] = {}
    repeated = kills = 0
    while True:
        death = _death(dice, whole, len(kept)) if kills < wanted else None
        ended = child(work(folder), place / "killed.err", death)
        told += ended.units()
        found = Stored.of(folder)
        repeated += sum(found.starts.get(name, 0) != starts for name, starts in kept.items())
        kept = {name: found.starts[name] for name in found.finished}
        row = _row(ended, found, whole, told)
        if ended.code != KILLED:
            yield {"end": True, "kills": kills, "repeated": repeated, "missing": _missing(found, whole), **row}
            return
        kills += 1
        yield {"end": False, "number": kills, **row}


def _death(dice: random.Random, whole: Whole, finished: int) -> Death:
    """At a moment of the run, or shortly after one of the units that are left has begun or was stored: most take no time."""
    if dice.random() < 0.5:
        return Death(seconds=dice.uniform(0.01, 0.6) * whole.seconds)
    return Death(seconds=dice.uniform(0.0, 0.05), told=dice.randint(0, 2 * max(1, len(whole.order) - finished) - 1))


def _row(ended: Ended, found: Stored, whole: Whole, told: Sequence[str]) -> dict[str, Any]:
    at = ended.told[-1] if ended.told else {}
    return {
        "code": ended.code,
        "traceback": ended.traceback,
        "seconds": round(ended.seconds, 3),
        "in": at.get("kind", "start") if at.get("what") == "started" else "between units" if at else "start",
        "first_work_s": ended.first_work(),
        "finished": len(found.finished),
        **asdict(compared(found, whole.stored, whole.order, told)),
    }


def _missing(found: Stored, whole: Whole) -> int:
    """Units of the whole run that are not there in the end."""
    return len(set(whole.stored.finished) - set(found.finished))
