"""Answers that cannot be right whatever was asked: no label of the task, or not of its schema or form."""

from __future__ import annotations

from collections.abc import Callable

import regex
from referencing.exceptions import Unresolvable

from benchmarks.infer import LONGEST_MATCH_S
from benchmarks.metrics._base import label_of
from benchmarks.metrics.json_valid import JsonValid
from strategies.contract import Task

OUTSIDE, MALFORMED, OTHER_FORM = "outside the labels", "not of the schema", "not of the pattern"


def misfit(task: Task) -> Callable[[str], str]:
    """Says what is wrong with the form of an answer: one of the three above, or nothing."""
    if task.labels:
        labels = {label_of(label) for label in task.labels}
        return lambda text: "" if label_of(text) in labels else OUTSIDE
    schema = task.schema or {}
    if schema.get("type") == "string" and "pattern" in schema:
        pattern = regex.compile(str(schema["pattern"]))
        return lambda text: "" if _matches(pattern, text.strip()) else OTHER_FORM
    if task.kind == "extraction" and schema:
        valid = JsonValid(schema=schema)
        return lambda text: "" if _valid(valid, text) else MALFORMED
    return lambda text: ""


def _matches(pattern: regex.Pattern[str], text: str) -> bool:
    try:
        return bool(pattern.fullmatch(text, timeout=LONGEST_MATCH_S))
    except TimeoutError:
        return True  # Nobody knows, so nothing is said.


def _valid(schema: JsonValid, text: str) -> bool:
    try:
        return schema.reads(text)
    except (Unresolvable, RecursionError):
        return True  # A schema that refers to what it does not hold says nothing of an answer.
