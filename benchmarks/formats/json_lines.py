"""JSON Lines: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.contract import BadInput
from benchmarks.formats.record import Record, lines

SUFFIXES = (".jsonl", ".ndjson")


class NotFinite(ValueError):
    """NaN or Infinity, which JSON does not have."""


class KeyTwice(ValueError):
    """A key that stands twice in one object: which value is meant is unknown."""


def refuse_constant(word: str) -> NoReturn:
    """For `json.loads(parse_constant=...)`: raises `NotFinite`."""
    raise NotFinite(word)


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads(object_pairs_hook=...)`: raises `KeyTwice`."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise KeyTwice(next(name for name in names if names.count(name) > 1))
    return values


DECODER = json.JSONDecoder(parse_constant=refuse_constant, object_pairs_hook=distinct)


def records(path: Path) -> Iterator[Record]:
    """Yields one record a line; blank lines are passed over. Raises `BadInput` with the line."""
    for number, line in lines(path):
        text = line.strip()
        if text:
            place = f"line {number}"
            yield Record(place, _object(text, f"{path.name}, {place}"))


def _object(text: str, where: str) -> dict[str, object]:
    try:
        value = DECODER.decode(text)
    except NotFinite as error:
        raise BadInput(f"{where} holds {error}, which is not a value. Leave the row out, or write a text.") from None
    except json.JSONDecodeError as error:
        whole = "Write one JSON object a line" if text in ("{", "[") else "Correct it"
        raise BadInput(f"{where} is not valid JSON ({error.msg}, character {error.colno}). {whole}.") from None
    except RecursionError:
        raise BadInput(f"{where} is nested too deeply. Write an object with input and output.") from None
    except KeyTwice as error:
        raise BadInput(f'{where} has the key "{str(error)[:60]}" twice. Keep one.') from None
    except ValueError:
        raise BadInput(f"{where} holds a number of thousands of digits. Write it in quotes.") from None
    if not isinstance(value, dict):
        raise BadInput(f'{where} is not a JSON object. Write {{"input": "...", "output": "..."}}.')
    return value
