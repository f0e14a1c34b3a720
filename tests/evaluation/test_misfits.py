"""Answers that are no answers to the task: no label of it, not of its schema, not of its pattern."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.contract import Row, ScoreFailure
from benchmarks.evaluation.evaluate import _valid_by_group, count_failures
from benchmarks.evaluation.misfits import MALFORMED, OTHER_FORM, OUTSIDE, misfit
from benchmarks.evaluation.scoring import shown_figures
from benchmarks.metrics.json_valid import JsonValid
from strategies.contract import Abstention, Case, Failure, Prediction, Task
from tests import tiny

LABELLED = replace(tiny.benchmark().task, labels=("delivery", "Card arrival"))
ITEM: dict[str, Any] = {"type": "object", "required": ["item"], "properties": {"item": {"type": "string"}}}


def of_schema(schema: dict[str, Any], kind: Any = "extraction") -> Task:
    return replace(LABELLED, kind=kind, labels=(), schema=schema)


def row(outcome: Any, score: float = 0.0) -> Row:
    return Row(candidate="a", purpose="heldout", key="k", outcome=outcome, score=score)


@pytest.mark.parametrize(
    ("task", "fits", "does_not", "name"),
    [
        (LABELLED, ["delivery", " DELIVERY ", "card arrival"], ["", "delivery!", "It is about delivery."], OUTSIDE),
        (
            of_schema(ITEM),
            ['{"item": "A4"}', ' {"item": "", "more": 1}\n'],
            ['{"item": 3}', "{}", "A4", "[1]"],
            MALFORMED,
        ),
        (of_schema(ITEM), [], ['```json\n{"item": "A4"}\n```'], MALFORMED),
        (
            of_schema({"type": "string", "pattern": "^(?:[A-Z]{2})$"}, "qa"),
            ["DE", "DE "],
            ["de", "DEU", ""],
            OTHER_FORM,
        ),
    ],
)
def test_the_form_of_an_answer_is_told_by_the_task(task: Task, fits: list[str], does_not: list[str], name: str) -> None:
    assert {misfit(task)(text) for text in fits} <= {""}
    assert {misfit(task)(text) for text in does_not} == {name}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"item": {"$ref": "#/$defs/nowhere"}}},
        {"$ref": "#"},
        {"type": "string"},
    ],
)
def test_a_schema_that_says_nothing_faults_nothing(schema: dict[str, Any]) -> None:
    kind = "qa" if schema.get("type") == "string" else "extraction"
    assert misfit(of_schema(schema, kind))('{"item": 1}') == ""


def test_a_pattern_that_takes_too_long_faults_nothing() -> None:
    task = of_schema({"type": "string", "pattern": "^(?:(a|aa)+$)$"}, "qa")
    assert misfit(task)("a" * 60 + "!") == ""


@pytest.mark.parametrize("pattern", [r"^([A-Za-z]+\s?)+$", "^(a|aa)+$"])
@pytest.mark.parametrize("where", ["a text", "a field", "no other field"])
def test_a_pattern_within_a_schema_has_a_limit_on_time_too(pattern: str, where: str) -> None:
    """One engine searches the first without end, the other one the second."""
    slow = "a" * 60 + " 24"
    schema: dict[str, Any] = {"properties": {"item": {"pattern": pattern}}}
    if where != "a text":
        rest = "unevaluatedProperties" if where == "no other field" else "additionalProperties"
        schema = {rest: False, "properties": {"item": True}, "patternProperties": {pattern: True, "^b": False}}
    said = {"item": "b"} | ({"item": slow} if where == "a text" else {slow: 1})
    unknown = "|" in pattern
    assert misfit(of_schema(schema))(json.dumps(said)) == ("" if unknown else MALFORMED)
    if unknown:
        with pytest.raises(ScoreFailure, match=r"The pattern `\^\(a\|aa\)\+\$` of the schema took more than 1 s"):
            JsonValid(schema=schema).reads(json.dumps(said))


def test_the_limit_holds_where_a_schema_that_names_its_dialect_holds_itself() -> None:
    """At such a `$ref` jsonschema takes its own class for the dialect, and that has none."""
    below = {"items": {"$ref": "#"}}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"name": {"pattern": "^(a|aa)+$"}, "below": below},
    }
    said = {"below": [{"name": "a" * 40 + "!"}]}
    with pytest.raises(ScoreFailure, match="of the schema took more than 1 s"):
        JsonValid(schema=schema).reads(json.dumps(said))


def test_tasks_with_free_answers_have_no_misfits() -> None:
    free = replace(LABELLED, kind="generation", labels=())
    assert count_failures([row(Prediction(text="anything"))], free) == {}


def test_an_answer_that_is_right_in_part_may_be_a_misfit_and_one_that_is_right_but_for_rounding_is_none() -> None:
    rows = [row(Prediction(text="parcels"), score) for score in (0.0, 0.5, 0.9995, 1.0)]
    assert count_failures(rows, LABELLED) == {OUTSIDE: 2}


def test_misfits_are_counted_beside_the_other_failures_and_what_is_right_is_none() -> None:
    rows = [
        row(Prediction(text="delivery"), 1.0),
        row(Prediction(text="delivery")),
        row(Prediction(text="It is about delivery."), 1.0),
        row(Prediction(text="parcels")),
        row(Prediction(text="it is abo", truncated=True)),
        row(Prediction(text="delivery", truncated=True)),
        row(Abstention(reason="?")),
        row(Failure(kind="refused", message="no")),
    ]
    assert count_failures(rows, LABELLED) == {OUTSIDE: 2, "truncated": 2, "abstained": 1, "refused": 1}


def test_answers_that_were_lost_are_left_out_of_what_is_valid_by_group() -> None:
    cases = [Case(id=f"c{place}", input="?", output="delivery", group="g") for place in range(3)]
    lost = row(Failure(kind="infrastructure", message="HTTP 503"))
    rows = [row(Prediction(text="delivery"), 1.0), row(Prediction(text="parcels")), lost]
    assert _valid_by_group(cases, rows, LABELLED) == ((1, 2),)


def test_a_shown_metric_that_fails_takes_nothing_from_the_others() -> None:
    benchmark, slow = tiny.benchmark("extraction"), JsonValid(schema={"properties": {"item": {"pattern": "^(a|aa)+$"}}})
    rows = [row(Prediction(text=json.dumps({"item": "a" * 60 + "!"}))) for _ in benchmark.heldout]
    shown = replace(benchmark, shown_metrics=(slow, JsonValid()))
    assert shown_figures(shown, benchmark.heldout, rows) == {"json_valid": 1.0}
    assert shown_figures(replace(shown, shown_metrics=(slow,)), benchmark.heldout, rows) == {}
