"""Report formats by name: one file a format, found without a list; each lays out a story and computes nothing.

A format is a module of this folder, or an entry point of another package, with two names: `SUFFIX`, the end of the
file's name (`.html`), and `render(story) -> str`. A module without a `SUFFIX` is not a format but serves them.
"""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from advisor.contract import Story
from advisor.reports.text import cleaned
from benchmarks.contract import BadInput
from strategies.catalog import loaded

__all__ = ["Format", "names", "render", "suffix"]

GROUP = "finetune_advisor.reports"
"""Entry-point group in which another package offers a format under its name."""


class Format(Protocol):
    """A report format: usually a module."""

    @property
    def SUFFIX(self) -> str:  # noqa: N802 - a constant of a module
        """End of the file's name, with its dot."""
        ...

    def render(self, story: Story) -> str:
        """The whole report as one text."""
        ...


def names() -> tuple[str, ...]:
    """Names of every format, ours and installed, in alphabetical order. Installed ones are not imported."""
    return tuple(sorted({*_own(), *_installed()}))


def render(story: Story, format: str) -> str:
    """The story in the format of that name, as one text. Our own formats clean its texts themselves; for those of other
    packages it is done here. Errors: BadInput for a name that does not exist."""
    return _named(format).render(story if format in _own() else cleaned(story))


def suffix(format: str) -> str:
    """End of the file's name for a format: `.html`. Errors: BadInput for a name that does not exist."""
    return _named(format).SUFFIX


def _named(name: str) -> Format:
    own = _own()
    if name in own:
        return own[name]
    installed = _installed()
    if name in installed:
        return cast(Format, loaded(installed[name]))
    close = get_close_matches(name, names(), n=1, cutoff=0.5)
    nearest = f" The nearest is `{close[0]}`." if close else ""
    raise BadInput(f"`{name}` is not a report format.{nearest} Allowed: {', '.join(names())}.")


def _own() -> dict[str, Format]:
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if not module.ispkg
    }
    return {name: cast(Format, module) for name, module in modules.items() if hasattr(module, "SUFFIX")}


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
