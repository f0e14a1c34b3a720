"""Tells whether a folder lies on another machine: SQLite's write-ahead log needs memory that its readers share, so not there."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
_ELSEWHERE = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|lustre|ceph|glusterfs|beegfs|gpfs|virtiofs|davfs\d?|fuse\.[\w.-]+|ncpfs|orangefs|pvfs2"
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


def on_a_network(folder: Path, mounts: Path = MOUNTS) -> bool:
    """By the kind of the file system that holds the folder; where the system has no such list, False."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    place = folder.resolve()
    points = [
        (Path(_plain(point)), kind) for _, point, kind, *_ in (line.split(" ") for line in lines if line.count(" ") > 2)
    ]
    over = [
        (len(point.parts), number, kind) for number, (point, kind) in enumerate(points) if place.is_relative_to(point)
    ]
    return bool(over) and _ELSEWHERE.fullmatch(max(over)[2]) is not None


def _plain(point: str) -> str:
    """Spaces and the like are written in octal there."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 8)), point)
