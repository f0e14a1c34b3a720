"""How this very program is called where the person stands, so that a command which is suggested works when it is pasted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "advisor"


def line(*words: str) -> str:
    """The program with these words behind it, as one line for a shell."""
    return shlex.join([*program(), *words])


def program() -> list[str]:
    """`advisor` where that name finds the program that runs, else the way to it; `python -m advisor` if started so.

    Where something else called it, as the Python API does, it has no better name than `advisor`.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.name == f"{NAME}.__main__":
        return [_called(Path(sys.executable)), "-m", NAME]
    started = Path(sys.argv[0])
    return [_called(started)] if started.stem == NAME and started.is_file() else [NAME]


def _called(path: Path) -> str:
    """The bare name if a shell finds this file by it, else the path, from here where it lies below."""
    found = shutil.which(path.name)
    whole = os.path.abspath(path)  # A link stays one: the python of an environment is known by where it lies.
    if found is not None and os.path.abspath(found) == whole:
        return path.name
    return os.path.relpath(whole) if Path(whole).is_relative_to(Path.cwd()) else whole
