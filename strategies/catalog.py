"""What exists, ours and installed: found by file name or entry point, imported only when it is used."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from strategies.contract import BadInput, Strategy
from strategies.traits import says

Loader = Callable[[], Any]
APPROACHES, METRICS = "finetune_advisor.approaches", "finetune_advisor.metrics"
GROUPS: Mapping[str, str] = {
    APPROACHES: "approach",
    "finetune_advisor.models": "model",
    "finetune_advisor.embedders": "embedder",
    METRICS: "metric",
    "finetune_advisor.formats": "data format",
    "finetune_advisor.datasets": "dataset",
    "finetune_advisor.reports": "report format",
}
"""Entry-point groups in which other packages offer something, and what it is."""
HOLDS: Mapping[str, tuple[str, ...]] = {
    APPROACHES: ("CANDIDATES",),
    "finetune_advisor.datasets": ("DATASET",),
    "finetune_advisor.reports": ("SUFFIX", "render"),
}
"""What the modules of a group have to hold."""


class CannotLoad(BadInput):
    """Something that another package offers cannot be imported, or lacks what it has to hold. The message is a sentence for
    people."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What another package offers."""

    kind: str
    name: str
    package: str
    """With its version."""
    fault: str = ""
    """Why it cannot be loaded; empty where it can."""


def plugins() -> tuple[Plugin, ...]:
    """All that other packages offer, loaded to see whether that works."""
    found = []
    for group, kind in GROUPS.items():
        for point in sorted(entry_points(group=group), key=lambda each: each.name):
            fault = ""
            try:
                _opened(point)
            except Exception as error:
                fault = _fault(error)
            found.append(Plugin(kind=kind, name=point.name, package=package_of(point), fault=fault))
    return tuple(found)


def loaded(point: EntryPoint) -> Any:
    """What the entry point names. Raises `CannotLoad`."""
    try:
        return _opened(point)
    except Exception as error:
        kind = GROUPS.get(point.group, "plug-in")
        raise CannotLoad(
            f"The {kind} {point.name} of the package {package_of(point)} cannot be loaded ({_fault(error)}). Correct that "
            "package, or remove it. `advisor doctor` lists all that is installed."
        ) from None


def _opened(point: EntryPoint) -> Any:
    """What it names, looked at for all that is read of it later."""
    found = point.load()
    for name in HOLDS.get(point.group, ()):
        getattr(found, name)
    for each in found.CANDIDATES if point.group == APPROACHES else ():
        if isinstance(each, type) or not isinstance(each.name, str) or not isinstance(each.simplicity, int):
            raise TypeError(f"CANDIDATES has to hold approaches, and holds {each!r}")
    if point.group == METRICS and not callable(getattr(found, "score", None) if isinstance(found, type) else found):
        raise TypeError(f"a metric is a class with score(case, text), or a function, and this is {found!r}")
    return found


def _fault(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def package_of(point: EntryPoint) -> str:
    """The package that offers it, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def package_behind(module: str) -> str:
    """The package, with its version, that offers something of the outermost package of `module`; empty where none does."""
    outermost = module.partition(".")[0]
    points = (point for group in GROUPS for point in entry_points(group=group))
    return next((package_of(point) for point in points if point.module.partition(".")[0] == outermost), "")


def discover(group: str, package: str) -> Mapping[str, Loader]:
    """Loaders by name: every module of `package` whose name begins with a letter, and every entry point of `group`.

    Nothing is imported but the package itself; an installed name never replaces one of ours.
    """
    found: dict[str, Loader] = {}
    for point in entry_points(group=group):
        found[point.name] = partial(loaded, point)
    for module in pkgutil.iter_modules(import_module(package).__path__):
        if not module.name.startswith("_"):
            found[module.name] = _importer(f"{package}.{module.name}")
    return dict(sorted(found.items()))


def _importer(name: str) -> Loader:
    return lambda: import_module(name)


def described() -> Mapping[str, str]:
    """What each approach does, as a clause, by its name; without those that do not say it (`says`), or cannot be loaded."""
    return {each.name: clause for each in usable() if (clause := says(each))}


def bringing(name: str) -> tuple[EntryPoint, ...]:
    """Where other packages offer an approach of that name. Raises `CannotLoad`."""
    points = entry_points(group=APPROACHES)
    return tuple(point for point in points if any(each.name == name for each in loaded(point).CANDIDATES))


def approaches() -> tuple[Strategy, ...]:
    """Every candidate that the approaches bring, simplest first. An approach is a module with `CANDIDATES`. Raises
    `CannotLoad`."""
    return _simplest_first(load() for load in discover(APPROACHES, "strategies.approaches").values())


def usable() -> tuple[Strategy, ...]:
    """The same without those that cannot be loaded."""

    def found() -> Iterator[Any]:
        for load in discover(APPROACHES, "strategies.approaches").values():
            with suppress(CannotLoad):
                yield load()

    return _simplest_first(found())


def _simplest_first(modules: Iterable[Any]) -> tuple[Strategy, ...]:
    brought = [each for module in modules for each in cast(tuple[Strategy, ...], module.CANDIDATES)]
    return tuple(sorted(brought, key=lambda strategy: (strategy.simplicity, strategy.name)))
