"""What the speed study keeps: one line for each measurement, written as it ends, and the figures made from them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.studies.settings import ROWS, commit
from strategies.models.measured import machine

FILE = ROWS / "speed.jsonl"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One repetition by one contender: `amount` of `unit` (cases, tokens, FLOP) in `seconds`."""

    table: str
    task: str
    who: str
    session: str
    """When the turns began that this one belongs to: only figures of one session are set against each other."""
    seconds: float
    amount: float
    unit: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    machine: str = field(default_factory=machine)
    commit: str = field(default_factory=commit)

    @property
    def rate(self) -> float:
        """Of the unit, a second."""
        return self.amount / self.seconds


def read(file: Path = FILE) -> list[Measure]:
    """All measurements; a last line that was cut off is left out."""
    if not file.is_file():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            found.append(Measure(**json.loads(line)))
        except ValueError:
            continue
    return found


def add(measure: Measure, file: Path = FILE) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(measure), ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class Figure:
    """What one contender reached in one session."""

    who: str
    measures: tuple[Measure, ...]

    @property
    def rates(self) -> list[float]:
        return [row.rate for row in self.measures]

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    @property
    def last(self) -> Measure:
        return self.measures[-1]


def figures(rows: Sequence[Measure], table: str, task: str) -> dict[str, Figure]:
    """By contender, in the order of their turns, of the newest session."""
    own = [row for row in rows if row.table == table and row.task == task]
    newest = [row for row in own if row.session == max(other.session for other in own)]
    return {
        who: Figure(who, tuple(row for row in newest if row.who == who))
        for who in dict.fromkeys(row.who for row in newest)
    }


def ratio(found: Mapping[str, Figure], ours: str, peer: str) -> float | None:
    """How many times as quick; None where one of them was not measured."""
    return found[ours].median / found[peer].median if ours in found and peer in found else None


def session() -> str:
    """Names turns that begin now; later ones sort behind it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
