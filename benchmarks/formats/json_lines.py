"""JSON Lines: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from benchmarks.contract import BadInput
from benchmarks.formats.record import Record, lines


class NotFinite(ValueError):
    """NaN or Infinity, which JSON does not have."""


def refuse_constant(word: str) -> NoReturn:
    """For `json.loads(parse_constant=...)`: raises `NotFinite`."""
    raise NotFinite(word)


DECODER = json.JSONDecoder(parse_constant=refuse_constant)


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
    except ValueError as error:
        raise BadInput(f"{where} cannot be read ({error}). Write long numbers in quotes.") from None
    if not isinstance(value, dict):
        raise BadInput(f'{where} is not a JSON object. Write {{"input": "...", "output": "..."}}.')
    return value
