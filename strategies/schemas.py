"""The JSON schema that answers have to satisfy: the task's own, or what its examples have in common, in their spelling."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

from strategies.contract import Case, Task
from strategies.copied import narrowed, only
from strategies.fields import is_object

SPELLINGS = ((", ", ": "), (",", ":"))
"""(between items, after a key) as JSON is usually written on one line."""
ALIKE = 0.9
"""Share of the examples that must be written in one spelling for answers to be held to it."""

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
    learnt = common(values)
    schema = dict(task.schema) if task.schema else learnt
    if task.schema and isinstance(schema.get("properties"), dict):
        order = list(learnt.get("properties", ()))
        names = sorted(schema["properties"], key=lambda name: order.index(name) if name in order else len(order))
        schema["properties"] = {name: schema["properties"][name] for name in names}
    schema = narrowed(schema, [(case.input, value) for case, value in zip(cases, values, strict=True)])
    spelling = _spelling([case.output for case in cases], values)
    if spelling:
        options = {"whitespace_flexible": False, "item_separator": spelling[0], "key_separator": spelling[1]}
        schema = {**schema, "x-guidance": options}
    return json.dumps(schema, ensure_ascii=False)


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


def _order(rows: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """One order of the fields that no row contradicts; None where the rows have none in common."""
    after: dict[str, dict[str, None]] = {name: {} for row in rows for name in row}
    for row in rows:
        names = list(row)
        for first, second in pairwise(names):
            after[second][first] = None  # A set would be in another order in another process.
    try:
        return list(TopologicalSorter(after).static_order())
    except CycleError:
        return None


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "string"
