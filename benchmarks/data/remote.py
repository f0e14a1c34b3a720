"""Data files that lie elsewhere, in a bucket or in a data set of the hub: fetched where a person allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.data import bucket, hub_data

KEYS = frozenset({"examples", "heldout", "documents", "traffic"})
"""Keys of a task that may name such a file."""


def is_remote(name: str) -> bool:
    """Whether that is no file beside the task but an address of one elsewhere."""
    return name.startswith((bucket.SCHEME, hub_data.SCHEME))


def check(name: str, key: str) -> None:
    """Raises `BadInput` where it is no address of one file."""
    (hub_data.checked if name.startswith(hub_data.SCHEME) else bucket.checked)(name, key)


@contextmanager
def files_of(named: Mapping[str, str], folder: Path, allow_remote: bool) -> Iterator[Callable[[str], Path]]:
    """Gives the file that a key of the task names: in its folder, or fetched. What came from a bucket is removed at the end.

    Asking it raises `BadInput` for a file elsewhere where that is not allowed, or that cannot be had.
    """
    with ExitStack() as kept:

        def file(key: str) -> Path:
            name = named[key]
            if not is_remote(name):
                return folder / name
            check(name, key)
            hub = name.startswith(hub_data.SCHEME)
            if not allow_remote:
                raise BadInput(
                    f'{key} names "{name}", a file {"of the hub" if hub else "in a bucket"}, and nothing is fetched unless you '
                    "allow it. Start again with --allow-remote, or put the file beside the task spec."
                )
            return hub_data.fetched(name, key) if hub else kept.enter_context(bucket.fetched(name, key))

        yield file
