"""Metrics by name: one file a metric, found without a list and imported only when it is used."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from benchmarks.contract import BadInput, Metric
from strategies.catalog import loaded, package_of
from strategies.contract import Kind

__all__ = ["load", "names"]

GROUP = "finetune_advisor.metrics"
"""Entry-point group in which a package offers a metric class, or a scoring function like those of `person`."""
_FUNCTION = "person"
"""Scores with a function of one's own."""


def names() -> tuple[str, ...]:
    """Names of every metric, ours and installed, in alphabetical order. Nothing is imported."""
    return tuple(sorted({*_own(), *_installed()}))


def load(name: str, parameters: Mapping[str, Any] | None = None, kind: Kind | None = None) -> Metric:
    """The metric `name` with its parameters; `file.py:function` is short for `person` with that function. With the `kind` of a
    task, an unknown name is told those that are for it.

    Errors: BadInput for an unknown name, an unknown or missing parameter, a value that the metric refuses, or what another
    package offers and cannot be used.
    """
    given = dict(parameters or {})
    if ".py:" in name:
        name, given = _FUNCTION, {"function": name, **given}
    if name in _own():
        return _build(name, _offered(name), given)
    if name not in _installed():
        raise BadInput(_unknown("metric", name, _to_choose(kind)))
    entry = _installed()[name]
    offered = loaded(entry)
    if isinstance(offered, type):
        return _made(entry, offered, given)
    for key in given:
        raise BadInput(_unknown(f"parameter of the metric {name}", key, ()))
    built: Metric = importlib.import_module(f"{__name__}.person").Offered(function=entry.value, entry=name)
    return built


def _to_choose(kind: Kind | None) -> tuple[str, ...]:
    """Names to write for a task of that kind: all but `person`, which a function of one's own is written in place of. Of what
    other packages offer, nothing is imported, so the kind is not known."""
    ours = {name for name in _own() if kind is None or kind in _offered(name).kinds}
    return tuple(sorted({*ours, *_installed()} - {_FUNCTION}))


def _offered(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}").METRIC


def _own() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _made(entry: EntryPoint, offered: type, given: dict[str, Any]) -> Metric:
    """A metric of the class that a package offers. Raises `BadInput`."""
    shown = f"The metric {entry.name} of the package {package_of(entry)}"
    try:
        built = _build(entry.name, _whole(entry.name, offered), given)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{shown} could not be made ({type(error).__name__}: {error}). Correct that package.") from None
    if built.name != entry.name:
        raise BadInput(f"{shown} calls itself {built.name!r}. Give both the same name.")
    return built


@cache
def _whole(name: str, offered: type) -> type:
    """The class, with what is usual for what it leaves open beside `score`: called as its entry point, for every kind of task,
    graded, and summed up by the mean."""
    from benchmarks.metrics._base import EVERY_KIND, OfCases

    usual = {
        "name": name,
        "kinds": EVERY_KIND,
        "graded": True,
        "over_rows": OfCases.over_rows,
        "summarise": OfCases.summarise,
    }
    lacks = {key: value for key, value in usual.items() if not hasattr(offered, key)}
    if not lacks and dataclasses.is_dataclass(offered):
        return offered
    told = {key: getattr(offered, key) for key in ("__module__", "__qualname__", "__doc__")}
    whole = type(offered.__name__, (offered,), {**told, **lacks, "__reduce__": _by_name})
    return whole if dataclasses.is_dataclass(offered) else dataclasses.dataclass(init=False)(whole)


def _by_name(metric: Any) -> tuple[Any, ...]:
    """How a worker makes a metric whose class was completed here."""
    return load, (
        metric.name,
        {each.name: getattr(metric, each.name) for each in dataclasses.fields(metric) if each.init},
    )


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
