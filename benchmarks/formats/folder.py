"""Folders of documents: text, Markdown, HTML and PDF files, one document each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.audit.findings import Finding, many
from benchmarks.contract import BadInput
from benchmarks.formats import is_document, read_document
from benchmarks.formats.record import Record
from benchmarks.specs.paths import leads_to_itself

_MAX_FILES = 100_000
_WRITTEN = {
    *(".doc", ".docm", ".docx", ".odt", ".pages", ".rtf", ".epub"),
    *(".odp", ".ppt", ".pptm", ".pptx"),
    *(".ods", ".xls", ".xlsm", ".xlsx"),
}
"""Endings of documents that no format reads, unless another package offers one."""
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}
"""What Windows puts into a folder; what macOS does begins with a dot."""
_SHOWN = 5
"""Endings that a sentence names."""


def folder_records(path: Path) -> tuple[Iterator[Record], tuple[str, ...], tuple[Finding, ...]]:
    """The records (id, title, text, date) of one document or of a folder's, sorted by path, what was passed over since it is
    no document, and what is one and cannot be read.

    Links to folders are not followed: one that stays inside leads to what is read anyway. Raises `BadInput` for a link, to a
    file or a folder, that leads out of the folder, for a document that is damaged, and where there are only
    documents of kinds that are not read.
    """
    if path.is_file():
        return iter([read_document(path, path.name)]), (), ()
    found = _files(path)
    texts = [entry for entry in found if is_document(entry)]
    if len(texts) > _MAX_FILES:
        raise BadInput(
            f"{path.name} holds {len(texts):,} texts; at most {_MAX_FILES:,} are read. Join them into a .jsonl file."
        )
    passed_over = [entry for entry in found if not is_document(entry)]
    written = [entry for entry in passed_over if entry.suffix.lower() in _WRITTEN]
    if written and not texts:
        raise BadInput(
            f"{path.name} holds no documents that can be read: {_by_ending(written)}. Save them as PDF, HTML or text files."
        )
    others = [entry for entry in passed_over if entry.suffix.lower() not in _WRITTEN]
    none = many(len(others), "file that is no document was", "files that are no documents were")
    notes = (f"{path.name}: {none} passed over ({_by_ending(others)}).",) if others else ()
    records = (read_document(_safe(entry, path), entry.relative_to(path).as_posix()) for entry in texts)
    return records, notes, _unread(written, path)


def _files(folder: Path) -> list[Path]:
    """All that is no folder, sorted by path. Raises `BadInput` for a link to a folder elsewhere, whose files would be missing."""
    seen = sorted(entry for entry in folder.rglob("*") if not _hidden(entry.relative_to(folder)))
    for entry in seen:
        if entry.is_symlink() and entry.is_dir():
            _stay_inside(entry, folder)
    return [entry for entry in seen if not entry.is_dir()]


def _unread(written: Sequence[Path], folder: Path) -> tuple[Finding, ...]:
    if not written:
        return ()
    return (
        Finding(
            kind="unread documents",
            count=len(written),
            examples=tuple(entry.relative_to(folder).as_posix() for entry in written[:3]),
            says=f"{folder.name}: {many(len(written), 'document', 'documents')} cannot be read ({_by_ending(written)}).",
            effect="Where the answer stands only in these, an approach that looks things up is wrong.",
            what_to_do="Save them as PDF, HTML or text files beside the others.",
        ),
    )


def _by_ending(files: Iterable[Path]) -> str:
    """`3 .docx, 1 .odt`, the most frequent first; a file without an ending is one `without an ending`."""
    counts = Counter(entry.suffix.lower()[:20] or "without an ending" for entry in files).most_common()
    shown = ", ".join(f"{number:,} {ending}" for ending, number in counts[:_SHOWN])
    rest = sum(number for _, number in counts[_SHOWN:])
    return shown + (f", {rest:,} others" if rest else "")


def _hidden(relative: Path) -> bool:
    """Whether nobody put the file there to be read: hidden, a lock of Word's (`~$`), or made by a system."""
    lock = relative.name.startswith("~$")
    return lock or relative.name.lower() in _OF_SYSTEMS or any(part.startswith(".") for part in relative.parts)


def _safe(entry: Path, folder: Path) -> Path:
    _stay_inside(entry, folder)
    if not entry.is_file():
        name = entry.relative_to(folder).as_posix()
        raise BadInput(f"{folder.name}/{name} is not a regular file. Remove it from the folder.")
    return entry


def _stay_inside(entry: Path, folder: Path) -> None:
    name = entry.relative_to(folder).as_posix()
    if leads_to_itself(entry):
        raise BadInput(f"{folder.name}/{name} is a link that leads to itself. Remove it from the folder.")
    if not entry.resolve().is_relative_to(folder.resolve()):
        raise BadInput(
            f"{folder.name}/{name} is a link that leads out of the folder. Put a copy in its place, or remove it."
        )
