"""What lies in the database of a run, unit by unit, without what a clock measured: two runs can be compared by it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.running.machine_load import BESIDE

CLOCKED = ("latency",)
"""Kinds of units whose notes are what a clock measured."""
TIMED = ("seconds", BESIDE)
"""Keys of what was measured by time."""


def timeless(value: Any) -> Any:
    """Plain values without seconds."""
    if isinstance(value, Mapping):
        return {key: timeless(each) for key, each in value.items() if key not in TIMED}
    return [timeless(each) for each in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The finished units with all that they brought, how often each unit was started, and rows that belong to none of these."""

    finished: Mapping[str, str]
    """unit -> its rows, usage, trials and note as one text."""
    starts: Mapping[str, int]
    orphans: int

    @classmethod
    def of(cls, folder: Path) -> Stored:
        """Opens the database as the product does, so that what a killed process left is rolled back."""
        from benchmarks.storage.store import Store

        path = folder / "run.sqlite"
        if not path.exists():
            return cls(finished={}, starts={}, orphans=0)
        Store(path).close()
        with closing(sqlite3.connect(path)) as db:
            units = db.execute("SELECT name, kind, candidate, finished, note, runs FROM units").fetchall()
            rows = db.execute("SELECT unit, candidate, purpose, key, variant, outcome, score FROM rows").fetchall()
            more = [
                (unit, candidate, timeless(json.loads(text)))
                for table, column in (("usage", "usage"), ("trials", "trial"))
                for unit, candidate, text in db.execute(f"SELECT unit, candidate, {column} FROM {table}").fetchall()
            ]
        brought: dict[str, list[str]] = {}
        for unit, candidate, purpose, key, variant, outcome, score in rows:
            answer = timeless(json.loads(outcome))
            brought.setdefault(unit, []).append(json.dumps([candidate, purpose, key, variant, answer, score]))
        for unit, *values in more:
            brought.setdefault(unit, []).append(json.dumps(values, sort_keys=True))
        done = {name for name, _, _, finished, *_ in units if finished}
        notes = {name: "" if kind in CLOCKED else _note(note) for name, kind, _, _, note, _ in units}
        return cls(
            finished={name: "\n".join([notes[name], *sorted(brought.get(name, ()))]) for name in done},
            starts={name: runs for name, *_, runs in units},
            orphans=sum(len(lines) for name, lines in brought.items() if name not in done),
        )


def _note(text: str) -> str:
    return json.dumps(timeless(json.loads(text)), sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What of a reopened run is not as it should be."""

    lost: int
    """Units that were told to be stored and are not there."""
    wrong: int
    """Finished units that hold something else than those of the run that nobody interrupted."""
    orphans: int
    """Rows of units that are not finished."""
    out_of_order: int
    """Finished units before which one is not finished: the content is no state that the whole run went through."""


def compared(found: Stored, whole: Stored, order: Sequence[str], told: Sequence[str]) -> Compared:
    """`order` is that in which the whole run finished its units; `told` are units that were said to be stored."""
    first = len(found.finished)
    return Compared(
        lost=len(set(told) - set(found.finished)),
        wrong=sum(whole.finished.get(name) != content for name, content in found.finished.items()),
        orphans=found.orphans,
        out_of_order=len(set(found.finished) - set(order[:first])),
    )
