"""Text and Markdown files as documents; title and date may stand in a front matter between lines of `---`."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_LINE_BYTES, Record, lines, named_by

SUFFIXES = (".md", ".markdown", ".txt", ".text")
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_ENTRY = re.compile(r"^(title|date|id):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)


def document(path: Path, name: str) -> Record:
    """The whole file. Raises `BadInput` for a file above 10 MB, and for text that is not UTF-8."""
    if path.stat().st_size > MAX_LINE_BYTES:
        raise BadInput(f"{name} is larger than 10 MB. Cut it into several documents.")
    text = "".join(line for _, line in lines(path)).replace("\r\n", "\n")
    front = _FRONT.match(text)
    entries = {key: value.strip("\"'") for key, value in _ENTRY.findall(front.group(1))} if front else {}
    body = text[front.end() :] if front else text
    heading = _HEADING.search(body) if path.suffix.lower() in (".md", ".markdown") else None
    title = entries.get("title") or (heading.group(1) if heading else named_by(path))
    return Record(name, {"id": entries.get("id", name), "title": title, "text": body, "date": entries.get("date", "")})
