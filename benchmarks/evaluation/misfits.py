"""Answers that cannot be right whatever was asked: no label of the task, or not of its schema or form."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from benchmarks.contract import ScoreFailure
from benchmarks.metrics._base import label_of
from strategies.contract import Task
from strategies.schemas import LONGEST_MATCH_S

if TYPE_CHECKING:
    import regex

OUTSIDE, MALFORMED, OTHER_FORM = "outside the labels", "not of the schema", "not of the pattern"
FORMS = (OUTSIDE, MALFORMED, OTHER_FORM)
INVALID = ("refused", "unparsable", "abstained", *FORMS)
"""Kinds of answers that whoever takes them up could not use, whatever is right. Of one answer at most one is said."""
REMEMBERED = 2_000
"""Answers of which it is remembered whether they are of a schema: approaches often give the same, and checking one is slow."""


def misfit(task: Task) -> Callable[[str], str]:
    """Says what is wrong with the form of an answer: one of the three above, or nothing."""
    return misfit_of(task.kind, task.labels, task.schema)


def allows_all(kind: str, labels: Collection[str], schema: Mapping[str, Any] | None) -> bool:
    """Whether nothing is wrong with any answer, whatever its form."""
    schema = schema or {}
    return not (labels or (schema.get("type") == "string" and "pattern" in schema) or (kind == "extraction" and schema))


def misfit_of(kind: str, labels: Collection[str], schema: Mapping[str, Any] | None) -> Callable[[str], str]:
    """The same of what a task says of its answers."""
    if labels:
        known = {label_of(label) for label in labels}
        return lambda text: "" if label_of(text) in known else OUTSIDE
    schema = schema or {}
    if schema.get("type") == "string" and "pattern" in schema:
        import regex

        pattern = regex.compile(str(schema["pattern"]))
        return lambda text: "" if _matches(pattern, text.strip()) else OTHER_FORM
    if kind == "extraction" and schema:
        valid = _by_schema(json.dumps(schema))
        return lambda text: "" if valid(text) else MALFORMED
    return lambda text: ""


def _matches(pattern: regex.Pattern[str], text: str) -> bool:
    try:
        return bool(pattern.fullmatch(text, timeout=LONGEST_MATCH_S))
    except TimeoutError:
        return True  # Nobody knows, so nothing is said.


@lru_cache(maxsize=4)
def _by_schema(written: str) -> Callable[[str], bool]:
    from referencing.exceptions import Unresolvable

    from benchmarks.metrics.json_valid import JsonValid

    schema = JsonValid(schema=json.loads(written))

    @lru_cache(maxsize=REMEMBERED)
    def valid(text: str) -> bool:
        try:
            return schema.reads(text)
        except (Unresolvable, RecursionError, ScoreFailure):
            return True  # A schema that refers to what it does not hold says nothing of an answer, nor does a slow pattern.

    return valid
