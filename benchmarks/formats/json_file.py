"""A JSON file: a list of objects, or an object that holds one such list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.json_lines import DECODER, KeyTwice, NotFinite
from benchmarks.formats.record import Record, lines

SUFFIXES = (".json",)


def records(path: Path) -> Iterator[Record]:
    """Yields one record for each object of the list. Raises `BadInput` with the line or the entry."""
    text = "".join(line for _, line in lines(path))
    for number, entry in enumerate(_entries(path, text), start=1):
        if not isinstance(entry, dict):
            raise BadInput(f'{path.name}, entry {number} is not an object. Write {{"input": "...", "output": "..."}}.')
        yield Record(f"entry {number}", entry)


def _entries(path: Path, text: str) -> list[Any]:
    try:
        value = DECODER.decode(text.strip())
    except NotFinite as error:
        raise BadInput(
            f"{path.name} holds {error}, which is not a value. Leave the row out, or write a text."
        ) from None
    except json.JSONDecodeError as error:
        lines_file = "If it has one object a line, name it .jsonl." if error.msg == "Extra data" else "Correct it."
        raise BadInput(f"{path.name}, line {error.lineno} is not valid JSON ({error.msg}). {lines_file}") from None
    except RecursionError:
        raise BadInput(f"{path.name} is nested too deeply. Write a list of objects with input and output.") from None
    except KeyTwice as error:
        raise BadInput(f'{path.name} has the key "{str(error)[:60]}" twice in one object. Keep one.') from None
    except ValueError:
        raise BadInput(f"{path.name} holds a number of thousands of digits. Write it in quotes.") from None
    lists = [value] if isinstance(value, list) else [item for item in _values(value) if isinstance(item, list)]
    if len(lists) != 1:
        raise BadInput(
            f'{path.name} holds no single list of objects. Write [{{"input": "...", "output": "..."}}, ...].'
        )
    return lists[0]


def _values(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, dict) else []
