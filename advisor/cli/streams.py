"""What the command line writes into, made so that no text and no terminal ends a command."""

from __future__ import annotations

import codecs
import io
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
    """Lets a terminal that has not all signs, as with LC_ALL=C, show every text."""
    codecs.register_error(ESCAPED, escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors=ESCAPED)
