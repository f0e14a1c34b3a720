"""Data files that lie in a bucket: kept here only for as long as they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES

SCHEME = "s3://"
_ADDRESS = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?:[\w .,:;=+~&$@!'()-]+/)*(?P<name>\w[\w .,=+~&@()-]*)"
)
"""No keys, no query, nothing that a shell, a terminal or a file system takes for something else."""
_LONGEST = 255
"""Bytes of an address, of which a part becomes the name of a file."""
_AT_ONCE = 16_000_000
"""Bytes of one request."""


def checked(name: str, key: str) -> str:
    """The last part of the address, by which the file is called. Raises `BadInput`, which does not repeat the address:
    somebody may have written a secret into it."""
    found = _ADDRESS.fullmatch(name)
    if found is None or {".", ".."} & set(name.split("/")) or len(name.encode()) > _LONGEST:
        raise BadInput(
            f"{key} is no address of one file in a bucket. Write s3://BUCKET/FOLDER/tickets.parquet, without keys or a query: "
            "what signs you in stands in the environment (AWS_ACCESS_KEY_ID and the like, or a profile)."
        )
    return found["name"]


@contextmanager
def fetched(name: str, key: str) -> Iterator[Path]:
    """The file that lies at the address, in a private folder that is removed at the end. Raises `BadInput`."""
    with TemporaryDirectory(prefix="advisor-") as folder:
        path = Path(folder) / checked(name, key)
        _fetch(name, path, key)
        yield path


def _fetch(name: str, path: Path, key: str) -> None:
    """Writes what lies at the address into `path`, all of it of one version, or raises `BadInput`."""
    shown = f'{key} names "{name}"'
    system = _system(key)
    with _in_our_words(shown):
        source = system.open(name, "rb", block_size=_AT_ONCE, cache_type="none")
    left = source.size
    if left > MAX_FILE_BYTES:
        raise BadInput(f"{shown}, which has {left / 1e9:.1f} GB; at most 1 GB is read. Take a sample of it.")
    with source, path.open("wb") as out:
        while left > 0:
            with _in_our_words(shown):
                part = source.read(min(left, _AT_ONCE))
            if not 0 < len(part) <= left:
                raise BadInput(f"{shown}, of which not all came. Start again.")
            left -= len(part)
            out.write(part)


def _system(key: str) -> Any:
    """What reads buckets. Keys and endpoint are those of the environment, and nothing of them is kept."""
    try:
        import fsspec

        return fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    except ImportError:
        raise BadInput(
            f"{key} names a file in a bucket, and reading buckets takes packages that are not installed. "
            "Write: pip install 'finetune-advisor[remote]'"
        ) from None


@contextmanager
def _in_our_words(shown: str) -> Iterator[None]:
    """What a server says may repeat a key or be written by somebody else, so none of it is told."""
    try:
        yield
    except FileNotFoundError:
        says = "and there is no such file. Correct the address: it names one file, not a folder"
    except PermissionError:
        says = "which the keys of the environment may not read. Ask for the right to, or correct the address"
    except Exception as error:  # A bucket that cannot be read ends in errors of four libraries.
        kind = type(error).__name__
        says = f"which could not be fetched ({kind}). Check AWS_ENDPOINT_URL and AWS_REGION, and start again"
        if kind == "FileExpired":
            says = "which was replaced while it was read. Start again"
        elif re.search("Credential|Token|Profile", kind):
            keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            says = f"and no keys were found in the environment ({kind}). Set {keys}"
    else:
        return
    raise BadInput(f"{shown}, {says}.")
