"""The stored example run that `advisor report example` tells: a real run of a bundled task, rows only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from benchmarks.storage.packed import unpack

FILE = "example_run.jsonl.gz"


@contextmanager
def opened() -> Iterator[Path]:
    """A folder with the example as a run, for `advisor.reopen`; it is gone when the block ends. Needs no model."""
    with (
        as_file(files("advisor.experiments") / FILE) as file,
        tempfile.TemporaryDirectory(prefix="advisor-example-") as folder,
    ):
        unpack(file, Path(folder))
        yield Path(folder)
