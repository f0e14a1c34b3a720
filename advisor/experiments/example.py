"""The stored example run that `advisor report example` tells: a real run of a bundled task, rows only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.storage.packed import unpack

WORD = "example"
"""What a person writes in place of the folder of a run."""
FILE = "example_run.jsonl.gz"


def is_meant(run: str | Path) -> bool:
    """Whether that word stands there, and no folder is called so."""
    return str(run) == WORD and not Path(run).exists()


def check_not_meant(run: Path) -> None:
    """Raises `BadInput` where a run or an export of one's own is wanted and the example is named."""
    if is_meant(run):
        raise BadInput(
            f"The word {WORD} stands for a run that `advisor report {WORD}` and `advisor price NAME --run {WORD}` tell; it holds "
            "rows, and nothing that was fitted. Give the folder that `advisor run --out` or `advisor export` wrote."
        )


@contextmanager
def opened() -> Iterator[Path]:
    """A folder with the example as a run, for `advisor.reopen`; it is gone when the block ends. Needs no model."""
    with (
        as_file(files("advisor.experiments") / FILE) as file,
        tempfile.TemporaryDirectory(prefix="advisor-example-") as folder,
    ):
        unpack(file, Path(folder))
        yield Path(folder)
