"""Kinds of option values that the command line checks itself."""

from __future__ import annotations

import click

from benchmarks.spec_values import share

SEED = click.IntRange(0, 2**32 - 1)
"""What every generator of random numbers takes."""


class Share(click.ParamType[float]):
    """A share of cases, refused with the sentence of a task spec."""

    name = "float"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(str(value))
            share(number)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return number


SHARE = Share()

ALLOW_REMOTE = click.option(
    "--allow-remote",
    is_flag=True,
    help="Fetch data that the task names in a bucket (s3://BUCKET/FILE) or on the hub (hf://datasets/OWNER/NAME/FILE), keys "
    "from the environment.",
)
"""Of every command that reads the data of a task."""
