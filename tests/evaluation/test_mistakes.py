"""Wrong answers sorted by what kind of mistake they are, from selection cases alone."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from advisor.cli.terminal import show
from advisor.experiments.example import opened
from advisor.experiments.stored import reopen
from advisor.probes.mistakes_table import _HELPS, _SHORT, _TOLD
from advisor.reports import render
from benchmarks.contract import Benchmark
from benchmarks.evaluation.misfits import MALFORMED, OUTSIDE
from benchmarks.evaluation.mistakes import Answers, Mistakes, mistakes, search_or_reading
from benchmarks.evaluation.mistakes import Kind as MistakeKind
from benchmarks.metrics import load
from strategies.contract import Case, Document, Fold, Kind, Task
from tests.situations import SITUATIONS
from tests.verdict_cases import PlainMetric, benchmark_of, evaluation_of, scores_of, task_of

FAMILIES = {"head": "reference", "nearest": "reference", "prompting": "prompting", "lora": "finetuning"}
SEARCHING = {"retrieval": "retrieval", "prompting": "prompting"}


def task_with(kind: Kind, *cases: tuple[str, str]) -> Task:
    made = tuple(Case(id=name, input=f"input {name}", output=output) for name, output in cases)
    labels = ("refund", "cancel", "login") if kind == "classification" else ()
    return dataclasses.replace(task_of(kind=kind), labels=labels, folds=(Fold(train=made, selection=made),))


def found(task: Task, answers: Answers, candidate: str = "lora") -> Mistakes | None:
    return mistakes(benchmark_of(task=task), answers, FAMILIES, {}).get(candidate)


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


def test_an_answer_that_many_examples_share_is_one_where_a_document_holds_it() -> None:
    """Yes is one in any case: no document needs to hold the word."""
    for key, text, kind in (
        ("at ten", "It opens at ten.", "other answer"),
        ("at ten", "It opens at noon.", "invented"),
        ("yes", "It opens at ten.", "other answer"),
    ):
        shared = task_with("qa", *((f"y{place}", key) for place in range(10)))
        named = tuple(dataclasses.replace(case, document_ids=("d",)) for case in shared.examples)
        folds = (Fold(train=named, selection=named),)
        task = dataclasses.replace(shared, folds=folds, documents=(Document(id="d", text=text),))
        assert kinds(found(task, {"lora": {"y1": ("perhaps", 0.0)}})) == {(kind, ()): 1}


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


@pytest.mark.parametrize("answers", [{}, {"lora": {}}, {"lora": {"gone": ("x", 0.0)}}])
def test_nothing_known_is_nothing_told(answers: Answers) -> None:
    assert found(task_with("classification", ("a", "refund")), answers) is None


def test_where_nothing_is_wrong_that_is_told() -> None:
    told = found(task_with("classification", ("a", "refund")), {"lora": {"a": ("refund", 1.0)}})
    assert told == Mistakes(candidate="lora", asked=1, wrong=0, found=())


# ---------------------------------------------------------------- what the right passage changed


def test_with_the_right_passage_missing_knowledge_is_told_from_a_missed_search_and_from_misreading() -> None:
    never = "not in the documents"
    task = task_with(
        "qa", *[(f"n{place}", never) for place in range(10)], *((name, f"answer {name}") for name in "abcdef")
    )
    answers: Answers = {
        "retrieval": {
            "a": ("x", 0.0, False),
            "b": ("x", 0.0, False),
            "c": ("x", 0.0, True),
            "d": (never, 0.0, True),
            "e": (never, 0.0, False),
            "f": ("It is answer f, I think", 0.0, False),
        },
        "prompting": {"a": ("x", 0.0), "b": (never, 0.0), "c": (never, 0.0), "d": ("x", 0.0)},
    }
    handed = {"retrieval": {"a": True, "b": False, "f": True}, "prompting": {"a": True, "b": True, "c": False}}
    told = mistakes(benchmark_of(task=task), answers, SEARCHING, handed)
    shows_examples = mistakes(benchmark_of(task=task), answers, SEARCHING, handed, ["retrieval"])
    assert ("knowledge", ()) in kinds(shows_examples["retrieval"]), "what looks no document up misses none"
    assert ("missed", ()) not in kinds(shows_examples["retrieval"])
    assert kinds(told["retrieval"]) == {
        ("missed", ()): 1,
        ("misread", ()): 3,
        ("not found", ()): 1,
        ("wrapped", ()): 1,
    }
    assert kinds(told["prompting"]) == {("knowledge", ()): 2, ("misread", ()): 1, ("other answer", ()): 1}
    assert (told["retrieval"].handed, told["prompting"].handed) == (3, 3)


def test_a_key_that_the_right_passage_leads_to_is_not_disputed() -> None:
    task = task_with("qa", ("a", "12 days"))
    agreed: Answers = {name: {"a": ("14 days", 0.0)} for name in FAMILIES}
    asked = benchmark_of(task=task)
    assert kinds(mistakes(asked, agreed, FAMILIES, {"prompting": {"a": False}})["lora"]) == {("disputed key", ()): 1}
    cleared = mistakes(asked, agreed, FAMILIES, {"prompting": {"a": True}})
    assert kinds(cleared["prompting"]) == {("knowledge", ()): 1}
    assert kinds(cleared["lora"]) == {("other answer", ()): 1}


def test_of_wrong_answers_of_a_search_those_that_are_wrong_with_the_passage_are_its_readings() -> None:
    never = "not in the documents"
    task = task_with("qa", *[(f"n{place}", never) for place in range(10)], *((name, name * 3) for name in "abcde"))
    rows = [
        ["a", "x", 0.0, None, False],
        ["b", "x", 0.0, None, False],
        ["c", "x", 0.0, None, True],
        ["d", "ddd", 1.0, None, False],
        ["n1", "x", 0.0, None, False],
        ["gone", "x", 0.0, None, True],
    ]

    def told(handed: dict[str, bool]) -> dict[str, bool]:
        return {case.id: missed for case, missed in search_or_reading(task, rows, handed) or ()}

    assert told({}) == {"a": True, "b": True, "c": False}
    assert told({"a": True, "b": False}) == {"a": True, "b": False, "c": False}
    assert search_or_reading(task, [["e", "x", 0.0, None]], {}) is None


# ---------------------------------------------------------------- form


def formed(benchmark: Benchmark, text: str) -> dict[tuple[str, tuple[str, ...]], int]:
    return kinds(mistakes(benchmark, {"lora": {"a": (text, 0.0)}}, FAMILIES, {})["lora"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("It takes 12 days.", "wrapped"),
        ("112 days", "other answer"),
        ("Nobody knows.\nAsk again.", "lines"),
        ("one two three four five six seven", "too long"),
        ("four days", "other answer"),
    ],
)
def test_the_form_of_an_answer_to_a_question(text: str, kind: str) -> None:
    task = task_with("qa", ("a", "12 days"), ("b", "at the desk"))
    assert formed(benchmark_of(task=task), text) == {(kind, ()): 1}


def test_a_text_is_measured_by_the_keys_of_the_examples_and_no_key_of_it_is_disputed() -> None:
    task = task_with("generation", ("a", "Team A meets today!"), ("b", "No\nmeeting"))
    benchmark = benchmark_of(task=task)
    assert formed(benchmark, "Team A meets today! " * 3) == {("too long", ()): 1}
    assert formed(benchmark, "Team A\nmeets") == {("other answer", ()): 1}, "keys have several lines, too"
    agreed: Answers = {name: {"a": ("Team A meets.", 0.9)} for name in FAMILIES}
    assert kinds(mistakes(benchmark, agreed, FAMILIES, {})["lora"]) == {("other answer", ()): 1}


def test_texts_that_are_all_json_are_held_to_that() -> None:
    task = task_with("generation", ("a", '{"x": 1}'), ("b", '{"x": 2}'))
    assert formed(benchmark_of(task=task), "x is 1") == {("no json", ()): 1}
    assert formed(benchmark_of(task=task), '{"x": 3}') == {("other answer", ()): 1}


def test_a_rewriting_is_told_by_the_rules_that_it_breaks_and_by_what_it_lost() -> None:
    rules = [
        {"name": "calm", "says": "No exclamation marks.", "must_not_match": "!"},
        {"name": "short", "says": "At most six words.", "max_words": 6},
    ]
    task = task_with("generation", ("a", "The boathouse closes at noon."))
    benchmark = dataclasses.replace(benchmark_of(task=task), metric=load("style_rules", {"rules": rules}))
    broken = {("rule", ("No exclamation marks.",)): 1}
    assert formed(benchmark, "The boathouse closes at noon!") == broken
    assert formed(benchmark, "Nothing of that!") == broken | {("content", ()): 1}
    told = mistakes(benchmark, {"lora": {"a": ("Nothing of that, nothing of that at all!", 0.0)}}, FAMILIES, {})["lora"]
    assert told.kinds == (("content", 1), ("rule", 1)), "two rules are broken in one case"
    assert len(told.found) == 3


def test_answers_outside_the_labels_or_the_schema_are_faults_of_form() -> None:
    task = task_with("classification", ("a", "refund"))
    assert formed(benchmark_of(task=task), "It is about a refund.") == {("form", (OUTSIDE,)): 1}
    assert formed(benchmark_of(task=task), "login") == {("confused", ("refund", "login")): 1}
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}}
    task = dataclasses.replace(task_with("extraction", ("a", '{"size": 3}')), schema=schema)
    assert formed(benchmark_of(task=task), '{"size": "3"}') == {("form", (MALFORMED,)): 1, ("field", ("size",)): 1}


# ---------------------------------------------------------------- as it is told


def test_each_approach_has_a_row_and_the_named_one_stands_first() -> None:
    story = SITUATIONS["target_above_what_the_keys_allow"]().told().story
    table = story.all_mistakes
    assert [row[0] for row in table.rows] == ["lora", "linear head", "prompting"]
    assert table.rows[0][1:] == ("9 of 60", "right answers in doubt 5, labels confused 4")
    assert table.rows[2][1:] == (
        "40 of 60",
        "labels confused 20, other form 11, right answers in doubt 5, 1 other kind",
    )
    assert "Other form: fine-tuning" in table.note
    assert "Without answer" not in table.note, "a kind that no row names needs no advice"
    facts = {row["name"]: row["mistakes"] for row in story.facts["candidates"]}
    assert facts["prompting"]["kinds"] == {"confused": 20, "form": 11, "disputed key": 5, "no answer": 4}
    assert facts["lora"]["found"][1]["detail"] == ["refund", "cancel"]
    assert table.title in render(story, "markdown")
    stream = io.StringIO()
    show(story, Console(file=stream, width=80))
    assert "right answers in doubt 5, labels confused 4" in stream.getvalue()


def test_keys_in_doubt_cost_what_their_cases_lack_of_the_figure_and_not_as_much_as_there_are() -> None:
    task = task_with("qa", *((f"s{place}", f"room {place}") for place in range(9)))
    near = {name: {f"s{place}": (f"room {place} upstairs", 0.8) for place in range(5)} for name in FAMILIES}
    of_lora = mistakes(replace(benchmark_of(task=task), metric=load("token_f1")), near, FAMILIES, {})["lora"]
    assert [(each.kind, each.cases) for each in of_lora.found] == [("disputed key", 5)]
    assert of_lora.lacking == pytest.approx(1.0)

    given = SITUATIONS["target_above_what_the_keys_allow"]()
    extras = replace(given.extras, mistakes=replace(of_lora, asked=60))
    story = replace(given, extras=extras).told().story
    assert any("up to 2 points are errors in the data" in step for step in story.next_steps)
    assert not any("out of reach" in reason for reason in story.reasons), "59 of 60 may be right"
    extras = replace(extras, mistakes=replace(of_lora, asked=60, lacking=0.1))
    assert not any("errors in the data" in step for step in replace(given, extras=extras).told().story.next_steps)


def test_nothing_puts_a_target_out_of_reach_that_something_meets() -> None:
    given = SITUATIONS["target_above_what_the_keys_allow"]()
    met = evaluation_of("lora", scores_of(297, 300, 9), seconds=0.3)
    told = replace(given, evaluations=(*given.evaluations[:2], met)).told().story
    assert told.verdict == "choose"
    assert not any("out of reach" in reason for reason in told.reasons)


def test_the_share_that_is_wrong_is_not_held_against_a_figure_over_rows_as_if_it_were_one() -> None:
    shares = SITUATIONS["target_above_what_the_keys_allow"]()
    metric = PlainMetric(name="macro_f1", over_rows=True)
    over_rows = replace(shares, benchmark=replace(shares.benchmark, metric=metric))
    assert "; held-out cases, where it reaches 88 %, " in shares.told().story.mistakes.note
    assert "; held-out cases, where it reaches a macro F1 of 88 %, " in over_rows.told().story.mistakes.note


def test_every_kind_has_words_and_names_what_may_help() -> None:
    material = SITUATIONS["everything_meets"]().told()
    kinds_of = {kind for part in get_args(MistakeKind) for kind in (get_args(part) or (part,))}
    assert kinds_of == set(_HELPS) == set(_SHORT) == set(_TOLD) | {"form", "rule", "confused", "field"}
    assert material.story.all_mistakes.rows == ()


def test_the_table_of_a_real_run_adds_up() -> None:
    with opened() as folder:
        told = reopen(Path(folder)).story.mistakes
    assert told.title.startswith("What goes wrong with ")
    wrong = sum(int(row[1]) for row in told.rows)
    assert f"selection cases, {wrong} are wrong" in told.note, "each wrong answer of labels is of one kind"


def test_without_answers_there_is_no_table() -> None:
    assert SITUATIONS["everything_meets"]().told().story.mistakes.rows == ()
