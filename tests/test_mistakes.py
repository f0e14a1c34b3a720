"""Wrong answers sorted by what kind of mistake they are, from selection cases alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from advisor.example import opened
from advisor.stored import reopen
from benchmarks.mistakes import Answers, Mistakes, mistakes
from strategies.contract import Case, Fold, Kind, Task
from tests.situations import SITUATIONS
from tests.verdict_cases import benchmark_of, task_of

FAMILIES = {"head": "reference", "nearest": "reference", "prompting": "prompting", "lora": "finetuning"}


def task_with(kind: Kind, *cases: tuple[str, str]) -> Task:
    made = tuple(Case(id=name, input=f"input {name}", output=output) for name, output in cases)
    return dataclasses.replace(task_of(kind=kind), folds=(Fold(train=made, selection=made),))


def found(task: Task, answers: Answers, candidate: str = "lora") -> Mistakes | None:
    return mistakes(benchmark_of(task=task), answers, FAMILIES, candidate)


def kinds(told: Mistakes | None) -> dict[tuple[str, tuple[str, ...]], int]:
    assert told is not None
    return {(each.kind, each.detail): each.cases for each in told.found}


def test_labels_that_are_taken_for_each_other() -> None:
    task = task_with("classification", ("a", "refund"), ("b", "refund"), ("c", "login"), ("d", "cancel"))
    told = found(
        task, {"lora": {"a": ("cancel", 0.0), "b": ("cancel", 0.0), "c": ("login", 1.0), "d": ("refund", 0.0)}}
    )
    assert kinds(told) == {("confused", ("refund", "cancel")): 2, ("confused", ("cancel", "refund")): 1}
    assert told is not None
    assert (told.asked, told.wrong) == (4, 3)
    assert told.found[0].cases == 2, "the most frequent comes first"


def test_who_gets_the_cases_right_is_named() -> None:
    task = task_with("classification", ("a", "refund"), ("b", "refund"), ("c", "login"))
    told = found(
        task,
        {
            "lora": {"a": ("cancel", 0.0), "b": ("cancel", 0.0), "c": ("refund", 0.0)},
            "head": {"a": ("refund", 1.0), "b": ("login", 0.0), "c": ("cancel", 0.0)},
            "prompting": {"a": ("refund", 1.0), "b": ("refund", 1.0), "c": ("cancel", 0.0)},
        },
    )
    assert told is not None
    assert [(each.right_by, each.right, each.cases) for each in told.found] == [("prompting", 2, 2), ("", 0, 1)]


def test_a_key_is_disputed_only_where_all_that_learned_agree_on_something_else() -> None:
    task = task_with("classification", ("a", "refund"), ("b", "refund"))
    agreed = {name: {"a": ("login", 0.0), "b": ("login", 0.0)} for name in FAMILIES}
    assert kinds(found(task, agreed)) == {("disputed key", ()): 2}
    one_differs = agreed | {"prompting": {"a": ("refund", 1.0), "b": ("cancel", 0.0)}}
    assert kinds(found(task, one_differs)) == {("confused", ("refund", "login")): 2}
    two_families = {name: agreed[name] for name in ("head", "lora")}
    assert kinds(found(task, two_families)) == {("confused", ("refund", "login")): 2}


def test_fields_of_json_that_are_wrong_missing_or_too_much() -> None:
    task = task_with("extraction", ("a", '{"to": {"city": "Ulm"}, "items": [1, 2]}'), ("b", '{"to": {"city": "Bonn"}}'))
    told = found(
        task,
        {
            "lora": {
                "a": ('{"to": {"city": "Ulm"}, "items": [1, 3], "note": "x"}', 0.5),
                "b": ("to Bonn", 0.0),
            }
        },
    )
    assert kinds(told) == {("field", ("items",)): 1, ("field", ("note",)): 1, ("no json", ()): 1}


def test_questions_without_an_answer() -> None:
    never = "not in the documents"
    task = task_with("qa", *[(f"n{place}", never) for place in range(10)], ("a", "12 days"), ("b", "Ulm"), ("c", "3"))
    told = found(
        task,
        {"lora": {"n1": ("5 days", 0.0), "a": ("Not in the documents.", 0.0), "b": ("Bonn", 0.0), "c": ("  ", 0.0)}},
    )
    assert kinds(told) == {("invented", ()): 1, ("withheld", ()): 1, ("other answer", ()): 1, ("no answer", ()): 1}


def test_what_was_not_found_is_told_from_what_was_misread() -> None:
    task = task_with("qa", ("a", "12 days"), ("b", "Ulm"), ("c", "3"), ("d", "4"))
    answers: Answers = {
        "retrieval": {
            "a": ("5 days", 0.0, True),
            "b": ("Bonn", 0.0, False),
            "c": ("1", 0.0, None),
            "d": ("4", 1.0, False),
        }
    }
    assert kinds(found(task, answers, "retrieval")) == {
        ("misread", ()): 1,
        ("not found", ()): 1,
        ("other answer", ()): 1,
    }


def test_an_answer_that_there_is_none_disputes_no_key() -> None:
    never = "not in the documents"
    task = task_with("qa", *[(f"n{place}", never) for place in range(10)], ("a", "12 days"))
    told = found(task, {name: {"a": (never, 0.0)} for name in FAMILIES})
    assert kinds(told) == {("withheld", ()): 1}


@pytest.mark.parametrize(
    "answers", [{}, {"lora": {}}, {"lora": {"a": ("refund", 1.0)}}, {"lora": {"gone": ("x", 0.0)}}]
)
def test_nothing_wrong_or_nothing_known_is_nothing_told(answers: Answers) -> None:
    assert found(task_with("classification", ("a", "refund")), answers) is None


def test_the_table_of_a_real_run_adds_up() -> None:
    with opened() as folder:
        told = reopen(Path(folder)).story.mistakes
    assert told.title.startswith("What goes wrong with ")
    wrong = sum(int(row[1]) for row in told.rows)
    assert f"selection cases, {wrong} are wrong" in told.note, "each wrong answer of labels is of one kind"


def test_without_answers_there_is_no_table() -> None:
    assert SITUATIONS["everything_meets"]().told().story.mistakes.rows == ()
