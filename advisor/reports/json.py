"""The report for machines: one JSON document with every field of the story, its facts among them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import PurePath
from typing import Any

from advisor.contract import Story
from advisor.reports.text import RECORDED, cleaned

SUFFIX = ".json"
SCHEMA_VERSION = 1
"""Grows when a field changes its meaning or goes; a field more leaves it as it is."""


def render(story: Story) -> str:
    """One JSON document that ends with a line feed. Numbers that JSON does not have (NaN, infinity) become null.

    Errors: TypeError where the facts hold something that is not plain data; paths are refused, since they name a
    machine and a user.
    """
    fields = _plain(cleaned(story), "story")
    document = {"schema_version": SCHEMA_VERSION, **({"note": RECORDED} if story.recorded else {}), **fields}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def schema() -> dict[str, Any]:
    """The JSON schema of `render`, made from the types of a story; published as docs/report.schema.json.

    What a story says twice, in sentences and as numbers under `facts`, programs should take from `facts`.
    """
    from pydantic import TypeAdapter

    found = _with_nulls(TypeAdapter(Story).json_schema())
    of_story = found.pop("properties")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Report of finetune-advisor",
        "description": f"report.json, version {SCHEMA_VERSION}. Numbers that JSON does not have are null; fields may be added.",
        "type": "object",
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, "note": {"type": "string"}, **of_story},
        "required": ["schema_version", *of_story],
        "$defs": found["$defs"],
    }


def _with_nulls(value: Any) -> Any:
    """Numbers may be null; what the types say of defaults and of Python is left out."""
    if isinstance(value, list):
        return [_with_nulls(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _with_nulls(each) for key, each in value.items() if key not in ("default", "description")}
    titled = {key: each for key, each in kept.items() if not (key == "title" and isinstance(each, str))}
    return {**titled, "type": ["number", "null"]} if titled.get("type") == "number" else titled


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value, where)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(held, f"{where}.{name}") for name, held in named}
    if isinstance(value, Mapping):
        return {_key(key): _plain(held, f"{where}.{key}") for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held, where) for held in value]
    if isinstance(value, Set):
        return sorted((_plain(held, where) for held in value), key=str)
    if hasattr(value, "tolist") and not isinstance(value, PurePath):
        return _plain(value.tolist(), where)
    raise TypeError(f"{where} holds a {type(value).__name__}; a report holds texts, numbers, lists and mappings.")


def _key(key: Any) -> str:
    return str(key.value) if isinstance(key, Enum) else str(key)
