"""Which approaches cannot run since the memory does not suffice to train, while it does for the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.contract import Candidate
from benchmarks.costs.forecast import Forecast
from benchmarks.running.models import Models
from strategies.contract import Trains
from strategies.models.sizes import bytes_as_float32


class Roomy(NamedTuple):
    """What of a run the memory suffices for."""

    forecast: Forecast
    """Of what can run; where even nothing that trains is too much, of all, which says so."""
    no_room: Mapping[str, str]
    """Name of a candidate that cannot run -> why, as a sentence without its full stop."""


def with_room(
    expected: Callable[[Sequence[Candidate]], Forecast], candidates: Sequence[Candidate], models: Models
) -> Roomy:
    """Leaves out those that train the largest model, then the next, until the rest fits. `expected` foretells what some of
    the candidates take together."""
    whole = found = expected(candidates)
    wanted, no_room = list(candidates), dict[str, str]()
    while not found.fits and (trained := _trained(wanted, models)):
        largest = max(trained, key=trained.__getitem__)
        why = f"The memory does not suffice to train {largest}: {found.sentence}"
        out = [each for each in wanted if each.model == largest and Trains in each.strategy.needs]
        no_room |= {each.name: why for each in out}
        wanted = [each for each in wanted if each not in out]
        found = expected(wanted)
    return Roomy(found, no_room) if found.fits else Roomy(whole, {})


def _trained(candidates: Sequence[Candidate], models: Models) -> dict[str, int]:
    """Models of this machine that some of the candidates train -> bytes of their weights."""
    names = dict.fromkeys(each.model for each in candidates if Trains in each.strategy.needs)
    folders = {name: getattr(models.language(name), "folder", None) for name in names}
    return {name: bytes_as_float32(folder) for name, folder in folders.items() if folder is not None}
