"""Files of data sets on the Hugging Face hub, such as hf://datasets/OWNER/NAME/train.parquet, as its own tools write them."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES

SCHEME = "hf://"
_ADDRESS = re.compile(
    r"hf://datasets/(?P<owner>\w[\w.-]*)/(?P<name>\w[\w.-]*)(?:@(?P<revision>refs/(?:convert|pr)/\w+|\w[\w.-]*))?"
    r"/(?P<file>(?:[\w .,:;=+~&$@!'()-]+/)*\w[\w .,=+~&@()-]*)",
    re.ASCII,
)
_LONGEST = 500
"""Bytes of an address."""


def checked(name: str, key: str) -> re.Match[str]:
    """The parts of the address. Raises `BadInput`, which does not repeat it: somebody may have written a secret into it."""
    found = _ADDRESS.fullmatch(name)
    if found is None or {".", ".."} & set(name.split("/")) or len(name.encode()) > _LONGEST:
        raise BadInput(
            f"{key} is no address of one file of a data set on the hub. Write hf://datasets/OWNER/NAME/FOLDER/train.parquet, or "
            "hf://datasets/OWNER/NAME@REVISION/..., without keys: a token stands in the environment (HF_TOKEN)."
        )
    return found


def fetched(name: str, key: str) -> Path:
    """The file in the cache of the hub's own tools, fetched where it is not there yet. Raises `BadInput`."""
    from strategies.models.hub import NotFetched, data_file

    parts = checked(name, key)
    data_set, shown = f"{parts['owner']}/{parts['name']}", f'{key} names "{name}"'
    try:
        found = data_file(data_set, parts["file"], parts["revision"], MAX_FILE_BYTES)
    except NotFetched as error:
        raise BadInput(f"{shown}. {error}") from None
    if isinstance(found, int):
        raise BadInput(f"{shown}, which has {found / 1e9:.1f} GB; at most 1 GB is read. Take a sample of it.")
    return found
