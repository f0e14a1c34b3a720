"""Shares out time among requests that are under way at once, so that their seconds add up to those that passed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Together:
    """Each second is divided among the requests that are under way in it: eight at once for ten seconds are ten seconds of a
    machine, and not eighty."""

    clock: Callable[[], float] = time.perf_counter
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _under_way: int = 0
    _since: float = 0.0
    _each: float = 0.0
    """Seconds of a request that had been under way from the beginning."""

    def begin(self) -> float:
        """What `end` takes."""
        with self._lock:
            self._go_on()
            self._under_way += 1
            return self._each

    def end(self, begun: float) -> float:
        """The seconds that fall to the request."""
        with self._lock:
            self._go_on()
            self._under_way -= 1
            return self._each - begun

    def _go_on(self) -> None:
        now = self.clock()
        if self._under_way:
            self._each += (now - self._since) / self._under_way
        self._since = now
