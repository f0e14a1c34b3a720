"""From what a person writes to an executor."""

from __future__ import annotations

from benchmarks.contract import BadInput
from benchmarks.executors.here import Executor, Here

HERE = "here"
MOST = 256
"""Workers at most."""


def chosen(on: str = HERE, workers: int | None = None) -> Executor:
    """`here`, or `processes` on this machine; so many workers, or one a core. Raises `BadInput`."""
    if workers is not None and not 1 <= workers <= MOST:
        raise BadInput(f"--workers is {workers}; it is a number from 1 to {MOST}.")
    if on == HERE:
        if workers is not None:
            raise BadInput("--workers says how many share the work, and one process was asked for. Add --on processes.")
        return Here()
    if on == "processes":
        from benchmarks.executors.processes import Processes
        from strategies.models.measured import cores

        return Processes(workers=workers or cores())
    raise BadInput(f"--on is {on!r}; it is one of {HERE}, processes.")
