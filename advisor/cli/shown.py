"""Makes text from outside safe for a terminal: no escapes, no control or invisible characters, one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.contract import Benchmark

_ESCAPES = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)")


def shown(text: str, longest: int = 2_000) -> str:
    """The text on one line, without escape sequences; what cannot be printed becomes a space. Not yet rich markup."""
    plain = _ESCAPES.sub("", text)
    line = "".join(character if character.isprintable() else " " for character in plain)
    return line if len(line) <= longest else line[: longest - 3] + "..."


def document(values: Any, indent: int | None = 2) -> str:
    """The values as JSON for stdout: what cannot be printed is written as an escape of JSON, so it steers no terminal."""
    text = json.dumps(values, ensure_ascii=False, indent=indent)
    return "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text)


def goal_of(benchmark: Benchmark) -> str:
    """What is asked of the approaches: `target 0.9`, `margin 0.05`, `no target`."""
    if benchmark.margin is not None:
        return f"margin {benchmark.margin:g}"
    return "no target" if benchmark.target is None else f"target {benchmark.target:g}"


def say(text: str) -> None:
    """Writes a sentence to stderr, broken between words at the terminal's width; in a pipe it stays one line."""
    click.echo(broken(shown(text), sys.stderr.isatty()), err=True)


def broken(line: str, terminal: bool, indent: str = "") -> str:
    """The line in several where a terminal or COLUMNS says how wide they may be; later ones are indented further."""
    if not terminal and "COLUMNS" not in os.environ:
        return indent + line
    width = max(20, shutil.get_terminal_size().columns)
    further = indent + "  "
    return textwrap.fill(
        line,
        width,
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def marked(text: str, longest: int = 2_000) -> str:
    """As `shown`, and with square brackets escaped, for a place that reads rich markup."""
    from rich.markup import escape

    return escape(shown(text, longest))


def console(file: TextIO | None = None, width: int | None = None) -> Console:
    """Where tables go: stdout, or the file, as wide as the terminal or as told. No number in it gets a colour, and no `:name:`
    becomes an emoji."""
    from rich.console import Console

    return Console(file=file, width=width, highlight=False, emoji=False)
