"""What the command line writes into, made so that no text and no terminal ends a command."""

from __future__ import annotations

import codecs
import io
import os
import sys

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


def leave_unread() -> None:
    """Where nobody reads any more what is still to be written goes nowhere, so that the end of the process is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
