"""Tasks by name: the bundled ones, each a folder with data only, and the public datasets, each one small file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.specs.spec import Spec, read_spec
from strategies.catalog import discover

__all__ = ["BundledTask", "NamedTask", "find", "names"]

GROUP = "finetune_advisor.datasets"
"""Entry-point group in which a package offers a module with `DATASET`."""

_FOLDER = Path(__file__).parent
_PUBLIC = "benchmarks.tasks.public"


class NamedTask(Protocol):
    """A task that is asked for by name."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str:
        """Where the data comes from and under which licence, in one line for people."""
        ...

    def open(self) -> tuple[Spec, Path]:
        """The spec, and the folder in which the files that it names lie. Raises `BadInput`."""
        ...


@dataclass(frozen=True, kw_only=True)
class BundledTask:
    """A task that comes with the product: a folder with a task.yaml."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def origin(self) -> str:
        return "synthetic, written for this product (Apache-2.0)"

    def open(self) -> tuple[Spec, Path]:
        """The spec, and its folder. Raises `BadInput`."""
        return read_spec(self.folder / "task.yaml")


def names() -> tuple[str, ...]:
    """Names of every task, bundled ones first, each part in alphabetical order. Nothing is read or imported."""
    bundled = sorted(path.parent.name for path in _FOLDER.glob("*/task.yaml"))
    return (*bundled, *(name for name in discover(GROUP, _PUBLIC) if name not in bundled))


def find(name: str) -> NamedTask | None:
    """The task of that name, or None where there is none. Reads and downloads no data: `open` does."""
    if (_FOLDER / name / "task.yaml").is_file() and name in names():
        return BundledTask(folder=_FOLDER / name)
    load = discover(GROUP, _PUBLIC).get(name)
    if load is None:
        return None
    task: NamedTask = load().DATASET
    return task
