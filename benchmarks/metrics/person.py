"""A person's own scoring function, taken from a Python file or an installed module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.contract import BadInput, ScoreFailure
from benchmarks.metrics._base import EVERY_KIND, OfCases
from strategies.contract import Case, Kind

PERSON = "person"
_ALONE = "With a run, and on other machines, the file is alone: what it reads beside itself is not brought along."


@dataclass(frozen=True, kw_only=True)
class Person(OfCases):
    """Scores with `function`, written `file.py:function` (or `package.module:function` for an installed one).

    The function takes (input: str, output: str, accepted: list[str], metadata: dict), where `output` is the answer to
    score, and returns a number in [0, 1]. It runs with all rights of the person who starts it, so `allow_code` must be
    true. A path is relative to `folder` and stays inside it; without one it is relative to the working directory. The file is
    run as it was when the metric was made, on machines that have none too. What it reads beside itself is known to nobody.
    Errors: BadInput where the function cannot be used, or takes other arguments; ScoreFailure where it raises or returns
    something else.
    """

    kinds: ClassVar[frozenset[Kind]] = EVERY_KIND
    graded: ClassVar[bool] = True

    function: str
    allow_code: bool = field(default=False, compare=False, repr=False)
    folder: str = field(default="", compare=False, repr=False)
    when_scored: bool = field(default=False, compare=False, repr=False)
    """The function is loaded once there is something to score: a stored run is told without it."""
    source_sha256: str = field(init=False, default="")
    """Hash of the file, so that two versions of a function are two metrics; empty for an installed module, of which
    `benchmarks.running.foreign` takes one."""
    source: bytes = field(init=False, default=b"", compare=False, repr=False)
    """What stands in the file."""

    @property
    def name(self) -> str:
        return PERSON

    def __post_init__(self) -> None:
        if self.allow_code is not True:
            raise BadInput(
                f"The metric `{self.function}` runs Python code of its own, which is off. "
                "Read the code, then start again with --allow-code."
            )
        if not isinstance(self.function, str) or self.function.count(":") < 1:
            raise BadInput(f"`function` of the metric person is {self.function!r}; write file.py:function.")
        where, _, _ = self.function.rpartition(":")
        if where.endswith(".py"):
            object.__setattr__(self, "source", self._path(where).read_bytes())
            object.__setattr__(self, "source_sha256", hashlib.sha256(self.source).hexdigest())
        if not self.when_scored:
            _must_take_four(self.function, self._callable())

    def score(self, case: Case, text: str) -> float:
        try:
            function = self._callable()
        except BadInput as error:
            raise ScoreFailure(f"{error} {_ALONE}") from error
        try:
            value = function(case.input, text, list(case.accepted), dict(case.metadata))
        except Exception as error:
            raise ScoreFailure(f"`{self.function}` raised {type(error).__name__} on case {case.id}: {error}") from error
        if not isinstance(value, Real) or not 0 <= float(value) <= 1:
            raise ScoreFailure(
                f"`{self.function}` returned {value!r} on case {case.id}; it must return a number in [0, 1]."
            )
        return float(value)

    def _callable(self) -> Callable[..., Any]:
        where, _, name = self.function.rpartition(":")
        if where.endswith(".py"):
            return _from_file(str(Path(self.folder, where).resolve()), name, self.source)
        return _from_module(where, name)

    def _path(self, where: str) -> Path:
        path = (Path(self.folder) / where).resolve()
        if self.folder and not path.is_relative_to(Path(self.folder).resolve()):
            raise BadInput(f"`{where}` lies outside the folder of the spec. Put the file next to the spec.")
        if not path.is_file():
            raise BadInput(f"There is no file `{where}`. Write a Python file, a colon and the function.")
        return path


@dataclass(frozen=True, kw_only=True)
class Offered(Person):
    """A function that an installed package offers as a metric: it is called as its entry point, takes no parameters, and runs
    as the package's other code does."""

    entry: str = field(compare=False)
    allow_code: bool = field(default=True, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.entry


class _Read(SourceLoader):
    """Loads a module from what stood in its file."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str | bytes) -> bytes:
        return self.source


@lru_cache(maxsize=16)
def _from_file(path: str, name: str, source: bytes) -> Callable[..., Any]:
    """The function of a file, run once for each content."""
    loader, called = _Read(path, source), f"person_metric_{hashlib.sha256(source).hexdigest()[:12]}"
    module = importlib.util.module_from_spec(ModuleSpec(called, loader, origin=path))
    module.__file__ = path
    try:
        loader.exec_module(module)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise BadInput(f"`{Path(path).name}` failed while it was read: {what}. Correct the file.") from error
    return _checked(module, name, Path(path).name)


def _from_module(module: str, name: str) -> Callable[..., Any]:
    try:
        return _checked(importlib.import_module(module), name, module)
    except ImportError as error:
        what = f"The module `{module}` cannot be imported: {error}"
        raise BadInput(f"{what}. Install it, or write file.py:function.") from error


def _checked(module: Any, name: str, where: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if not callable(found):
        offered = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        raise BadInput(f"`{where}` has no function `{name}`. It has: {', '.join(offered) or 'none'}.")
    checked: Callable[..., Any] = found
    return checked


def _must_take_four(function: str, found: Callable[..., Any]) -> None:
    """Raises `BadInput` for a function that cannot be called as it will be. One that does not say what it takes may be."""
    try:
        takes = inspect.signature(found)
    except (TypeError, ValueError):
        return
    try:
        takes.bind("input", "output", ["accepted"], {})
    except TypeError:
        raise BadInput(
            f"`{function}` takes {takes}; a function that scores takes (input, output, accepted, metadata), in this order."
        ) from None


METRIC = Person
