"""Folders of documents: text, Markdown, HTML and PDF files, one document each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats import is_document, read_document
from benchmarks.formats.record import Record
from benchmarks.paths import leads_to_itself

_MAX_FILES = 100_000


def folder_records(path: Path) -> tuple[Iterator[Record], tuple[str, ...]]:
    """The records (id, title, text, date) of one document or of a folder's, sorted by path, and what was passed over.

    Raises `BadInput` for a link that leads out of the folder, and for a document that cannot be read.
    """
    if path.is_file():
        return iter([read_document(path, path.name)]), ()
    found = sorted(entry for entry in path.rglob("*") if not _hidden(entry.relative_to(path)) and not entry.is_dir())
    texts = [entry for entry in found if is_document(entry)]
    if len(texts) > _MAX_FILES:
        raise BadInput(
            f"{path.name} holds {len(texts):,} texts; at most {_MAX_FILES:,} are read. Join them into a .jsonl file."
        )
    others = len(found) - len(texts)
    many = "1 file that is no document was" if others == 1 else f"{others:,} files that are no documents were"
    notes = (f"{path.name}: {many} passed over.",) if others else ()
    return (read_document(_safe(entry, path), entry.relative_to(path).as_posix()) for entry in texts), notes


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)


def _safe(entry: Path, folder: Path) -> Path:
    name = entry.relative_to(folder).as_posix()
    if leads_to_itself(entry):
        raise BadInput(f"{folder.name}/{name} is a link that leads to itself. Remove it from the folder.")
    if not entry.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"{folder.name}/{name} is a link that leads out of the folder. Put a copy in its place.")
    if not entry.is_file():
        raise BadInput(f"{folder.name}/{name} is not a regular file. Remove it from the folder.")
    return entry
