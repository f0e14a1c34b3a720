"""Names the code of approaches that other packages bring, and of metrics: an edited version is another under the same name."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.machinery import ModuleSpec, all_suffixes
from pathlib import Path

import strategies
from benchmarks import metrics
from benchmarks.contract import Candidate, Metric
from benchmarks.metrics.person import Person
from strategies.contract import Strategy

_TAKEN: dict[str, tuple[ModuleSpec | None, str]] = {}
"""Module -> its spec when its files were hashed first, which is another once it is loaded again, and their hash."""


def codes(candidates: Iterable[Candidate]) -> dict[str, str]:
    """Candidate -> hash of its code, for those that other packages bring; empty where all are ours."""
    found = {candidate.name: code_of(candidate.strategy) for candidate in candidates}
    return {name: code for name, code in found.items() if code}


def code_of(strategy: Strategy) -> str:
    """A hash of what Python may import of the package, or the single module, in which the approach is defined; empty for
    ours, whose code is the program's."""
    module = type(strategy).__module__
    return "" if module.partition(".")[0] == strategies.__name__ else _hash(module)


def metric_code(metric: Metric) -> str:
    """The same of a metric. Of ours, which are no part of the program's code, of its module and of those that serve them all."""
    return _hash(_module_of(metric))


def foreign_metric_code(metric: Metric) -> str:
    """As `metric_code`; empty for ours. A file beside the task is a parameter of `person`, which holds its hash."""
    return "" if _is_our_metric(_module_of(metric)) else metric_code(metric)


def _module_of(metric: Metric) -> str:
    where = metric.function.rpartition(":")[0] if isinstance(metric, Person) else ""
    return where if where and not where.endswith(".py") else type(metric).__module__


def _is_our_metric(module: str) -> bool:
    return module.startswith(f"{metrics.__name__}.")


def _hash(module: str) -> str:
    """Of the files as they are. Where they were changed and the module was not loaded again the process goes on with what it
    has, which a new one would not load: that is named by both versions, and is neither."""
    now, spec = _contents(module), getattr(sys.modules.get(module), "__spec__", None)
    if module not in _TAKEN or _TAKEN[module][0] is not spec:
        _TAKEN[module] = (spec, now)
    known = _TAKEN[module][1]
    return now if now == known else hashlib.sha256(f"{known}|{now}".encode()).hexdigest()[:12]


def _contents(module: str) -> str:
    root, files = _source(module)
    stamped = ((file, file.stat()) for file in files)
    return _read(module, root, tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stamped))


@lru_cache(maxsize=64)
def _read(module: str, root: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    """The hash of files as they were at these times, with these sizes."""
    found = hashlib.sha256(module.encode())
    for file, *_ in files:
        found.update(b"\x1e" + file.relative_to(root).as_posix().encode() + b"\x1f" + file.read_bytes())
    return found.hexdigest()[:12]


def _source(module: str) -> tuple[Path, list[Path]]:
    """The folder and the files of the outermost package that has one of its own, or of the module; none where it was typed in."""
    names = module.split(".")
    whole = [module] if _is_our_metric(module) else [".".join(names[:end]) for end in range(1, len(names) + 1)]
    for known in map(sys.modules.get, whole):
        file = getattr(known, "__file__", None)
        if file:
            return Path(file).parent, _importable(Path(file), hasattr(known, "__path__"), _is_our_metric(module))
    return Path(), []


def _importable(file: Path, package: bool, ours: bool) -> list[Path]:
    """The file, with all of its package, or with what serves our metrics, in the order of their names; what Python compiled by
    itself is left out."""
    suffixes = tuple(all_suffixes())
    beside = file.parent.rglob("*") if package else file.parent.glob("_[!_]*") if ours else ()
    found = (path for path in {file, *beside} if path.name.endswith(suffixes) and path.parent.name != "__pycache__")
    return sorted(path for path in found if path.is_file())
