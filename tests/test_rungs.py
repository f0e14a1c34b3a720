"""The rungs without a language model: what sets each of them apart; the contract tests hold what they share."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from strategies.approaches.best_sentence import BestSentence, Quoting, _threshold
from strategies.contract import Case, Document, Fold, Outcome, Prediction, Query, Sampling, Task
from strategies.retrieval.chunking import sentences
from tests import tiny


def pieces(text: str) -> list[str]:
    return [text[each.start : each.end] for each in sentences([Document(id="a", text=text, title="A")])]


def test_a_sentence_ends_at_a_sign_or_with_its_line() -> None:
    text = 'Room Ada has 5 seats. "Is it so?" Yes, e.g. today!\n\n- one\n---\nIt costs 3.5 EUR a day.'
    assert pieces(text) == [
        "Room Ada has 5 seats.",
        '"Is it so?"',
        "Yes, e.g. today!",
        "- one",
        "It costs 3.5 EUR a day.",
    ]
    assert pieces("部屋は五つ。机は三つ。") == ["部屋は五つ。", "机は三つ。"]
    assert pieces(" \n ") == []


def asked(task: Task, text: str, place: Path) -> Prediction:
    fitted = BestSentence().fit(task, tiny.Bench(folder=place))
    fitted.save(place / "fit")
    loaded = BestSentence().load(place / "fit", tiny.Bench(folder=place))
    (outcome,) = dict(loaded.answer([Query.of(text)], Sampling())).values()
    assert isinstance(outcome, Prediction)
    return outcome


def test_the_answer_is_a_sentence_of_the_document_and_says_where_it_stands(tmp_path: Path) -> None:
    outcome = asked(tiny.benchmark("qa").task, "How many seats has Room Curie?", tmp_path)
    (evidence,) = outcome.evidence
    (room,) = [each for each in tiny.rooms() if each.id == "room-Curie"]
    assert evidence.document_id == room.id
    assert outcome.text == room.text[evidence.start : evidence.end] == "Room Curie has 6 seats."


NOWHERE = "not in the handbook"


def unanswerable(count: int) -> list[Case]:
    return [Case(id=f"n{place}", input=f"Zzyzx qwv {place} plugh?", output=NOWHERE) for place in range(count)]


def contains(case: Case, outcome: Outcome) -> float:
    return float(isinstance(outcome, Prediction) and case.output in outcome.text)


def with_a_refusal() -> Task:
    """Half of the questions have no answer in the documents; sentences count as right where they hold the answer."""
    task = tiny.benchmark("qa").task
    cases = (*task.examples, *unanswerable(24))
    fold = Fold(train=cases[::2], selection=cases[1::2])
    return dataclasses.replace(task, folds=(fold,), score=contains)


def test_a_question_that_no_sentence_is_near_to_gets_the_answer_that_stands_by_itself(tmp_path: Path) -> None:
    task = with_a_refusal()
    assert asked(task, "Xyzzy frobnicate the quux?", tmp_path / "far").text == NOWHERE
    assert asked(task, "How many seats has Room Curie?", tmp_path / "near").text != NOWHERE


def test_the_threshold_is_the_lowest_that_is_worth_most() -> None:
    assert _threshold([(0.1, 0, 1), (0.2, 0, 1), (0.3, 1, 0), (0.4, 1, 0)]) == 0.3
    assert _threshold([(0.1, 1, 0), (0.2, 0, 1)]) == 0.0, "a threshold that loses as much as it wins is none"
    assert _threshold([(0.1, 0, 1), (0.1, 1, 0), (0.2, 0, 1)]) == 2.0, "equal similarities go the same way"


def test_without_such_an_answer_a_sentence_is_always_given(tmp_path: Path) -> None:
    fitted = BestSentence().fit(tiny.benchmark("qa").task, tiny.Bench(folder=tmp_path))
    assert isinstance(fitted, Quoting)
    assert fitted.choice.otherwise == ""
