"""What a candidate takes of a run's time, and how long it takes until several workers are done with all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

PIECES = 8
"""In which what follows a fit is shared out: parts of the held-out cases, and checks."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Seconds that one candidate takes: its fit, and after that what workers may share."""

    lane: tuple[str, str]
    """Fits of one lane come one after another."""
    fit: float
    rest: float
    again: float = 0.0
    """Its training with a second seed, which one worker does in one piece."""
    waits: bool = False
    """For a server, and computes nothing."""
    memory: int = 0
    """Bytes that the fit takes at its peak where it has no language model."""

    @property
    def seconds(self) -> float:
        return self.fit + self.rest + self.again

    def times(self, factor: float) -> Work:
        return replace(self, fit=factor * self.fit, rest=factor * self.rest, again=factor * self.again)


def makespan(works: Sequence[Work], workers: int) -> float:
    """Seconds until the last worker is done, handed out as a run does it: the longest fits first, those of a lane one after
    another, and then what is left of each candidate in pieces that anybody may take."""
    free = [0.0] * workers
    lanes: dict[tuple[str, str], list[Work]] = {}
    for work in works:
        lanes.setdefault(work.lane, []).append(work)
    pieces: list[tuple[float, float]] = []
    """(when it may begin, seconds)."""
    for lane in sorted(lanes.values(), key=lambda lane: -sum(work.fit for work in lane)):
        ready = 0.0
        for work in lane:
            ready = _taken(free, ready, work.fit)
            pieces += [(ready, work.rest / PIECES)] * PIECES + [(ready, work.again)]
    for ready, seconds in sorted(pieces, key=lambda piece: (piece[0], -piece[1])):
        _taken(free, ready, seconds)
    return max(free)


def _taken(free: list[float], ready: float, seconds: float) -> float:
    """Gives the work to the worker that can begin it first; when it is done."""
    number = min(range(len(free)), key=lambda each: max(free[each], ready))
    free[number] = max(free[number], ready) + seconds
    return free[number]
