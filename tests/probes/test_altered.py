"""An altered format: how examples and schemas are rewritten, who follows at once and who later, and how that is told."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from advisor.experiments.comparison import Wishes
from advisor.experiments.run_setup import further_of
from benchmarks.contract import Benchmark, Candidate, Row
from benchmarks.metrics.json_valid import JsonValid
from benchmarks.probes.altered import (
    RULES,
    altered,
    altered_counts,
    asked,
    follows,
    has_a_rule,
    rewritten,
    rewritten_case,
)
from benchmarks.running.plan import Further, Options
from benchmarks.running.run import Run
from benchmarks.storage.store import Store
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.approaches.lora import Lora
from strategies.approaches.majority import Majority
from strategies.approaches.retrieval import Retrieval
from strategies.contract import Case, Failure, Fold, Kind, Prediction, Prompt
from strategies.fields import is_object
from tests import killed, tiny
from tests.situations import SITUATIONS

# ---------------------------------------------------------------- what is rewritten


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"item": "cup", "size": 2}', '{"ITEM": "cup", "SIZE": 2}'),
        ('{"item":"cup","parts":[{"name":"lid"}]}', '{"ITEM":"cup","PARTS":[{"NAME":"lid"}]}'),
        ("no JSON", "no JSON"),
        ("[]", "[]"),
    ],
)
def test_names_of_fields_are_written_in_capitals_and_nothing_else(text: str, wanted: str) -> None:
    assert rewritten(text, "extraction") == wanted


def test_answers_are_written_in_capitals_with_all_that_is_accepted() -> None:
    case = Case(id="a", input="Who?", output="Ada Bell", answers=("Bell", "A. Bell"))
    now = rewritten_case(case, "qa")
    assert (now.input, now.output, now.answers) == ("Who?", "ADA BELL", ("BELL", "A. BELL"))


@pytest.mark.parametrize(
    ("text", "kind", "so"),
    [
        ("THIRTY DAYS", "qa", True),
        ("Thirty days", "qa", False),
        ("30", "qa", False),
        ("", "qa", False),
        ('{"ITEM": "cup"}', "extraction", True),
        ('{"ITEM": "cup", "size": 1}', "extraction", False),
        ("{}", "extraction", False),
        ("ITEM", "extraction", False),
        ('{"A": ' + "[" * 100_000, "extraction", False),
    ],
)
def test_whether_an_answer_follows_is_certain(text: str, kind: Kind, so: bool) -> None:
    assert follows(text, kind) is so


def test_what_is_nested_too_deeply_to_be_read_is_no_object() -> None:
    text = '{"a": ' + "[" * 100_000
    assert rewritten(text, "extraction") == text
    assert not is_object(Case(id="c", input="", output=text))


def test_the_altered_task_says_the_rule_and_shows_it_in_every_example() -> None:
    schema = {
        "type": "object",
        "properties": {"item": {"enum": ["item", "cup"]}, "box": {"$ref": "#/$defs/box"}},
        "required": ["item"],
        "additionalProperties": False,
        "$defs": {"box": {"type": "object", "properties": {"size": {"type": "string"}}, "required": ["size"]}},
    }
    task = replace(tiny.benchmark("extraction").task, schema=schema)
    now = altered(task)
    assert now.instruction == f"{task.instruction} {RULES['extraction']}"
    assert all(follows(case.output, "extraction") for case in now.examples)
    assert [case.id for case in now.examples] == [case.id for case in task.examples]
    assert [len(fold.selection) for fold in now.folds] == [len(fold.selection) for fold in task.folds]
    assert now.schema is not None
    jsonschema.validate({"ITEM": "cup", "BOX": {"SIZE": "s"}}, now.schema)
    for wrong in ({"item": "cup"}, {"ITEM": "CUP"}, {"ITEM": "cup", "BOX": {"size": "s"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, now.schema)


@pytest.mark.parametrize(
    ("schema", "so"),
    [
        ({"properties": {"item": {"type": "string"}, "size": {"$ref": "#/properties/item"}}}, True),
        ({"properties": {"item": {"$ref": "#/definitions/item"}}, "definitions": {"item": {"type": "string"}}}, True),
        ({"patternProperties": {"^item$": True, "^size$": True}, "additionalProperties": False}, False),
        ({"propertyNames": {"pattern": "^[a-z]+$"}}, False),
    ],
)
def test_a_schema_that_names_fields_by_patterns_cannot_be_altered(schema: dict[str, Any], so: bool) -> None:
    """It forbade what the rule asked for, and a reference into the fields led nowhere."""
    plain = tiny.benchmark("extraction")
    cases = tuple(Case(id=f"e{n}", input=f"{n}?", output='{"item": "cup", "size": "s"}') for n in range(3))
    task = replace(plain.task, schema=schema, folds=(Fold(train=cases, selection=cases),))
    benchmark = replace(plain, task=task, heldout=cases)
    assert has_a_rule(benchmark) is so
    if so:
        jsonschema.validate({"ITEM": "cup", "SIZE": "s"}, altered(task).schema or {})
        assert not has_a_rule(replace(benchmark, metric=JsonValid(schema=schema))), "it knows the names as they were"


def answered(*texts: str) -> Benchmark:
    """Questions with these right answers."""
    held = tuple(Case(id=f"h{place}", input=f"{place}?", output=text) for place, text in enumerate(texts))
    return replace(tiny.benchmark("qa"), heldout=held)


def test_who_obeys_follows_in_every_case_that_is_asked() -> None:
    """A number looks as it did: who was told to write in capital letters and was right counted as not following."""
    plain = answered("Thirty days", "30", "Ada", "")
    benchmark = replace(plain, heldout=(*plain.heldout, replace(plain.heldout[0], id="h4", answers=("30",))))
    cases = asked(benchmark, 0)
    assert {case.output for case in cases} == {"THIRTY DAYS", "ADA"}
    rows = [
        Row(
            candidate="c",
            purpose="altered",
            variant="at once",
            key=case.id,
            outcome=Prediction(text=case.output),
            score=1.0,
        )
        for case in cases
    ]
    found = altered_counts(benchmark, {"cases": len(rows), "takes": True, "seconds": None}, rows)
    assert found is not None
    assert (found.cases, found.at_once, found.right_at_once) == (2, 2, 2)
    assert not has_a_rule(answered("30", "12"))


@pytest.mark.parametrize("text", ["十四天", "أربعة عشر يوما", "चौदह दिन", "สิบสี่วัน", "ABC-12", "USA", '{"ID": 3}'])
def test_where_the_rule_leaves_an_answer_as_it_is_nobody_is_said_to_follow(text: str) -> None:
    """Every right answer looked as if it followed the rule, told or not."""
    benchmark = answered("Thirty days", text)
    kind: Kind = "extraction" if text.startswith("{") else "qa"
    if kind == "extraction":
        benchmark = replace(answered('{"name": "x"}', text), task=replace(benchmark.task, kind=kind))
    assert [case.id for case in asked(benchmark, 0)] == ["h0"]
    either = replace(benchmark.heldout[0], answers=(text,))
    assert not asked(replace(benchmark, heldout=(either,)), 0), "one of the accepted answers follows before it is told"


def test_an_answer_without_capital_letters_does_not_follow() -> None:
    assert follows("IPHONE 手机", "qa")
    assert not follows("手机", "qa")


def test_labels_and_patterns_are_what_they_are() -> None:
    assert {kind: has_a_rule(tiny.benchmark(kind)) for kind in tiny.MAKERS} == {
        "classification": False,
        "qa": False,
        "extraction": True,
        "generation": True,
    }, "the answers to these questions are numbers"
    qa = answered("Thirty days")
    assert has_a_rule(qa)
    assert not has_a_rule(replace(qa, task=replace(qa.task, schema={"type": "string", "pattern": "[A-Z]+"})))
    assert further_of(Wishes(changed=True), tiny.benchmark("generation")).changed


# ---------------------------------------------------------------- a run


def obedient(prompt: Prompt) -> str:
    """Answers as the instruction says; the words are those of the last request."""
    text = prompt[-1].content.splitlines()[-1]
    return text.upper() if RULES["generation"] in prompt[0].content else text


def deaf(prompt: Prompt) -> str:
    return prompt[-1].content.splitlines()[-1]


def test_who_is_told_or_looks_up_follows_at_once(tmp_path: Path) -> None:
    run = Run(
        benchmark=tiny.benchmark("generation", heldout=14),
        candidates=[
            Candidate(name="obedient", strategy=Retrieval(), model="obedient"),
            Candidate(name="deaf", strategy=Retrieval(), model="deaf"),
            Candidate(name="copy nearest", strategy=CopyNearest(), model=""),
            Candidate(name="majority", strategy=Majority(), model=""),
        ],
        models=tiny.scripted(obedient=obedient, deaf=deaf),
        options=Options(tuning_tokens=2_000, probes=False),
        folder=tmp_path / "run",
        further=Further(changed=True),
    )
    run.execute()
    found = {name: each.altered for name, each in killed.told(run).items() if each.altered}
    assert {name: (each.takes, each.at_once, each.again) for name, each in found.items()} == {
        "obedient": (True, 14, None),
        "deaf": (True, 0, None),
        "copy nearest": (True, 14, 14),
        "majority": (False, 0, 14),
    }
    assert {each.cases for each in found.values()} == {14}


def test_of_json_the_grammar_follows_at_once_and_heads_when_they_are_fitted_again(tmp_path: Path) -> None:
    models = tiny.models(tiny.model_folder(tmp_path / "model"))
    run = Run(
        benchmark=tiny.benchmark("extraction", heldout=8),
        candidates=[
            Candidate(name="linear head", strategy=LinearHead(), model=""),
            Candidate(name="lora", strategy=Lora(), model=models.names[0]),
        ],
        models=models,
        options=replace(killed.OPTIONS, probes=False),
        folder=tmp_path / "run",
        further=Further(changed=True),
    )
    run.execute()
    found = {name: each.altered for name, each in killed.told(run).items() if each.altered}
    head, lora = found["linear head"], found["lora"]
    assert (head.takes, head.at_once, head.again) == (False, 0, 8)
    assert head.right_again == 8
    assert lora.takes
    assert lora.at_once >= 6, "some answers of a random model have no end"
    assert (lora.again or 0) >= 6
    assert lora.seconds is not None
    assert not list((tmp_path / "run").glob("scratch-*"))
    with closing(Store(run.folder / "run.sqlite")) as store:
        rows = list(store.rows("lora", "altered"))
    assert {row.variant for row in rows} == {"at once", "again"}
    whole = [row.outcome.text for row in rows if isinstance(row.outcome, Prediction) and not row.outcome.truncated]
    assert len(whole) >= 12
    assert all(set(json.loads(text)) == {"ITEM", "SIZE"} for text in whole)


def test_right_is_only_what_follows_too() -> None:
    benchmark = tiny.benchmark("qa", heldout=3)
    cases = tuple(replace(case, output="seven", answers=(), group="g") for case in benchmark.heldout)
    benchmark = replace(benchmark, heldout=cases)
    said = [("SEVEN", 1.0), ("seven", 1.0), ("EIGHT", 0.0)]
    rows = [
        Row(
            candidate="c",
            purpose="altered",
            variant="at once",
            key=case.id,
            outcome=Prediction(text=text),
            score=score,
        )
        for case, (text, score) in zip(cases, said, strict=True)
    ]
    found = altered_counts(benchmark, {"cases": 3, "takes": True, "seconds": None}, rows)
    assert found is not None
    assert (found.at_once, found.right_at_once, found.again) == (2, 1, None)
    assert found.by_group == ((2, 3),)
    lost = [replace(rows[0], outcome=Failure(kind="infrastructure", message="HTTP 503"), score=0.0), *rows[1:]]
    fewer = altered_counts(benchmark, {"cases": 3, "takes": True, "seconds": None}, lost)
    assert fewer is not None
    assert (fewer.cases, fewer.at_once, fewer.right_at_once) == (2, 1, 0), "what was lost does not say who follows"
    assert altered_counts(benchmark, {}, rows) is None
    assert altered_counts(benchmark, {"problem": "diverged"}, []) is None


# ---------------------------------------------------------------- as it is told


def test_what_is_told_of_the_day() -> None:
    story = SITUATIONS["facts_in_the_documents_change"]().told().story
    assert [row[0] for row in story.altered.rows] == ["majority", "retrieval", "lora", "lora + retrieval"]
    (line,) = [line for line in story.reasons if line.startswith("When the format of answers is altered")]
    assert "retrieval follows at once in 48 of 50 answers" in line
    assert "majority, lora and lora + retrieval follow only once they are fitted again" in line
