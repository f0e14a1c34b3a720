"""Shares out the time of one server among the workers that wait for it, so that its hours are counted once."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Waited:
    """Each second in which workers wait for the server is divided among these. Within a worker it is divided among the
    requests under way (`strategies.models.together`), so both together add up to the seconds in which anybody waited."""

    clock: Callable[[], float] = time.perf_counter
    _under_way: Counter[int] = field(default_factory=Counter, repr=False)
    """Worker -> its requests to this server."""
    _since: float = 0.0
    _whole: dict[int, float] = field(default_factory=lambda: defaultdict(float), repr=False)
    """Worker -> seconds in which it waited since it was last told its part of them."""
    _own: dict[int, float] = field(default_factory=lambda: defaultdict(float), repr=False)
    """The same with each second divided."""

    def begins(self, worker: int) -> None:
        self._go_on()
        self._under_way[worker] += 1

    def ends(self, worker: int) -> None:
        """One request is over; none is where none was under way."""
        self._go_on()
        self._under_way[worker] -= self._under_way[worker] > 0

    def leaves(self, worker: int) -> None:
        """All its requests are over, and what it waited for falls to nothing that comes later."""
        self._go_on()
        self._under_way.pop(worker, None)
        self._whole.pop(worker, None)
        self._own.pop(worker, None)

    def part(self, worker: int) -> float:
        """Of the time in which the worker waited since it was last asked for, the part that is its own: 1 where no other did."""
        self._go_on()
        whole, own = self._whole.pop(worker, 0.0), self._own.pop(worker, 0.0)
        return own / whole if whole else 1.0

    def _go_on(self) -> None:
        now = self.clock()
        waiting = [worker for worker, requests in self._under_way.items() if requests]
        for worker in waiting:
            self._whole[worker] += now - self._since
            self._own[worker] += (now - self._since) / len(waiting)
        self._since = now
