"""The command that goes on with a run which was interrupted, as it can be pasted into a shell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from advisor.cli.program import line
from advisor.cli.shown import say

UNWRITABLE = "the same command with --resume"
"""For words that a terminal cannot show, or where they are not known."""


def going_on(given: Sequence[str] | None) -> str:
    """What was given to `advisor`, in one line, with --resume; without --merge, since the parts are put together already."""
    if given is None:
        return UNWRITABLE
    words: list[str] = []
    left = iter(given)
    for word in left:
        if word == "--merge":
            next(left, "")
        elif not word.startswith("--merge=") and word != "--resume":
            words.append(word)
    words.insert(1, "--resume")  # Before whatever stands behind `--`.
    told = line(*words)
    return told if told.isprintable() else UNWRITABLE


@contextmanager
def resumable(given: Sequence[str] | None, folder: Path) -> Iterator[None]:
    """An interruption within it knows the command that goes on, once there is a run to go on with."""
    try:
        yield
    except KeyboardInterrupt as error:
        if (folder / "run.sqlite").exists():
            error.add_note(going_on(given))
        raise


def say_interrupted(error: BaseException) -> None:
    """The last words of a command that was interrupted."""
    commands = getattr(error, "__notes__", ())
    say("Interrupted. What was finished is kept. To go on:" if commands else "Interrupted.")
    for command in commands:
        click.echo(command, err=True)  # As long as it is: what is broken into lines cannot be pasted.


def say_what_is_left(given: Sequence[str] | None) -> None:
    """The last words of a run whose time was up, or its money, or room: with the same limit it might end where it begins."""
    limits = [name for name in ("--max-cost", "--max-disk") if any(word.split("=")[0] == name for word in given or ())]
    more = f", with a higher {' or '.join(limits)} where that is reached" if limits else ""
    say(f"Not everything is measured. To go on{more}:")
    click.echo(going_on(given), err=True)
