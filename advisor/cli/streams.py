"""What the command line writes into, made so that no text and no terminal ends a command."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TextIO, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")
ESCAPED = "advisor-escaped"
"""The name of the way in which signs that a terminal has not are written."""


def escaped(error: UnicodeError) -> tuple[str, int]:
    r"""Signs that an encoding has not as `\u2026`, which JSON reads too, in place of an error."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


def prepare() -> None:
    """Lets a terminal that has not all signs, as with LC_ALL=C, show every text, and puts nothing in place of what is closed.

    What is closed has no number any more, and the next file that is opened would get it, and what others write there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    codecs.register_error(ESCAPED, escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors=ESCAPED)


_RESULTS: ContextVar[TextIO | None] = ContextVar("results", default=None)


def put(text: str) -> None:
    """Writes a result to stdout, also within `results_alone`."""
    click.echo(text, file=_RESULTS.get())


@contextmanager
def results_alone() -> Iterator[None]:
    """Within it stdout gets what is `put` and nothing else: what other code prints, such as a person's metric, goes to stderr."""
    before = _RESULTS.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _RESULTS.reset(before)


def one_document(command: Callable[P, R]) -> Callable[P, R]:
    """Of a command with --json: with it stdout gets the document alone."""

    @wraps(command)
    def called(*given: P.args, **options: P.kwargs) -> R:
        with results_alone() if options.get("as_json") else nullcontext():
            return command(*given, **options)

    return called


def leave_unread() -> None:
    """Where nobody reads any more what is still to be written goes nowhere, so that the end of the process is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
