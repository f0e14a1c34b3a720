"""Reads what a row says to a metric of a person's own: an object, also as a table has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.clean import clean
from benchmarks.formats.json_lines import DECODER


def metadata_of(value: Any, where: str) -> Mapping[str, Any]:
    """What the column holds as plain JSON values, empty where it is nothing. Raises `BadInput`, naming `where`, for no object."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _json_object(value)
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping):
        raise BadInput(f'{where}: metadata is not an object. Write {{"name": "value"}}, or rename the column.')
    text = json.dumps(dict(value), ensure_ascii=False, default=_dated)
    clean(text, f"{where}: metadata")
    plain: dict[str, Any] = json.loads(text)  # Runs and reviewed copies store it as JSON.
    return plain


def _dated(value: Any) -> str:
    """What JSON lacks, as a text: dates and times as ISO 8601 has them."""
    return value.isoformat() if isinstance(value, date) else str(value)


def _json_object(text: str) -> Any:
    try:
        return DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return text
