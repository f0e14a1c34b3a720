"""Objects as inputs, answers of several types and answers that are no JSON are told, since they became texts in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.audit.findings import Finding
from benchmarks.contract import BadInput
from benchmarks.data.load import read_cases
from benchmarks.specs.propose import propose
from benchmarks.specs.spec import Columns


def written(path: Path, row: Callable[[int], dict[str, Any]], rows: int = 30) -> Path:
    path.write_text("".join(json.dumps(row(n)) + "\n" for n in range(rows)), encoding="utf-8")
    return path


def found(path: Path, columns: Columns | None = None) -> dict[str, Finding]:
    return {one.kind: one for one in read_cases(path, columns or Columns()).findings}


def test_inputs_and_answers_that_are_objects_are_told_with_their_fields(tmp_path: Path) -> None:
    path = written(
        tmp_path / "my.jsonl", lambda n: {"data": {"text": f"t {n}", "lang": "en"}, "result": {"label": "ab"[n % 2]}}
    )
    told = found(path, Columns(input="data", output="result"))
    assert {kind: one.severity for kind, one in told.items()} == {
        "inputs that are objects": "note",
        "answers in one field": "note",
    }
    asked = told["inputs that are objects"]
    assert asked.says == '30 of 30 inputs in the column "data" are JSON objects, with the fields "text", "lang".'
    assert (
        told["answers in one field"].says
        == 'All answers in the column "result" are JSON objects with the one field "label".'
    )
    assert {one.told for one in told.values()} <= {*propose(path).reasons}


@pytest.mark.parametrize("name", ["data.text", "{data.text}", "data.words"])
def test_a_path_into_an_object_is_no_column(name: str, tmp_path: Path) -> None:
    """It asked whether "data" was meant."""
    path = written(tmp_path / "my.jsonl", lambda n: {"data": {"text": f"t {n}"}, "label": "a"})
    with pytest.raises(
        BadInput, match=r'does not have\. Fields inside "data" are not read: give "\w+" a column of its own'
    ):
        read_cases(path, Columns(input=name, output="label"))


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (["a", ["a"], {"is": "a"}], "10 texts, 10 lists, 10 objects"),
        ([True, "yes", "yes"], "20 texts, 10 of true or false"),
        ([["a"], '["b"]', "b"], "20 lists, 10 texts"),
        ([{"is": 1, "of": 2}, '{"is": 2}', 3], "20 objects, 10 numbers"),
    ],
)
def test_answers_of_several_types_are_counted(answers: list[Any], says: str, tmp_path: Path) -> None:
    told = found(written(tmp_path / "my.jsonl", lambda n: {"text": f"t {n}", "label": answers[n % 3]}))
    several = told["answers of several types"]
    assert several.says == f'The answers in the column "label" are of several types: {says}.'
    assert several.examples[0] == "my-1"


@pytest.mark.parametrize(
    "answers",
    [
        [1, 1.0, "1"],
        [1969, "Paris", 2.5],
        [True, False, "true"],
        [["a"], ["b"], '["c"]'],
        ["a", "[1] see above", "{b}"],
        ['{"is": 1}', '{"is": 2}', '["a"]'],
        [{"is": 1, "of": 2}, {"is": 1}, '{"of": 3}'],
    ],
)
def test_types_that_lead_to_one_answer_are_left_alone(answers: list[Any], tmp_path: Path) -> None:
    assert found(written(tmp_path / "my.jsonl", lambda n: {"text": f"t {n}", "label": answers[n % 3]})) == {}


def test_a_key_that_stands_twice_in_an_answer_is_told_as_such(tmp_path: Path) -> None:
    """It was called unreadable, and taken for an object all the same."""
    path = written(
        tmp_path / "my.jsonl",
        lambda n: {"text": f"t {n}", "output": f'{{"a": {n}, "{"a" if n == 3 else "b"}": 2}}'},
    )
    told = found(path)["answers with a key twice"]
    assert told.says == "1 answer is an object that has a key twice."
    assert "answers that are no JSON" not in found(path)


def test_an_object_as_python_writes_it_is_no_json(tmp_path: Path) -> None:
    """It became a label."""
    path = written(
        tmp_path / "my.jsonl", lambda n: {"text": f"t {n}", "output": str({"topic": "ab"[n % 2], "n": None})}
    )
    told = found(path)["answers that are no JSON"]
    assert (told.count, told.severity, told.examples) == (30, "warning", ("my-1", "my-2", "my-3"))
    assert told.says.startswith("30 answers look like an object and cannot be read as JSON, as where Python wrote it")
    assert told.told in propose(path).reasons
