"""Records what making things ready to be looked up, and looking them up while fitting, takes of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from strategies.contract import Step, Usage, Workbench


@contextmanager
def timed(bench: Workbench, step: Step, calls: int = 1) -> Iterator[None]:
    """Records the seconds of what is done within, under the name of the embedder.

    `calls` is 0 for what a search that goes on may not have to do again, so that their number is that of one that was never
    cut off.
    """
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    bench.record(Usage(model=bench.embedder.name, step=step, seconds=seconds, calls=calls))


@contextmanager
def indexed(bench: Workbench, step: Step = "index", calls: int = 1) -> Iterator[None]:
    """The same for building an index, with the seconds of vectors that another approach had made before.

    Each approach pays for its own index, in whatever order they are fitted. That the embedder is loaded for it is not part
    of it.
    """
    embedder = bench.embedder
    embedder.embed([])
    before, start = _spared(embedder), time.perf_counter()
    yield
    seconds = time.perf_counter() - start + _spared(embedder) - before
    bench.record(Usage(model=embedder.name, step=step, seconds=seconds, calls=calls))


def _spared(embedder: object) -> float:
    """Of an embedder that keeps vectors; others make each anew."""
    return float(getattr(embedder, "spared_s", 0.0))
