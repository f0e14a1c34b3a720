"""Names the code of approaches that other packages bring: an edited version is another approach under the same name."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from importlib.machinery import all_suffixes
from pathlib import Path

import strategies
from benchmarks.contract import Candidate
from strategies.contract import Strategy


def codes(candidates: Iterable[Candidate]) -> dict[str, str]:
    """Candidate -> hash of its code, for those that other packages bring; empty where all are ours."""
    found = {candidate.name: code_of(candidate.strategy) for candidate in candidates}
    return {name: code for name, code in found.items() if code}


def code_of(strategy: Strategy) -> str:
    """A hash of what Python may import of the package, or the single module, in which the approach is defined; empty for
    ours, whose code is the program's."""
    module = type(strategy).__module__
    return "" if module.partition(".")[0] == strategies.__name__ else _hash(module)


@cache
def _hash(module: str) -> str:
    """Taken once a process, which goes on with what it has loaded when a file is changed."""
    found = hashlib.sha256(module.encode())
    root, files = _source(module)
    for file in files:
        found.update(b"\x1e" + file.relative_to(root).as_posix().encode() + b"\x1f" + file.read_bytes())
    return found.hexdigest()[:12]


def _source(module: str) -> tuple[Path, list[Path]]:
    """The folder and the files of the outermost package that has one of its own, or of the module; none where it was typed in."""
    names = module.split(".")
    for end in range(1, len(names) + 1):
        known = sys.modules.get(".".join(names[:end]))
        file = getattr(known, "__file__", None)
        if file:
            place = Path(file)
            return place.parent, _importable(place.parent) if hasattr(known, "__path__") else [place]
    return Path(), []


def _importable(folder: Path) -> list[Path]:
    """In the order of their names; what Python compiled by itself is left out."""
    suffixes = tuple(all_suffixes())
    found = (path for path in folder.rglob("*") if path.name.endswith(suffixes) and path.parent.name != "__pycache__")
    return sorted(path for path in found if path.is_file())
