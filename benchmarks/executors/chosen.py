"""From what a person writes to an executor."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.executors.in_process import Executor, InProcessExecutor
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
        return InProcessExecutor()
    place, _, address = on.partition(":")
    if workers is None and not address:
        workers = cores()
    if on == "processes" and workers:
        from benchmarks.executors.processes import ProcessExecutor

        _must_start_processes()
        return ProcessExecutor(workers=workers)
    if place == "ray":
        from benchmarks.executors.on_ray import RayExecutor

        _must_not_be_connected()
        return RayExecutor(address=address, workers=workers)
    raise BadInput(f"--on is {on!r}; it is one of {HERE}, processes, ray, or ray:HOST:PORT for a cluster that runs.")


def _must_start_processes() -> None:
    """Raises `BadInput` where this process can start none, or none that could begin: each reads the script of this one first."""
    main = sys.modules.get("__main__")
    script = None if getattr(main, "__spec__", None) else getattr(main, "__file__", None)
    if multiprocessing.current_process().daemon:
        raise BadInput(
            "--on processes starts processes, and this one may start none: it is a daemon, as those of multiprocessing.Pool are. "
            "Leave it out here."
        )
    if script is not None and not Path(script).is_file():
        raise BadInput(
            f"--on processes starts processes that read the script of this one, and {script} is no file. Write the script to a "
            'file such as compare.py, with the comparison below `if __name__ == "__main__":`.'
        )


def _must_not_be_connected() -> None:
    """Raises `BadInput` where Ray is in use in this process, which can be connected with one cluster at a time."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        raise BadInput(
            "This process is connected with Ray already, and --on ray makes a connection of its own. Call ray.shutdown() first."
        )
