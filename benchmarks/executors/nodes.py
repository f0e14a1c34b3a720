"""For how many workers the machines of a Ray cluster have room: what each machine has, less what others hold of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.contract import BadInput


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Processors and graphics cards: of a machine, of a worker, or free. Others may hold a part of a card."""

    cpus: float
    gpus: float = 0

    def places(self, each: Resources) -> int:
        """How many workers that take so much have room."""
        places = int(self.cpus // each.cpus)
        return min(places, int(self.gpus // each.gpus)) if each.gpus else places

    def less(self, other: Resources, times: int = 1) -> Resources:
        """What is left; never less than nothing, since Ray tells a little late what is free."""
        return Resources(cpus=max(0, self.cpus - times * other.cpus), gpus=max(0, self.gpus - times * other.gpus))


Machines = Mapping[str, Resources]
"""Ray's name of a machine -> what is there."""
NOTHING = Resources(cpus=0)


@dataclass(frozen=True, kw_only=True)
class Share:
    """How a cluster is shared out: at most so many workers, and what each of them takes."""

    workers: int
    each: Resources


def machines() -> Machines:
    """Those that are there, with all that they have."""
    import ray

    found = {node["NodeID"]: _has(node["Resources"]) for node in ray.nodes() if node["Alive"]}
    return {name: has for name, has in found.items() if has.cpus}


def free() -> Machines:
    """What nobody holds at the moment; a machine may be missing."""
    from ray._private.state import available_resources_per_node

    return {name: _has(resources) for name, resources in available_resources_per_node().items()}


def held_by_others(ours: Mapping[str, int], each: Resources) -> Machines:
    """What is neither free nor held by our own workers, of whom so many are on each machine."""
    unused = free()
    return {name: has.less(unused.get(name, NOTHING)).less(each, ours.get(name, 0)) for name, has in machines().items()}


def places(found: Machines, each: Resources) -> int:
    return sum(has.places(each) for has in found.values())


def shared_out(total: Machines, unused: Machines, asked: int | None, cuda: bool) -> Share:
    """As many processors for each worker as go round, of those that are free where these are enough.

    `asked` is the number of workers; None: one for each machine. Fewer than asked are said where cards are too few, or
    others hold what they would take. Raises `BadInput` where none could begin.
    """
    least = Resources(cpus=1, gpus=int(cuda))
    useful = {name: has for name, has in total.items() if has.places(least)}
    if not useful:
        raise BadInput(
            "the models run on CUDA, and no machine of the cluster has a graphics card that Ray knows. Start Ray with "
            "--num-gpus, or set ADVISOR_DEVICE=cpu."
            if cuda
            else "no machine of the cluster has a processor. Start Ray with --num-cpus."
        )
    workers = _workers(useful, asked, cuda)
    now = {name: unused.get(name, NOTHING) for name in useful}
    cpus = _cpus_each(now, asked and workers, least) or _cpus_each(useful, asked and workers, least)
    each = Resources(cpus=cpus, gpus=least.gpus)
    beginning = places(now, each)
    if not beginning:
        raise BadInput(
            f"No worker has room on the cluster now: each takes {_counted(cpus, 'processor')}{' and a graphics card' * cuda}, "
            "and others use them. Try again when they are done, or take another cluster."
        )
    if beginning < workers:
        logging.getLogger(__name__).warning(
            "%d of %d workers have room on the cluster now, since others use it; more are hired once there is room",
            beginning,
            workers,
        )
    return Share(workers=workers, each=each)


def _workers(useful: Machines, asked: int | None, cuda: bool) -> int:
    if asked is None:
        return len(useful)
    most = places(useful, Resources(cpus=1, gpus=int(cuda)))
    if most >= asked:
        return asked
    if not cuda:
        raise BadInput(
            f"{asked} workers were asked for, and the cluster has {_counted(most, 'processor')}. Take fewer workers."
        )
    logging.getLogger(__name__).warning(
        "%s in place of %d: on CUDA each takes a graphics card of its own", _counted(most, "worker"), asked
    )
    return most


def _cpus_each(found: Machines, workers: int | None, least: Resources) -> int:
    """As many processors as each of the workers can have; with no number of workers, those of the smallest machine.

    0 where there is no room for so many.
    """
    able = [has for has in found.values() if has.places(least)]
    if not workers:
        return min((int(has.cpus) for has in able), default=0)
    most = max((int(has.cpus) for has in able), default=0)
    fitting = (
        cpus
        for cpus in range(most, 0, -1)
        if sum(has.places(Resources(cpus=cpus, gpus=least.gpus)) for has in able) >= workers
    )
    return next(fitting, 0)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _has(resources: Mapping[str, float]) -> Resources:
    return Resources(cpus=resources.get("CPU", 0), gpus=resources.get("GPU", 0))
