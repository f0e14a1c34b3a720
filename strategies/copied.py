"""What an extraction copies: learnt from the examples, it says of each request which strings its answer may hold.

A small model writes "Carterville" because an example said so. Where every example took the value from its own input, only
words of the input can be right.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from strategies.tagging import places, words

COPIED = "x-copied"
"""In a schema: this string is a run of words of the input, of so many at most."""
LEAST, MISSED, SPARE = 3, 0.02, 4
"""Values that a field must have had, the share of them that may be none of the input's, and words beyond the longest."""
NEW = 0.02
"""Share of the fields of an open object that may have been seen once only: so likely is one that was never seen (Good and
Turing's estimate)."""
MORE = 2
"""Fields of an open object beyond the most that an example has. Without a limit a small model writes the same one for ever."""
LARGEST = 4000
"""Words of an input times words of a value up to which a pattern is written; beyond, its grammar would take too long."""
PLAIN = {"type", "title", "description", "minLength", "maxLength"}

Seen = Sequence[tuple[str, Any]]
"""(input, what its answer has at one place of the schema) of examples."""


def narrowed(schema: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    """The schema with what the examples show beside it: strings that are copied are marked (`COPIED`), and an open object
    gets the fields that it had where no other is to be expected."""
    found = dict(schema)
    if _is_string(schema):
        return _string(found, [(text, value) for text, value in seen if isinstance(value, str)])
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
    if schema.get("type") == "object" and not {"properties", "patternProperties"} & set(schema):
        found |= _opened(schema, seen)
    return found


def for_text(schema: str, text: str) -> str:
    """The schema, as JSON text, of a request about this text: marked strings are runs of its words."""
    if COPIED not in schema:
        return schema
    ends = words(text)

    def written(leaf: Mapping[str, Any]) -> dict[str, Any]:
        most = leaf[COPIED]
        if not ends or len(ends) * most > LARGEST:
            return _without_mark(leaf)
        return {**_without_mark(leaf), "pattern": f"^({'|'.join(_runs(text, ends, most))})$"}

    return json.dumps(_replaced(json.loads(schema), written), ensure_ascii=False)


def unmarked(schema: str) -> str:
    """The schema as servers know it, which any text satisfies that satisfied it before the examples were looked at."""
    return json.dumps(_replaced(json.loads(schema), _without_mark), ensure_ascii=False) if COPIED in schema else schema


# ---------------------------------------------------------------- learnt


def _is_string(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    nullable = isinstance(kinds, list) and sorted(map(str, kinds)) == ["null", "string"]
    return (kinds == "string" or nullable) and set(schema) <= PLAIN


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
        return schema
    most = max(len(words(value)) for _, value in seen) + SPARE
    if schema["type"] == "string":
        return {**schema, COPIED: most}
    return {"anyOf": [{"type": "null"}, {**schema, "type": "string", COPIED: most}]}


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


# ---------------------------------------------------------------- written


def _replaced(schema: Any, leaf: Any) -> Any:
    """The schema with what `leaf` makes of each marked string."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get(COPIED), int) and schema.get("type") == "string":
            return leaf(schema)
        return {name: _replaced(part, leaf) for name, part in schema.items()}
    return [_replaced(part, leaf) for part in schema] if isinstance(schema, list) else schema


def _without_mark(leaf: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in leaf.items() if name != COPIED}


def _runs(text: str, ends: Sequence[tuple[int, int]], most: int) -> Iterator[str]:
    """Regular expressions, one for each word: the word, and as many of the following ones as may be."""
    for first in range(len(ends)):
        pattern = ""
        for place in reversed(range(first, min(len(ends), first + most))):
            start = ends[place][0] if place == first else ends[place - 1][1]
            word = _escaped(text[start : ends[place][1]])
            pattern = f"{word}({pattern})?" if pattern else word
        yield pattern


def _escaped(text: str) -> str:
    """For a regular expression; white space by its letter, as the dialect of schemas wants it."""
    return re.escape(text).replace("\\\n", "\\n").replace("\\\r", "\\r").replace("\\\t", "\\t")
