"""Whether a JSON value is valid by a schema, with a limit on the time that its patterns take: jsonschema's own have none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
import regex

from benchmarks.contract import ScoreFailure
from benchmarks.metrics._rules import SECONDS, compiled

_VALUES = ("const", "default", "enum", "examples")
"""Keywords that hold values, in which nothing is a keyword."""
_NAMED = ("$defs", "definitions", "dependencies", "dependentSchemas", "properties")
"""Keywords that hold schemas by names that are no keywords."""


def validator(schema: Mapping[str, Any]) -> Any:
    """The class that validates by the dialect that a schema names."""
    return jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)


def is_valid(schema: Mapping[str, Any], value: Any) -> bool:
    """Raises `ScoreFailure` where a pattern takes more than `SECONDS` on a text of the value."""
    return bool(_limited(validator(schema))(_settled(schema, tuple(_fields(value)))).is_valid(value))


def first_fault(schema: Mapping[str, Any], value: Any) -> tuple[str, str]:
    """Where a value is not valid, such as `lines/0/size`, and by which keyword. Raises `LookupError` for one that is."""
    for error in _limited(validator(schema))(_settled(schema, tuple(_fields(value)))).iter_errors(value):
        return "/".join(map(str, error.absolute_path)) or "the top", str(error.validator)
    raise LookupError("the value is valid")


def _found(pattern: str, text: str) -> bool:
    try:
        return compiled(pattern).search(text, timeout=SECONDS) is not None
    except TimeoutError:
        said = f"took more than {SECONDS:g} s on a text of {len(text)} characters. Write it without repeats inside repeats."
    except regex.error as error:
        said = f"is read in another way by `regex`, which has a limit on time: {error}. Write it in another way."
    raise ScoreFailure(f"The pattern `{pattern[:200]}` of the schema {said}")


@cache
def _limited(dialect: Any) -> Any:
    extend: Any = jsonschema.validators.extend
    return extend(dialect, {"pattern": _pattern})


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(value, str) and not _found(pattern, value):
        yield jsonschema.ValidationError("does not match")


def _fields(value: Any) -> dict[str, None]:
    """The names of all fields in a value, each once."""
    found, left = dict[str, None](), [value]
    while left:
        match left.pop():
            case dict() as fields:
                found |= dict.fromkeys(fields)
                left += fields.values()
            case list() as items:
                left += items
    return found


def _settled(schema: Any, fields: tuple[str, ...]) -> Any:
    """The schema with each pattern of `patternProperties` written out as the fields that it is found in: several keywords search
    by them. It no longer names its dialect, which is chosen by then: jsonschema would take its own class for it at each `$ref`,
    which has no limit on time."""
    if isinstance(schema, list):
        return [_settled(each, fields) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {word: _settled_by(word, value, fields) for word, value in schema.items() if word != "$schema"}


def _settled_by(word: str, value: Any, fields: tuple[str, ...]) -> Any:
    if word in _VALUES:
        return value
    if word == "patternProperties" and isinstance(value, Mapping):
        named = enumerate(value.items())
        return {_one_of(pattern, fields, place): _settled(each, fields) for place, (pattern, each) in named}
    if word in _NAMED and isinstance(value, Mapping):
        return {name: _settled(each, fields) for name, each in value.items()}
    return _settled(value, fields)


def _one_of(pattern: str, fields: tuple[str, ...], place: int) -> str:
    """A pattern of those fields alone; its place keeps it apart from another one of the same."""
    found = [re.escape(field) for field in fields if _found(pattern, field)]
    return f"^(?:{'|'.join(found) or '(?!)'})(?#{place})\\Z"
