"""Downloads a public dataset from its own repository at a fixed commit, converts it, and checks what came."""

from __future__ import annotations

import csv
import hashlib
import http.client
import json
import os
import random
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.tasks.unpacking import gunzipped, taken_out
from strategies.standalone.asking import is_here

Rows = Sequence[Mapping[str, Any]]
Parts = Mapping[str, Rows]
"""`train`, `test` and where there are documents `docs` -> rows as they are written."""
Convert = Callable[[Mapping[str, bytes]], Parts]
"""From the files of the source (path -> content) to rows."""

FILES = "https://raw.githubusercontent.com"
ARCHIVES = "https://codeload.github.com"
MOST_BYTES = 64_000_000
PATIENCE_S = 60


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a dataset comes from: files of one repository at one commit, which cannot change."""

    repository: str
    commit: str
    paths: tuple[str, ...]
    convert: Convert
    packed: bool = False
    """All files come in one archive of the repository: for a source of a thousand small ones."""
    least_rows: int = 0
    """Examples and held-out cases together that must come out: fewer mean that the download is not whole."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """part -> SHA-256 of its content (see `content_hash`), for the parts that are known in full."""
    origin: str | None = None
    """Where repositories lie; None: GitHub, which has files at one address and archives at another."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where to download from: that of each file, in the order of `paths`, or that of the one archive."""
        if self.packed:
            return (f"{self.origin or ARCHIVES}/{self.repository}/tar.gz/{self.commit}",)
        folder = f"{self.origin or FILES}/{self.repository}/{self.commit}"
        return tuple(f"{folder}/{urllib.parse.quote(path)}" for path in self.paths)

    def files(self, contents: Sequence[bytes]) -> Mapping[str, bytes]:
        """Path -> content, out of what lay at `addresses`; a file whose name ends in .gz comes unpacked.

        Raises `BadInput` where that is too large, `ValueError` or `LookupError` where it is damaged or not whole.
        """
        if self.packed:
            return taken_out(contents[0], self.paths)
        pairs = zip(self.paths, contents, strict=True)
        return {path: gunzipped(content) if path.endswith(".gz") else content for path, content in pairs}


def content_hash(rows: Rows) -> str:
    """SHA-256 (hex) over the texts of rows, whatever their order, their ids and the width of their spaces."""
    lines = []
    for row in rows:
        names = ("title", "text") if "text" in row else ("input", "output")
        texts = [row[name] for name in names] + list(row.get("references", ()))
        lines.append(json.dumps([" ".join(text.split()) for text in texts], ensure_ascii=False))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def cut_by_hash(rows: Rows, share: float) -> Parts:
    """Holds out about `share` of the rows by a hash of their input, so that equal inputs stay on one side."""

    def held_out(row: Mapping[str, Any]) -> bool:
        text = " ".join(row["input"].lower().split())
        return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) < share * 16**8

    return {"train": [row for row in rows if not held_out(row)], "test": [row for row in rows if held_out(row)]}


def drawn(count: int, number: int) -> list[int]:
    """Places of `number` of `count` rows (all where there are fewer), in order; the same on every machine."""
    return sorted(random.Random(0).sample(range(count), min(number, count)))


def get(address: str) -> bytes:
    """The content behind an https address; plain http only from this machine itself. Raises `BadInput`."""
    try:
        with urllib.request.urlopen(_allowed(address), timeout=PATIENCE_S) as response:
            _allowed(response.geturl())
            content: bytes = response.read(MOST_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise BadInput(f"It could not be downloaded from {_host(address)} ({reason}).") from None
    if len(content) > MOST_BYTES:
        raise BadInput(f"A file of it at {_host(address)} has more than {MOST_BYTES:,} bytes, which is refused.")
    return content


def download(name: str, source: Source, folder: Path, fetch: Callable[[str], bytes]) -> None:
    """Makes `folder` with the rows of the dataset `name`; either the whole of it appears, or nothing.

    Raises `BadInput` where nothing can be downloaded, or what came is not what was published.
    """
    try:
        files = _files(name, source, fetch)
        parts = source.convert(files)
        checked = _checked(name, source, parts)
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise BadInput(f"{name}: what {source.repository} sent cannot be read ({type(error).__name__}).") from None
    meta = {
        "name": name,
        "source_repo": source.repository,
        "source_commit": source.commit,
        "sha256": {path: hashlib.sha256(content).hexdigest() for path, content in files.items()},
        "checked": checked,
    }
    _write(folder, parts, meta)


def _files(name: str, source: Source, fetch: Callable[[str], bytes]) -> Mapping[str, bytes]:
    try:
        return source.files([fetch(address) for address in source.addresses])
    except BadInput as error:
        raise BadInput(f"{name} is not on this machine. {error}") from None


def _checked(name: str, source: Source, parts: Parts) -> str:
    """What was checked, in words. Raises `BadInput` where it does not hold."""
    for part, expected in source.hashes.items():
        found = content_hash(parts[part])
        if found != expected:
            raise BadInput(
                f"{name}: the content of {part} is not the published one (SHA-256 {found[:12]}..., expected "
                f"{expected[:12]}...). It was refused; check what stands between this machine and the source."
            )
    rows = len(parts["train"]) + len(parts["test"])
    if rows < source.least_rows:
        raise BadInput(f"{name}: {rows:,} rows came, {source.least_rows:,} were published. Try again.")
    hashed = f"SHA-256 of the content of {', '.join(source.hashes)}; " if source.hashes else ""
    return f"{hashed}number of rows ({rows:,})"


def _write(folder: Path, parts: Parts, meta: Mapping[str, Any]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        for part, rows in parts.items():
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (made / f"{part}.jsonl").write_text(text, encoding="utf-8")
        (made / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
        try:
            os.rename(made, folder)
        except OSError:
            # Another process was faster; its rows passed the same checks.
            if not folder.is_dir():
                raise


def _allowed(address: str) -> str:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and is_here(address)):
        return address
    raise BadInput(f"The address at {_host(address)} is not https, which is refused.")


def _host(address: str) -> str:
    return urllib.parse.urlsplit(address).hostname or "the source"
