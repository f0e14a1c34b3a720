"""A server that is gone or too busy for every question: all wait for it together, and after a while nobody asks it any more."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from strategies.models.retry import Fault

IN_A_ROW = 8
"""So many tries that found no server, without an answer between them, are an outage; fewer where a question has no more."""
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 20.0
A_RETRY_S = 30.0
"""How long an outage is waited for, for each retry that a single question may have: two minutes with four."""


@dataclass(kw_only=True)
class Outage:
    """What the questions to one server know together; their threads share it, and so do later calls."""

    retries: int
    _row: int = 0
    _since: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def in_a_row(self) -> int:
        """So that the first question that nobody answers is not lost before an outage is seen."""
        return min(IN_A_ROW, self.retries + 1) if self.retries else IN_A_ROW

    def answered(self) -> None:
        """Whatever it said, it is there."""
        with self._lock:
            self._row = 0

    def waited(self, fault: Fault, stopped: threading.Event) -> Literal["no outage", "waited", "given up"]:
        """After a try that failed: waits where the server is gone for all, which uses up no question's own retries."""
        if not fault.gone:
            self.answered()
            return "no outage"
        with self._lock:
            self._row += 1
            if self._row < self.in_a_row:
                return "no outage"
            if self._row == self.in_a_row:
                self._since = time.monotonic()
            lasted = time.monotonic() - self._since
        if lasted >= A_RETRY_S * self.retries:
            return "given up"
        pause = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, lasted / 2)) * random.uniform(0.5, 1.0)
        return "given up" if stopped.wait(pause) else "waited"
