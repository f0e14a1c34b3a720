"""Metrics by name: one file a metric, found without a list and imported only when it is used."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from benchmarks.contract import BadInput, Metric
from strategies.catalog import loaded

__all__ = ["load", "names"]

GROUP = "finetune_advisor.metrics"
"""Entry-point group in which a package offers a metric class, or a scoring function like those of `person`."""


def names() -> tuple[str, ...]:
    """Names of every metric, ours and installed, in alphabetical order. Nothing is imported."""
    return tuple(sorted({*_own(), *_installed()}))


def load(name: str, parameters: Mapping[str, Any] | None = None) -> Metric:
    """The metric `name` with its parameters; `file.py:function` is short for `person` with that function.

    Errors: BadInput for an unknown name, an unknown or missing parameter, or a value that the metric refuses.
    """
    given = dict(parameters or {})
    if ".py:" in name:
        name, given = "person", {"function": name, **given}
    if name in _own():
        return _build(name, importlib.import_module(f"{__name__}.{name}").METRIC, given)
    if name not in _installed():
        raise BadInput(_unknown("metric", name, names()))
    entry = _installed()[name]
    offered = loaded(entry)
    if isinstance(offered, type):
        return _build(name, offered, given)
    for key in given:
        raise BadInput(_unknown(f"parameter of the metric {name}", key, ()))
    built: Metric = importlib.import_module(f"{__name__}.person").Offered(function=entry.value, entry=name)
    return built


def _own() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _build(name: str, metric: Any, given: dict[str, Any]) -> Metric:
    parameters = [field for field in dataclasses.fields(metric) if field.init]
    allowed = [field.name for field in parameters]
    for key in given:
        if key not in allowed:
            raise BadInput(_unknown(f"parameter of the metric {name}", key, tuple(allowed)))
    for field in parameters:
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in given:
            raise BadInput(f"The metric {name} needs the parameter `{field.name}`. Add it to the metric.")
    built: Metric = metric(**given)
    return built


def _unknown(what: str, given: str, allowed: tuple[str, ...]) -> str:
    close = get_close_matches(given, allowed, n=1, cutoff=0.0)
    nearest = f" The nearest is `{close[0]}`." if close else ""
    listed = f"Allowed: {', '.join(allowed)}." if allowed else "It takes none: leave it out."
    return f"`{given}` is not a {what}.{nearest} {listed}"
