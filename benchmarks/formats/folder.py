"""Folders of text and Markdown files: one document a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_LINE_BYTES, Record, lines
from benchmarks.paths import leads_to_itself

SUFFIXES = (".md", ".markdown", ".txt", ".text")
_MAX_FILES = 100_000
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_ENTRY = re.compile(r"^(title|date|id):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)


def folder_records(path: Path) -> tuple[Iterator[Record], tuple[str, ...]]:
    """The records (id, title, text, date) of one text file or of a folder's, sorted by path, and what was passed over.

    Title and date may stand in a front matter between lines of `---`. Raises `BadInput` for a link that leads out of
    the folder, a file above 10 MB, and text that is not UTF-8.
    """
    if path.is_file():
        return iter([_record(path, path.name)]), ()
    found = sorted(entry for entry in path.rglob("*") if not _hidden(entry.relative_to(path)) and not entry.is_dir())
    texts = [entry for entry in found if entry.suffix.lower() in SUFFIXES]
    if len(texts) > _MAX_FILES:
        raise BadInput(
            f"{path.name} holds {len(texts):,} texts; at most {_MAX_FILES:,} are read. Join them into a .jsonl file."
        )
    others = len(found) - len(texts)
    many = "1 file that is not text or Markdown was" if others == 1 else f"{others:,} files that are no text were"
    notes = (f"{path.name}: {many} passed over.",) if others else ()
    return (_record(_safe(entry, path), entry.relative_to(path).as_posix()) for entry in texts), notes


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


def _record(path: Path, name: str) -> Record:
    if path.stat().st_size > MAX_LINE_BYTES:
        raise BadInput(f"{name} is larger than 10 MB. Cut it into several documents.")
    text = "".join(line for _, line in lines(path)).replace("\r\n", "\n")
    front = _FRONT.match(text)
    entries = {key: value.strip("\"'") for key, value in _ENTRY.findall(front.group(1))} if front else {}
    body = text[front.end() :] if front else text
    heading = _HEADING.search(body) if path.suffix.lower() in (".md", ".markdown") else None
    title = entries.get("title") or (heading.group(1) if heading else path.stem.replace("_", " ").replace("-", " "))
    return Record(name, {"id": entries.get("id", name), "title": title, "text": body, "date": entries.get("date", "")})
