"""Holds interruptions back while what workers say is dealt with, so that none of their questions stays without its answer."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

_SIGNALS = [number for name in ("SIGINT", "SIGTERM", "SIGALRM") if (number := getattr(signal, name, None)) is not None]
"""Ctrl-C, the wish that the process ends, and the alarm of `benchmarks.running.deadline`."""


@dataclass
class DeferredSignals:
    """Within it what handles a signal is called only while `open`, or at the end; after `release` at once, as before it.

    Elsewhere than in the main thread, where no signal is handled, it does nothing.
    """

    _before: dict[int, Callable[[int, Any], Any]] = field(default_factory=dict)
    _waiting: list[int] = field(default_factory=list)
    _open: bool = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._arrived)
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.release()
        if kind is None:
            self._deliver()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Whatever has arrived is raised here, and so is what arrives."""
        self._open = True
        try:
            self._deliver()
            yield
        finally:
            self._open = False

    def release(self) -> None:
        """Nothing is held back any more."""
        self._open = True
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _arrived(self, number: int, frame: Any) -> None:
        if self._open or number in self._waiting:  # Who presses twice does not wait for what may hang.
            self._before[number](number, frame)
        else:
            self._waiting.append(number)

    def _deliver(self) -> None:
        while self._waiting:
            number = self._waiting.pop()
            self._before[number](number, None)
