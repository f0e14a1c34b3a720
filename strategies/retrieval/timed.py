"""Records what making things ready to be looked up, and looking them up while fitting, takes of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from strategies.contract import Embedder, Step, Usage, Workbench
from strategies.search import content_key


class Stopwatch:
    """Seconds since it was made, with those of vectors that were at hand since another approach had made them.

    So each approach pays for its own index, in whatever order they are fitted.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._spared, self._start = self._so_far(), time.perf_counter()

    def usage(self, step: Step) -> Usage:
        seconds = time.perf_counter() - self._start + self._so_far() - self._spared
        return Usage(model=self._embedder.name, step=step, seconds=seconds)

    def _so_far(self) -> float:
        """Of an embedder that keeps vectors; others make each anew."""
        return float(getattr(self._embedder, "spared_s", 0.0))


@contextmanager
def recorded(bench: Workbench, step: Step, what: Any) -> Iterator[None]:
    """Records what is done within. A fit that goes on, or is taken over, does it again, and has cost what it did at first.

    `what` names it in plain values. That the embedder is loaded for it is not part of it.
    """
    embedder = bench.embedder
    key = content_key(["looking up", step, what, embedder.fingerprint])
    embedder.embed([])
    watch = Stopwatch(embedder)
    yield
    known = bench.journal.get(key)
    usage = watch.usage(step) if known is None else Usage(**known)
    if known is None:
        bench.journal.put(key, asdict(usage))
    bench.record(usage)
