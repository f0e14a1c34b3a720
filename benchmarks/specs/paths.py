"""Keeps the files that a task spec names inside the folder of the spec."""

from __future__ import annotations

import difflib
import errno
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from benchmarks.contract import BadInput


def inside(folder: Path, name: str, key: str) -> Path:
    """The file or folder `name`, named by the spec's `key`, relative to the spec's `folder`.

    Raises `BadInput` where it is missing, leads out of the folder (by `..`, an absolute path or a link), or is not a
    regular file or folder.
    """
    shown = f'{key} names "{name if len(name) <= 60 else name[:57] + "..."}"'
    if not name.strip() or "\0" in name:
        raise BadInput(f"{key} is empty. Write the name of a file beside the task spec, such as examples.jsonl.")
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise BadInput(
            f"{key} holds half a character, which no name has. Write the name of a file beside the task spec."
        )
    if re.match(r"[a-z][a-z0-9+.-]*://", name):
        raise BadInput(
            f"{shown}, an address, and nothing is fetched. Put the file beside the task spec, and write its name; cases, "
            "documents and traffic may lie in a bucket (s3://BUCKET/FILE) or on the hub (hf://datasets/OWNER/NAME/FILE)."
        )
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute() or PureWindowsPath(name).drive:
        raise BadInput(f"{shown}, an absolute path. Put the file in the folder of the task spec and write its name.")
    if ".." in PurePosixPath(name.replace("\\", "/")).parts:
        raise BadInput(f"{shown}, which leads out of the folder of the task spec. Put the file in that folder.")
    if not PurePosixPath(name).parts and key != "documents":
        raise BadInput(f"{shown}, the folder of the task spec itself. Write the name of a file in it.")
    if leads_to_itself(folder / name):
        raise BadInput(f"{shown}, a link that leads to itself. Put a file in its place.")
    try:
        return _existing(folder, name, shown)
    except OSError as error:
        raise BadInput(
            f"{shown}, which cannot be read: {error.strerror}. Check the name and its permissions."
        ) from None


def leads_to_itself(path: Path) -> bool:
    """Whether links lead round in a circle: what `Path.resolve` does then differs between versions of Python."""
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _existing(folder: Path, name: str, shown: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{shown}, a link that leads out of the folder of the task spec. Put a copy in that folder.")
    if not path.exists():
        if path.is_symlink():
            raise BadInput(f"{shown}, a link to nothing. Put a file in its place.")
        near = _nearest(path)
        hint = f'Did you mean "{near}"?' if near else "Put it beside the task spec, or correct the name."
        raise BadInput(f"{shown}, which does not exist. {hint}")
    if not (path.is_file() or path.is_dir()):
        raise BadInput(f"{shown}, which is neither a regular file nor a folder. Name a data file.")
    return path


def _nearest(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = sorted(entry.name for entry in path.parent.iterdir())
    return next(iter(difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)), "")


_START = r"(?:file://|~|[A-Za-z]:)?[/\\]"
_QUOTED = re.compile(rf"(?<=['\"`]){_START}[^'\"`\n]*(?=['\"`])")
_BARE = re.compile(rf"(?<![\w:/\\.~-]){_START}[^\s'\"`<>|:,;()\[\]]+")


def without_folders(text: str) -> str:
    """The text with every absolute path cut down to its last part: a report names no machine and no user."""
    home = _home()
    text = text.replace(home, "~") if len(home) > 1 else text
    return _BARE.sub(_last_part, _QUOTED.sub(_last_part, text))


def _home() -> str:
    """Of the person; empty where nothing says which it is."""
    try:
        return str(Path.home())
    except RuntimeError:
        return ""


def _last_part(path: re.Match[str]) -> str:
    parts = [part for part in re.split(r"[/\\]", path[0]) if part]
    return parts[-1] if len(parts) > 1 else path[0]
