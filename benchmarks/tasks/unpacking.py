"""Unpacks what was downloaded, in memory and within limits: nothing is written, so no archive chooses a path on this disk."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Collection

from benchmarks.contract import BadInput

MOST_KEPT = 64_000_000
"""Bytes that a file, or the files that are taken out of one archive together, may have when unpacked."""
MOST_READ = 512_000_000
"""Bytes that an archive may unpack to; what is not asked for is read past and dropped."""

_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError)


def gunzipped(content: bytes, most: int = MOST_KEPT) -> bytes:
    """The content of one gzipped file. Raises `ValueError` where it is damaged, `BadInput` above `most` bytes."""
    try:
        return _Unzipped(content, most).read()
    except _BROKEN as error:
        raise ValueError(f"No gzipped file: {error}") from None


def taken_out(archive: bytes, paths: Collection[str], kept: int = MOST_KEPT, read: int = MOST_READ) -> dict[str, bytes]:
    """Path -> content of the files at `paths`, in that order, out of a repository's gzipped tar archive.

    Paths are those inside the repository: the one folder at the top of such an archive does not count. Links are not
    followed. Raises `ValueError` where the archive is damaged, `LookupError` where a file is not in it, and `BadInput`
    where the files have more than `kept` bytes together or the archive more than `read`.
    """
    missing = set(paths)
    found: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(fileobj=_Unzipped(archive, read), mode="r|") as files:
            while missing and (member := files.next()) is not None:
                path = member.name.partition("/")[2]
                if path not in missing or not member.isreg():
                    continue
                size += member.size
                if size > kept:
                    raise BadInput(f"Its files have more than {kept:,} bytes together, which is refused.")
                content = files.extractfile(member)
                assert content is not None, "It is a regular file."
                found[path] = content.read()
                missing.remove(path)
    except _BROKEN as error:
        raise ValueError(f"No gzipped tar archive: {error}") from None
    if missing:
        raise LookupError(f"The archive lacks {len(missing)} of {len(paths)} files, such as {min(missing)}.")
    return {path: found[path] for path in paths}


class _Unzipped(gzip.GzipFile):
    """Reads gzipped content from its start to its end, and refuses to go beyond `most` bytes."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(fileobj=io.BytesIO(content))
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        one_more = self._most + 1 - self.tell()
        piece = super().read(one_more if size is None or size < 0 else min(size, one_more))
        if self.tell() > self._most:
            raise BadInput(f"A file of it unpacks to more than {self._most:,} bytes, which is refused.")
        return piece
