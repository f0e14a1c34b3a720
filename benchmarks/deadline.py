"""Ends the work of a run when the time that a person gave it is over, wherever it is then: what was finished is stored."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.contract import BadInput

AGAIN_S = 120.0
"""So long answers that are on their way are waited for; then they are not."""
LONGEST_HOURS = 10_000


class TimeUp(KeyboardInterrupt):
    """The time is over. As with any other interruption nothing is lost that was finished."""


def checked(hours: float) -> float:
    """Raises `BadInput` where that is no time that work can take."""
    if not (math.isfinite(hours) and 0 < hours <= LONGEST_HOURS):
        raise BadInput(f"--max-hours is {hours:g}; give hours above 0 and up to {LONGEST_HOURS:,}, such as 2 or 0.5.")
    return hours


@contextmanager
def within(hours: float | None) -> Iterator[None]:
    """Raises `TimeUp` in the work once it is over; None: it may take as long as it takes.

    Raises `BadInput` where the system has no such alarm, or the work is not done in the main thread.
    """
    if hours is None:
        yield
        return

    def end(*_: object) -> None:
        raise TimeUp

    try:
        before = signal.signal(signal.SIGALRM, end)
    except (AttributeError, ValueError):
        raise BadInput("--max-hours needs Linux or macOS, and the main thread. Leave it out.") from None
    signal.setitimer(signal.ITIMER_REAL, checked(hours) * 3600, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
