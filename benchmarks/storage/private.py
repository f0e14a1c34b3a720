"""Folders that only their owner may look into: a run holds the task's data and every answer."""

from __future__ import annotations

from pathlib import Path


def private(folder: Path) -> Path:
    """The folder, made where it is not there yet; one that is keeps its permissions, which somebody may have chosen."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder
