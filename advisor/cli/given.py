"""Kinds of option values that the command line checks itself."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.experiments.wished import LARGEST_SEED
from benchmarks.contract import BadInput
from benchmarks.specs.spec_values import points, share

SEED = click.IntRange(0, LARGEST_SEED)


class Share(click.ParamType[float]):
    """A share of cases, refused with the sentence of a task spec."""

    name = "float"
    check = staticmethod(share)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        given = _number(str(value))
        try:
            self.check(given)
        except ValueError as error:
            if param is None:  # Somebody is asked in a terminal, and is asked again.
                self.fail(f"It {error}")
            raise BadInput(f"{param.opts[0]} {error}") from None
        return float(given)


class Margin(Share):
    """How far below the best is good enough, likewise."""

    check = staticmethod(points)


class Count(click.IntRange):
    """How many there are; what is no whole number is refused with how one is written."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            whole = int(str(value))
        except ValueError:
            self.fail(
                f"{str(value)!r} is no whole number. Write it in digits alone, such as 10000 for 10k.", param, ctx
            )
        return int(super().convert(whole, param, ctx))


def _number(text: str) -> float | str:
    """The text itself where it is no number."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


SHARE, MARGIN = Share(), Margin()


def must_be_new(file: Path) -> None:
    """Raises `BadInput` where there is a file: it may be the only copy of something, such as the labels."""
    if file.exists():
        raise BadInput(f"{file} exists already and is not replaced. Name a file that does not exist yet.")


def check_can_be_a_folder(folder: Path) -> None:
    """Before anything is done for what goes there. Raises `BadInput`, or the system's error for a path that nothing can have."""
    try:
        folder.lstat()
    except FileNotFoundError:
        return
    if not folder.is_dir():
        what = "link that leads to no folder" if folder.is_symlink() and not folder.exists() else "file"
        raise BadInput(f"{folder} is a {what}. Name a folder with --out.")


ALLOW_REMOTE = click.option(
    "--allow-remote",
    is_flag=True,
    help="Fetch data that the task names in a bucket (s3://BUCKET/FILE) or on the hub (hf://datasets/OWNER/NAME/FILE), keys "
    "from the environment.",
)
"""Of every command that reads the data of a task."""
WHICH_CASES = click.option(
    "--cases",
    type=click.Choice(("none", "selection", "wrong", "all")),
    default="none",
    show_default=True,
    help="Cases, with their texts, that the report shows: those of the selection part, or held-out ones too, where an answer is "
    "wrong or all of them. Held-out cases that are shown count as seen.",
)
"""Of every command that writes a report."""
