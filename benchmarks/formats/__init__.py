"""Reads data files of every format: records with their place, or one document a file. A format is one file of this folder.

Such a module has `SUFFIXES`, the endings of its files, and one of two functions: `records(path)` yields the rows of a file,
`document(path, name)` gives a file as one document. A module with `holds(folder)` in place of endings reads folders of a
kind. One of `records` says `NAMED_ONCE = True` where all records of a file have the same names, as the rows below a header
have, and has `every_row(path)` where it leaves out rows without any value. Another package offers a module of the same make as
an entry point whose name is the ending without its dot.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.record import MAX_FILE_BYTES, Record
from strategies.catalog import loaded

GROUP = "finetune_advisor.formats"
"""Entry-point group in which another package offers a format, named by the ending that it reads: `sharegpt.json`."""
_OTHERS: Mapping[str, str] = {
    ".xlsx": "Save the sheet as CSV (UTF-8).",
    ".xls": "Save the sheet as CSV (UTF-8).",
    ".ods": "Save the sheet as CSV (UTF-8).",
    ".gz": "Unpack it first.",
    ".zip": "Unpack it first.",
    ".docx": "Convert it to text, Markdown or PDF first.",
    ".arrow": "Name the folder that the data set was saved in.",
    ".pkl": "Save the table as Parquet or CSV.",
}


def read_records(path: Path, empty: bool = False) -> Iterator[Record]:
    """Yields the records of a data file, or of a folder that a data set was saved in, in order; `empty`: also rows of a table
    without any value.

    Raises `BadInput` for an unknown format, a file above 1 GB, a file that is not what its name says, and, with the
    line, for a record that cannot be read.
    """
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise BadInput(f'The data file "{path.name}" does not exist. Correct its name.')
    found = reader(path.name)
    if not hasattr(found, "records"):
        advice = _OTHERS.get(path.suffix.lower(), "Save it in one of these formats.")
        if found is not None:
            advice = "This is one document; name a file with one example a line" + (
                '; a table that Excel saved as text is to be saved as "CSV UTF-8".'
                if path.suffix.lower() == ".txt"
                else "."
            )
        raise BadInput(f"{path.name}: data is read from .jsonl, .json, .csv, .tsv and .parquet files. {advice}")
    check_size(path)
    read = found.every_row if empty and hasattr(found, "every_row") else found.records
    records: Iterator[Record] = read(path)
    return records


def read_document(path: Path, name: str) -> Record:
    """A file that is one document, as a record (id, title, text, date) that is called `name`. Raises `BadInput`."""
    record: Record = _required(path).document(path, name)
    return record


def is_document(path: Path) -> bool:
    """Whether a file of that name is read as one document."""
    return hasattr(reader(path.name), "document")


def holds_data(folder: Path) -> bool:
    """Whether a folder is a data set, and not one of documents."""
    return any(module.holds(folder) for module in _ours() if hasattr(module, "holds"))


def named_once(path: Path) -> bool:
    """Whether every record of the data file or folder has the names of the first one."""
    found = next((module for module in _ours() if hasattr(module, "holds") and module.holds(path)), reader(path.name))
    return bool(getattr(found, "NAMED_ONCE", False))


def reader(name: str) -> Any:
    """The module that reads a file of that name, by the longest ending that fits; None where nothing does.

    Raises `CannotLoad` where it is one of another package that cannot be imported.
    """
    endings, installed = _endings(), _installed()
    fitting = [ending for ending in {*endings, *installed} if name.lower().endswith(ending)]
    if not fitting:
        return None
    longest = max(fitting, key=len)
    return endings[longest] if longest in endings else loaded(installed[longest])


@cache
def _endings() -> Mapping[str, Any]:
    return {ending: module for module in _ours() for ending in getattr(module, "SUFFIXES", ())}


@cache
def _ours() -> tuple[Any, ...]:
    return tuple(import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))


@cache
def _installed() -> Mapping[str, EntryPoint]:
    return {f".{point.name.lower()}": point for point in entry_points(group=GROUP)}


def _required(path: Path) -> Any:
    found = reader(path.name)
    if not hasattr(found, "document"):
        raise BadInput(f"{path.name} is no document. Documents are read from text, Markdown, HTML and PDF files.")
    return found


def _of_folder(path: Path) -> Iterator[Record]:
    for module in _ours():
        if hasattr(module, "holds") and module.holds(path):
            records: Iterator[Record] = module.records(path)
            return records
    raise BadInput(f'"{path.name or path}" is a folder. Name a file with one example a line, such as examples.jsonl.')


def check_size(path: Path) -> None:
    """Raises `BadInput` for a file that is empty or larger than 1 GB."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}. Check its permissions.") from None
    if size == 0:
        raise BadInput(f"{path.name} is empty. Write rows into it, one a line.")
    if size > MAX_FILE_BYTES:
        raise BadInput(f"{path.name} has {size / 1e9:.1f} GB; at most 1 GB is read. Take a sample of it.")
