"""From what a person writes to an executor."""

from __future__ import annotations

from benchmarks.contract import BadInput
from benchmarks.executors.here import Executor, Here
from strategies.models.measured import cores

HERE = "here"
MOST = 256
"""Workers at most."""


def chosen(on: str = HERE, workers: int | None = None) -> Executor:
    """`here`, `processes` on this machine, or `ray` with or without the address of a cluster. Raises `BadInput`."""
    if workers is not None and not 1 <= workers <= MOST:
        raise BadInput(f"--workers is {workers}; it is a number from 1 to {MOST}.")
    if on == HERE:
        if workers is not None:
            raise BadInput(
                "--workers says how many share the work, and here it is one. Add --on processes or --on ray."
            )
        return Here()
    place, _, address = on.partition(":")
    if workers is None and not address:
        workers = cores()
    if on == "processes" and workers:
        from benchmarks.executors.processes import Processes

        return Processes(workers=workers)
    if place == "ray":
        from benchmarks.executors.on_ray import OnRay

        return OnRay(address=address, workers=workers)
    raise BadInput(f"--on is {on!r}; it is one of {HERE}, processes, ray, or ray:HOST:PORT for a cluster that runs.")
