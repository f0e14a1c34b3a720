"""What exists, ours and installed: found by file name or entry point, imported only when it is used."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from strategies.contract import Strategy

Loader = Callable[[], Any]


def discover(group: str, package: str) -> Mapping[str, Loader]:
    """Loaders by name: every module of `package` whose name begins with a letter, and every entry point of `group`.

    Nothing is imported but the package itself; an installed name never replaces one of ours.
    """
    found: dict[str, Loader] = {}
    for point in entry_points(group=group):
        found[point.name] = point.load
    for module in pkgutil.iter_modules(import_module(package).__path__):
        if not module.name.startswith("_"):
            found[module.name] = _importer(f"{package}.{module.name}")
    return dict(sorted(found.items()))


def _importer(name: str) -> Loader:
    return lambda: import_module(name)


def approaches() -> tuple[Strategy, ...]:
    """Every candidate that the approaches bring, simplest first. An approach is a module with `CANDIDATES`."""
    brought: list[Strategy] = []
    for load in discover("finetune_advisor.approaches", "strategies.approaches").values():
        brought += cast(tuple[Strategy, ...], load().CANDIDATES)
    return tuple(sorted(brought, key=lambda strategy: (strategy.simplicity, strategy.name)))
