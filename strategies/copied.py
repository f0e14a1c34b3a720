"""What an extraction copies: learnt from the examples, it says of each request which strings its answer may hold.

A small model writes "Carterville" because an example said so. Where every example took the value from its own input, only
words of the input can be right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from strategies.standalone.tagging import COPIED, places, words

LEAST, MISSED, SPARE = 3, 0.02, 4
"""Values that a field must have had, the share of them that may be none of the input's, and words beyond the longest."""
NEW = 0.02
"""Share of the fields of an open object that may have been seen once only: so likely is one that was never seen (Good and
Turing's estimate)."""
MORE = 2
"""Fields of an open object beyond the most that an example has. Without a limit a small model writes the same one for ever."""
LONGER = 2
"""How many times as long as the longest of the examples a string, list or whole number may be: a small model repeats itself
until it is cut off, and what is cut off is no JSON."""
SHORTEST, MOST_LETTERS, FEWEST_ITEMS = 60, 2_000, 4
"""Characters and items that are allowed in any case, and from how many characters on no limit is set."""
FEWEST_DIGITS, MOST_DIGITS = 6, 15
"""Likewise of the digits of a whole number."""
_SAYS_MORE = {"properties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if", "enum", "const"}
"""Beside any of these an object is not open, or may get no limit on the number of its fields."""
PLAIN = {"type", "title", "description", "minLength", "maxLength"}
_UNLIMITED = {"type", "title", "description"}

Seen = Sequence[tuple[str, Any]]
"""(input, what its answer has at one place of the schema) of examples."""


def narrowed(schema: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    """The schema with what the examples show beside it: strings that are copied are marked (`tagging.COPIED`), an open object
    gets the fields that it had where no other is to be expected, and what may be of any length a limit."""
    found = dict(schema)
    if _is_string(schema):
        return _string(found, [(text, value) for text, value in seen if isinstance(value, str)])
    if _is_whole_number(schema):
        return found | _limited([value for _, value in seen if isinstance(value, int) and not isinstance(value, bool)])
    if isinstance(parts := schema.get("properties"), Mapping):
        found["properties"] = {name: _part(part, _at(seen, name)) for name, part in parts.items()}
    if isinstance(parts := schema.get("patternProperties"), Mapping):
        known = {only(name): name for name in _names(seen)}
        found["patternProperties"] = {
            pattern: _part(part, _at(seen, known[pattern])) if pattern in known else part
            for pattern, part in parts.items()
        }
    if isinstance(items := schema.get("items"), Mapping):
        rows = [(text, item) for text, value in seen if isinstance(value, list) for item in value]
        found["items"] = narrowed(items, rows)
        found |= _ended(schema, [len(value) for _, value in seen if isinstance(value, list)])
    if schema.get("type") == "object" and not _SAYS_MORE & set(schema):
        found |= _opened(schema, seen)
    return found


# ---------------------------------------------------------------- learnt


def _is_string(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    nullable = isinstance(kinds, list) and sorted(map(str, kinds)) == ["null", "string"]
    return (kinds == "string" or nullable) and set(schema) <= PLAIN


def _is_whole_number(schema: Mapping[str, Any]) -> bool:
    """One without limits of its own, which stay."""
    kinds = schema.get("type")
    nullable = isinstance(kinds, list) and sorted(map(str, kinds)) == ["integer", "null"]
    return (kinds == "integer" or nullable) and set(schema) <= _UNLIMITED


def _part(part: Any, seen: Seen) -> Any:
    return narrowed(part, seen) if isinstance(part, Mapping) else part


def _at(seen: Seen, name: str) -> list[tuple[str, Any]]:
    """What stands in the field of this name."""
    return [(text, value[name]) for text, value in seen if isinstance(value, dict) and name in value]


def _names(seen: Seen) -> Counter[str]:
    return Counter(name for _, value in seen if isinstance(value, dict) for name in value)


def only(name: str) -> str:
    """The pattern that fits this name alone. A person's own patterns are of another dialect, and never tried here."""
    return f"^{re.escape(name)}$"


def _string(schema: dict[str, Any], seen: Sequence[tuple[str, str]]) -> dict[str, Any]:
    missed = sum(not _stands(value, text) for text, value in seen)
    if len(seen) < LEAST or missed > MISSED * len(seen):
        return schema | _bounded(schema, [len(value) for _, value in seen])
    most = max(len(words(value)) for _, value in seen) + SPARE
    if schema["type"] == "string":
        return {**schema, COPIED: most}
    return {"anyOf": [{"type": "null"}, {**schema, "type": "string", COPIED: most}]}


def _bounded(schema: Mapping[str, Any], lengths: Sequence[int]) -> dict[str, Any]:
    """A limit on the length of a string that may hold anything, where the task states none."""
    longest = max(SHORTEST, LONGER * max(lengths, default=0), schema.get("minLength", 0))
    if len(lengths) < LEAST or longest > MOST_LETTERS or "maxLength" in schema:
        return {}
    return {"maxLength": longest}


def _limited(numbers: Sequence[int]) -> dict[str, Any]:
    """Limits between which a whole number has at most so many times as many digits as those of the examples."""
    digits = max(FEWEST_DIGITS, LONGER * max((len(str(abs(number))) for number in numbers), default=0))
    if len(numbers) < LEAST or digits > MOST_DIGITS:
        return {}
    return {"minimum": 1 - 10**digits, "maximum": 10**digits - 1}


def _ended(schema: Mapping[str, Any], lengths: Sequence[int]) -> dict[str, Any]:
    """The same of a list: how many items."""
    if len(lengths) < LEAST or "maxItems" in schema:
        return {}
    return {"maxItems": max(FEWEST_ITEMS, LONGER * max(lengths), schema.get("minItems", 0))}


def _stands(value: str, text: str) -> bool:
    """Whether the value is a run of whole words of the text, letter for letter."""
    spans = words(text)
    return any(text[spans[first][0] : spans[last - 1][1]] == value for first, last in places(text, value))


def _opened(schema: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    """What is to be said of an object of which the schema names no field."""
    each = schema.get("additionalProperties", {})
    counts = _names(seen)
    if not isinstance(each, Mapping) or not counts:
        return {}
    most = max(len(value) for _, value in seen if isinstance(value, dict)) + MORE
    limit = {"maxProperties": min(most, schema.get("maxProperties", most))}
    if sum(count == 1 for count in counts.values()) > NEW * counts.total():
        rows = [(text, part) for text, value in seen if isinstance(value, dict) for part in value.values()]
        return {"additionalProperties": narrowed(each, rows), **limit}
    names = {only(name): narrowed(each, _at(seen, name)) for name in counts}
    return {"patternProperties": names, "additionalProperties": False, **limit}
