"""The JSON schema that answers have to satisfy: the task's own, or what its examples have in common, in their spelling."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any

from strategies.contract import Case, Task
from strategies.copied import narrowed, only
from strategies.fields import is_object
from strategies.standalone.tagging import unmarked

SPELLINGS = ((", ", ": "), (",", ":"))
"""(between items, after a key) as JSON is usually written on one line."""
ALIKE = 0.9
"""Share of the examples that must be written in one spelling for answers to be held to it."""

NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords of a schema that hold schemas by names, which are no keywords."""
VALUES = ("const", "enum", "default", "examples")
"""Keywords that hold values."""
_DEFINITIONS, _COMBINED = ("$defs", "definitions"), ("allOf", "anyOf", "oneOf")

LONGEST_MATCH_S = 0.2
"""Seconds in which a person's pattern has to be found in a text, or not."""


def answer_schema(task: Task, cases: Sequence[Case]) -> str:
    """JSON text of the schema, empty where answers are no JSON objects and have no pattern.

    Without a schema in the task it allows the fields and types of the examples, in their order where they have one.
    Its `x-guidance` says how white space is written, and marks (`tagging.COPIED`) which strings are words of the input.
    """
    if task.schema and task.schema.get("type") == "string":
        return json.dumps(task.schema, ensure_ascii=False)
    if task.kind != "extraction" or not cases or not all(map(is_object, cases)):
        return ""
    values = [json.loads(case.output) for case in cases]
    schema = ordered(_of_objects(task.schema), values) if task.schema else common(values)
    marked = narrowed(schema, [(case.input, value) for case, value in zip(cases, values, strict=True)])
    spelling = _spelling([case.output for case in cases], values)
    options: dict[str, Any] = {}
    if spelling:
        options = {"whitespace_flexible": False, "item_separator": spelling[0], "key_separator": spelling[1]}
    ways = _ways(marked, schema, options)
    found = next((way for way in ways if not beyond(way)), ways[0]) if task.schema else ways[0]
    return json.dumps(found, ensure_ascii=False)


def _of_objects(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with the type of all answers: one that only names fields allows `false`, which has none. As it is where it
    allows no object, and where its parts refer to the whole, since these may be something else."""
    recursive = '"$ref": "#"' in json.dumps(schema)
    return {**schema, "type": "object"} if "object" in schema.get("type", "object") and not recursive else schema


def _ways(marked: Mapping[str, Any], schema: Mapping[str, Any], options: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What answers may be held to, the narrowest first. `lenient` leaves out what llguidance does not know, and of the limits on
    the number of fields the lower one would then count in a way that forbids valid answers."""
    strict, lenient = ({"x-guidance": {**options, **more}} for more in ({}, {"lenient": True}))
    return [
        *({**each, **strict} if options else each for each in (marked, schema)),
        *({**without_least(each), **lenient} for each in (marked, schema)),
    ]


def beyond(schema: Mapping[str, Any]) -> str:
    """Why answers cannot be held to a schema of JSON, as llguidance says it; empty where they can."""
    wrong, said = _validated(schema)
    if not wrong:
        return ""
    first, *more = said[0].strip().splitlines()  # Of a pattern these show where; the last one says what.
    return f"{first} {more[-1].removeprefix('error: ')}" if more else first


def left_out(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """What answers are not held to of a schema that is followed leniently, as llguidance says it."""
    wrong, said = _validated(schema)
    return () if wrong else tuple(dict.fromkeys(said))


def _validated(schema: Mapping[str, Any]) -> tuple[bool, list[str]]:
    from llguidance import LLMatcher

    try:
        text = LLMatcher.grammar_from_json_schema(json.loads(unmarked(json.dumps(schema))))
        return LLMatcher.validate_grammar_with_warnings(text)
    except (TypeError, ValueError, RuntimeError) as error:
        return True, [str(error) or type(error).__name__]


def without_least(schema: Any) -> Any:
    """The same without its lower limits on the number of fields."""
    if isinstance(schema, list):
        return [without_least(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {}
    for key, held in schema.items():
        if key in NAMED and isinstance(held, Mapping):
            found[key] = {name: without_least(part) for name, part in held.items()}
        elif key != "minProperties":
            found[key] = held if key in VALUES else without_least(held)
    return found


def ordered(schema: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """The schema with the fields of all objects in the order that they have in these values, as far as these have one, wherever
    `properties`, `items`, combinations and references to definitions lead."""
    seen, left = {"#": list(values)}, [("#", list(values))]
    met = set[tuple[str, int]]()
    while left:
        place, here = left.pop()
        met |= {(place, id(value)) for value in here}
        further: list[tuple[str, list[Any]]] = []
        _in_order(_definition(schema, place), here, further)
        for name, there in further:
            fresh = [value for value in there if (name, id(value)) not in met]
            if fresh and _definition(schema, name):
                seen.setdefault(name, []).extend(fresh)
                left.append((name, fresh))
    found: dict[str, Any] = _in_order(schema, seen["#"], [])
    for kind in _DEFINITIONS:
        if isinstance(parts := schema.get(kind), Mapping):
            found[kind] = {name: _in_order(part, seen.get(f"#/{kind}/{name}", ()), []) for name, part in parts.items()}
    return found


def _definition(schema: Mapping[str, Any], place: str) -> Any:
    """What a reference leads to: the whole or one of its definitions; else nothing."""
    if place == "#":
        return schema
    _, _, path = place.partition("/")
    kind, _, name = path.partition("/")
    parts = schema.get(kind) if kind in _DEFINITIONS else None
    return parts.get(name) if isinstance(parts, Mapping) else None


def _in_order(schema: Any, values: Sequence[Any], further: list[tuple[str, list[Any]]]) -> Any:
    """One part of a schema with its fields in order. `further` gets the references in it, with the values that stand there."""
    if not isinstance(schema, Mapping):
        return schema
    found = dict(schema)
    if isinstance(place := schema.get("$ref"), str):
        further.append((place, list(values)))
    if isinstance(parts := schema.get("properties"), Mapping):
        rows = [value for value in values if isinstance(value, dict)]
        order = {name: place for place, name in enumerate(_order(rows, list(parts)) or ())}
        names = sorted(parts, key=lambda name: order.get(name, len(order)))
        found["properties"] = {
            name: _in_order(parts[name], [row[name] for row in rows if name in row], further) for name in names
        }
    if "items" in schema:
        items = [item for value in values if isinstance(value, list) for item in value]
        found["items"] = _in_order(schema["items"], items, further)
    for key in _COMBINED:
        if isinstance(parts := schema.get(key), list):
            found[key] = [_in_order(part, values, further) for part in parts]
    return found


def of_form(schema: str) -> Callable[[str], bool]:
    """Whether a text has the pattern of a schema that `answer_schema` gave, where it has one; not where that takes too long."""
    pattern = json.loads(schema).get("pattern") if schema else None
    if pattern is None:
        return lambda text: True
    import regex

    form = regex.compile(pattern)

    def fits(text: str) -> bool:
        try:
            return form.fullmatch(text, timeout=LONGEST_MATCH_S) is not None
        except TimeoutError:
            return False

    return fits


def _spelling(texts: Sequence[str], values: Sequence[Any]) -> tuple[str, str] | None:
    for spelling in SPELLINGS:
        written = [json.dumps(value, ensure_ascii=False, separators=spelling) for value in values]
        if sum(text.strip() == ours for text, ours in zip(texts, written, strict=True)) >= ALIKE * len(texts):
            return spelling
    return None


def common(values: Sequence[Any]) -> dict[str, Any]:
    """A schema that all the values satisfy: fields and types are theirs, strings and numbers are free."""
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    plain = sorted({_type(value) for value in values if not isinstance(value, dict | list)})
    kinds: list[dict[str, Any]] = []
    if objects:
        kinds.append(_object(objects))
    if lists:
        items = [item for row in lists for item in row]
        kinds.append({"type": "array", "items": common(items)} if items else {"type": "array", "maxItems": 0})
    if plain:
        kinds.append({"type": plain[0] if len(plain) == 1 else plain})
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _object(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    parts = {name: common([row[name] for row in rows if name in row]) for name in names}
    order = _order(rows)
    if order is None:
        named = {only(name): parts[name] for name in names}
        most = {"maxProperties": len(names)}  # So none is written for ever.
        return {"type": "object", "patternProperties": named, "additionalProperties": False, **most}
    always = [name for name in order if all(name in row for row in rows)]
    properties = {name: parts[name] for name in order}
    return {"type": "object", "properties": properties, "required": always, "additionalProperties": False}


def _order(rows: Sequence[Mapping[str, Any]], liked: Sequence[str] = ()) -> list[str] | None:
    """One order of the fields that no row contradicts, as they are `liked` where the rows leave it open; None where the rows have
    none in common."""
    after: dict[str, dict[str, None]] = {name: {} for row in rows for name in row}
    for row in rows:
        names = list(row)
        for first, second in pairwise(names):
            after[second][first] = None  # A set would be in another order in another process.
    try:
        return _sorted(after, liked) if liked else list(TopologicalSorter(after).static_order())
    except CycleError:
        return None


def _sorted(after: Mapping[str, Mapping[str, None]], liked: Sequence[str]) -> list[str]:
    """Each name behind those that it comes after, and of several that may be next the one liked first. Raises `CycleError`."""
    place = {name: at for at, name in enumerate(dict.fromkeys([*liked, *after]))}
    sorter = TopologicalSorter(after)
    sorter.prepare()
    found: list[str] = []
    free: list[tuple[int, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(free, (place[name], name))
        _, name = heappop(free)
        found.append(name)
        sorter.done(name)
    return found


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "string"
