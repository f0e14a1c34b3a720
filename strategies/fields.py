"""The fields of JSON answers as columns: which can be decided among few values, which are copied from the input."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strategies.contract import Case
from strategies.standalone.tagging import copied

FieldPath = tuple[str, ...]
"""Names of nested objects, the outermost first."""
FEW = 12
"""A field with at most this many values, each seen twice on average, is decided among them."""
ABSENT = ""
"""In place of JSON text: the answer has no such field."""


@dataclass(frozen=True)
class Columns:
    """What there is to decide, to copy and to fill in; values as JSON text, `ABSENT` where an answer lacks the field."""

    decided: Mapping[FieldPath, list[str]]
    copied: Mapping[FieldPath, list[str]]
    filled: Mapping[FieldPath, str]
    """The most frequent value of every other field."""


def columns(cases: Sequence[Case]) -> Columns:
    """Sorts the fields of the cases' outputs, each of which is a JSON object."""
    rows = [flat(json.loads(case.output)) for case in cases]
    texts = [case.input for case in cases]
    decided: dict[FieldPath, list[str]] = {}
    taken: dict[FieldPath, list[str]] = {}
    filled: dict[FieldPath, str] = {}
    for path in dict.fromkeys(path for row in rows for path in row):
        values = [json.dumps(row[path], ensure_ascii=False) if path in row else ABSENT for row in rows]
        if len(set(values)) <= FEW and len(values) >= 2 * len(set(values)):
            decided[path] = values
        elif copied(texts, [plain(value) for value in values]):
            taken[path] = values
        else:
            filled[path] = most_frequent(values)
    return Columns(decided, taken, filled)


def most_frequent(values: Sequence[str]) -> str:
    """Ties go to the value that is first in the alphabet."""
    return min(Counter(values).items(), key=lambda item: (-item[1], item[0]))[0]


def is_object(case: Case) -> bool:
    """Whether the case's output is a JSON object; an empty one is."""
    try:
        value = json.loads(case.output)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def plain(value: str) -> Any:
    """The value behind the JSON text; None for what is absent as for null."""
    return json.loads(value) if value else None


def flat(value: Mapping[str, Any]) -> dict[FieldPath, Any]:
    """The leaves of nested objects; lists and empty objects are leaves."""
    found: dict[FieldPath, Any] = {}
    for name, part in value.items():
        if isinstance(part, dict) and part:
            found |= {(name, *rest): leaf for rest, leaf in flat(part).items()}
        else:
            found[name,] = part
    return found


def nested(values: Mapping[FieldPath, str]) -> dict[str, Any]:
    """The object that has these values, those that are absent left out."""
    whole: dict[str, Any] = {}
    for path, text in values.items():
        if text == ABSENT:
            continue
        place = whole
        for name in path[:-1]:
            inner = place.get(name)
            place[name] = inner if isinstance(inner, dict) else {}
            place = place[name]
        place[path[-1]] = json.loads(text)
    return whole
