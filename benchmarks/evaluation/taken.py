"""What the seconds of a run went into: fitting and answering, the checks of what was fitted, and what was asked for besides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from benchmarks.evaluation.cascade import DERIVED
from benchmarks.running.machine_load import BESIDE
from benchmarks.storage.store import Store

MOST = 0.4
"""Share of a run's time that the checks are to take at most."""
WORK = ("fit", "answer")
WORTH_TELLING = 0.1
"""Of the cores: what other programs took from which on seconds are said to be too high."""
LONG_ENOUGH = 2.0
"""Seconds of answering from which on such shares say something: systems count time in hundredths."""
ON_REQUEST = ("curve", "planted", "rebuild", "changed", "added", "altered")
"""Kinds of units that are part of a run only where a person asks (`benchmarks.running.plan.Further`)."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds of models and of looking up, as the stored rows have them."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """By the kind of unit."""
    beside: Mapping[str, float] = field(default_factory=dict)
    """Candidate -> share of the cores that other programs kept busy while it answered, where that is worth telling."""

    @property
    def own(self) -> tuple[str, ...]:
        """Kinds of the checks that are part of any run."""
        return tuple(kind for kind in self.seconds if kind not in (*WORK, *ON_REQUEST))

    @property
    def asked_for(self) -> tuple[str, ...]:
        return tuple(kind for kind in self.seconds if kind in ON_REQUEST)

    @property
    def checks(self) -> float:
        return sum(self.seconds[kind] for kind in self.own)

    @property
    def on_request(self) -> float:
        return sum(self.seconds[kind] for kind in self.asked_for)

    @property
    def without_request(self) -> float:
        """Everything but what was asked for besides: what the share of the checks is of."""
        return sum(self.seconds.values()) - self.on_request

    @property
    def share(self) -> float | None:
        """Of the checks; None where no check took any time."""
        return self.checks / self.without_request if self.checks else None


def taken(store: Store, recorded: Collection[str] = ()) -> Taken:
    """Of all that is stored so far. What is put together from the rows of others took no time of its own, and the seconds of
    `recorded` candidates are those that their file states.

    A fit is taken as long as its unit took: of a search or training that it shares with another one, the usage rows of both
    have the seconds.
    """
    derived = {row["name"] for row in store.meta(DERIVED) or ()}
    fits = [note.get("seconds", 0.0) for name, note in store.notes("fit").items() if name not in derived]
    spent = {kind: seconds for kind, seconds in store.seconds(but={*derived, *recorded}).items() if kind != "fit"}
    return Taken(seconds={"fit": sum(fits), **spent}, beside=_beside(store))


def _beside(store: Store) -> dict[str, float]:
    sums: dict[str, tuple[float, float]] = {}
    for candidate, note in store.all_notes("answer"):
        if BESIDE in note:
            share, seconds = note[BESIDE]
            busy, whole = sums.get(candidate, (0.0, 0.0))
            sums[candidate] = busy + share * seconds, whole + seconds
    shares = {candidate: busy / whole for candidate, (busy, whole) in sums.items() if whole > 0}
    return {name: share for name, share in shares.items() if share > WORTH_TELLING and sums[name][1] >= LONG_ENOUGH}
