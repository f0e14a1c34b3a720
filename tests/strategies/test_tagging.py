"""Copying fields without a language model: what is a field, where a value stands, what a tagger learns."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strategies.answers import sureness
from strategies.approaches.linear_head import LinearHead
from strategies.contract import Case, Fold, Outcome, Prediction, Query, Sampling, Task
from strategies.fields import columns, flat, is_object, nested
from strategies.standalone import tagging
from strategies.standalone.reading import UNSPACED
from strategies.standalone.tagging import Tagger, copied, places, words
from tests import tiny

NAMES = ("Ada Park", "Bo Lund", "Café Tram", "Dee", "El Sur", "Fay Moss", "Gil", "Hu Wei", "Ivo Bay", "Jo Ash")


def note(number: int, name: str | None) -> tuple[str, str | None]:
    lead = "Please ship it soon" if number % 2 else "We need more of them, thanks"
    return (f"{lead}. {number + 3} crates.\nSigned by {name}" if name else f"{lead}. {number + 3} crates."), name


def notes() -> list[tuple[str, str | None]]:
    """No two of the names are the same."""
    return [note(number, f"{NAMES[number % 10]} {number}th" if number % 5 else None) for number in range(40)]


def values_of(tagger: Tagger, texts: Sequence[str]) -> list[str | int | None]:
    return [value for value, _ in tagger.find(texts)]


def test_a_value_is_found_at_whole_words_whatever_the_case() -> None:
    assert words("a-b 12") == [(0, 1), (1, 2), (2, 3), (4, 6)]
    assert places("Nitrile gloves, nitrile GLOVES, nitrile", "nitrile gloves") == [(0, 2), (3, 5)]
    assert places("120 boxes", "12") == []
    assert places("anything", "") == []
    assert tagging._UNSPACED == UNSPACED, "what goes with an export imports nothing of ours"
    assert places("price (EUR)", "(EUR)") == [(1, 4)]
    assert places("\u6211\u4f4f\u5728\u5317\u4eac\u3002", "\u5317\u4eac") == [(3, 5)], (
        "letters, where no spaces part the words"
    )


def test_a_tagger_copies_what_stands_where_the_examples_have_it() -> None:
    texts, values = zip(*notes(), strict=True)
    tagger = Tagger.fit(texts, values, 10.0)
    assert values_of(tagger, [note(1, "Zoe Hill 99th")[0], note(2, None)[0], ""]) == ["Zoe Hill 99th", None, None]
    assert not tagger.always


def test_a_value_has_its_share_of_all_runs_of_words_and_of_none_at_all() -> None:
    for odds, best in (((-2.0, 3.0, 0.5, -1.0), 3.5), ((-2.0, -0.5), 0.0), ((), 0.0), ((-900.0, 800.0), 800.0)):
        sums = [sum(odds[first:last]) for last in range(len(odds) + 1) for first in range(last)]
        whole = np.logaddexp.reduce([0.0, *sums])
        assert tagging._share(odds, best) == pytest.approx(math.exp(best - whole))
    texts, values = zip(*notes(), strict=True)
    tagger = Tagger.fit(texts, values, 10.0)
    (_, sure), (_, doubtful) = tagger.find([note(1, "Zoe Hill 99th")[0], "Signed Zoe, or Kim Hill"])
    assert sure > 0.8 > doubtful


def test_a_tagger_is_not_sure_of_a_value_that_it_could_not_read() -> None:
    texts = [f"Please send {100 + place} crates to dock {place % 3}, thanks" for place in range(40)]
    tagger = Tagger.fit(texts, [100 + place for place in range(40)], 10.0)
    assert (
        tagger.find(["", "Please send twelve crates to dock A, thanks", f"Please send {10**20} crates"])
        == [(None, 0.0)] * 3
    )
    assert tagger.find([texts[0]])[0][1] > 0.8
    lacking = Tagger.fit(texts, [100 + place if place % 2 else None for place in range(40)], 10.0)
    assert lacking.find([""]) == [(None, 1.0)], "none is an answer where examples have none"


def test_no_share_is_more_than_all() -> None:
    for seed in range(300):
        drawn = np.random.default_rng(seed)
        odds = drawn.normal(size=drawn.integers(1, 60)) * drawn.choice([1, 30, 300])
        best = tagging._best_run([float(each) for each in odds])
        assert best is not None
        assert tagging._share(odds, max(0.0, best[2])) <= 1.0


def test_a_number_below_zero_keeps_its_sign() -> None:
    texts = [f"It was {number} degrees at noon." for number in range(-20, 20)]
    tagger = Tagger.fit(texts, list(range(-20, 20)), 10.0)
    assert values_of(tagger, ["It was -31 degrees at noon.", "It was 7 degrees at noon."]) == [-31, 7]


def test_a_number_may_have_as_many_digits_as_those_of_the_examples() -> None:
    """A post's number has 19, and every one of them was found and then thrown away."""
    posts = [10**18 + 7 * place for place in range(40)]
    tagger = Tagger.fit([f"Please look at post {post} today" for post in posts], posts, 10.0)
    kept = Tagger(weights=tagger.weights, **json.loads(json.dumps(tagger.manifest)))
    asked = [f"Please look at post {number} today" for number in (-posts[3], 5, 10**19)]
    assert values_of(kept, asked) == [-posts[3], 5, None]
    earlier = {name: value for name, value in tagger.manifest.items() if name != "digits"}
    assert values_of(Tagger(weights=tagger.weights, **earlier), asked) == [None, 5, None], (
        "what was saved then answers as then"
    )


def test_numbers_come_back_as_numbers_and_lower_case_as_lower_case() -> None:
    texts = [text for text, _ in notes()]
    numbers = Tagger.fit(texts, [number + 3 for number in range(40)], 10.0)
    assert values_of(numbers, ["We need more of them, thanks. 777 crates."]) == [777]
    assert numbers.always
    lower = Tagger.fit([f"Send {name.upper()} today" for name in NAMES], [name.casefold() for name in NAMES], 10.0)
    assert values_of(lower, ["Send NORA today"]) == ["nora"]


@pytest.mark.parametrize(
    ("values", "yes"),
    [
        ([name for _, name in notes()], True),
        (["nowhere to be found"] * 40, False),
        ([True] * 40, False),
        ([[1]] * 40, False),
        ([None] * 33 + ["Signed"] * 7, False),
    ],
)
def test_only_fields_that_stand_in_the_input_are_copied(values: list[Any], yes: bool) -> None:
    assert copied([text for text, _ in notes()], values) is yes


def test_fields_are_sorted_by_what_can_be_done_about_them() -> None:
    cases = [
        Case(
            id=str(number),
            input=text,
            output=json.dumps(
                {"kind": "odd" if number % 2 else "even", "who": {"name": name} if name else {}, "seen": f"s{number}"}
            ),
        )
        for number, (text, name) in enumerate(notes())
    ]
    found = columns(cases)
    assert set(found.decided) == {("kind",), ("who",)}
    assert set(found.copied) == {("who", "name")}
    assert set(found.filled) == {("seen",)}


def test_nested_objects_are_taken_apart_and_put_together() -> None:
    whole = {"a": 1, "b": {"c": None, "d": {"e": [1, 2]}}, "f": {}}
    leaves = flat(whole)
    assert leaves == {("a",): 1, ("b", "c"): None, ("b", "d", "e"): [1, 2], ("f",): {}}
    texts = {path: json.dumps(value) for path, value in leaves.items()}
    assert nested(texts) == whole
    assert nested({**texts, ("a",): "", ("b", "d", "e"): ""}) == {"b": {"c": None}, "f": {}}
    assert nested({("f",): "{}", ("f", "g"): "1"}) == {"f": {"g": 1}}


@pytest.mark.parametrize(("output", "yes"), [("{}", True), ('{"a": 1}', True), ("[1]", False), ("no", False)])
def test_an_object_is_told_from_other_json(output: str, yes: bool) -> None:
    assert is_object(Case(id="1", input="x", output=output)) is yes


def test_what_was_saved_answers_as_what_was_fitted(tmp_path: Path) -> None:
    cases = tuple(
        Case(
            id=str(number), input=text, output=json.dumps({"odd": number % 2 == 1, "who": {"name": name}, "n": number})
        )
        for number, (text, name) in enumerate(notes())
    )
    fold = Fold(train=cases[:30], selection=cases[30:])

    def score(case: Case, outcome: Outcome) -> float:
        return float(isinstance(outcome, Prediction) and json.loads(outcome.text)["odd"] == (int(case.id) % 2 == 1))

    task = Task(name="t", kind="extraction", instruction="Read it.", folds=(fold,), score=score)
    bench = tiny.Bench(folder=tmp_path / "bench")
    head = LinearHead()
    fitted = head.fit(task, bench)
    fitted.save(tmp_path / "fit")
    queries = [Query.of(case.input) for case in cases]
    first, again = (dict(each.answer(queries, Sampling())) for each in (fitted, head.load(tmp_path / "fit", bench)))
    texts = {key: outcome.text for key, outcome in first.items() if isinstance(outcome, Prediction)}
    assert texts == {key: outcome.text for key, outcome in again.items() if isinstance(outcome, Prediction)}
    assert {key: sureness(outcome) for key, outcome in first.items()} == pytest.approx(
        {key: sureness(outcome) for key, outcome in again.items()}
    )
    answers = [json.loads(texts[query.key]) for query in queries]
    assert sum(row["who"]["name"] == name for row, (_, name) in zip(answers, notes(), strict=True)) >= 38
    assert {row["n"] for row in answers} == {answers[0]["n"]}


def test_of_much_text_a_tagger_learns_from_some_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, names = zip(*notes(), strict=True)
    cases = tuple(
        Case(id=str(place), input=text, output=json.dumps({"name": name})) for place, (text, name) in enumerate(notes())
    )
    task = Task(name="t", kind="extraction", instruction="Read it.", folds=(), score=lambda *_: 0.0)
    on = (task, tiny.Bench(folder=tmp_path).embedder)
    assert tagging.sampled(texts) == list(range(40))
    assert "copied_from" not in LinearHead()._heads(cases, on, 10.0, {}).describe()
    monkeypatch.setattr(tagging, "LESSONS", 400)
    taken = tagging.sampled(texts)
    assert 350 < sum(len(words(texts[place])) for place in taken) <= 400
    assert taken == sorted(tagging.sampled(texts))
    told = LinearHead()._heads(cases, on, 10.0, {})
    assert told.describe()["copied_from"] == len(taken)
    (tagger,) = told.taggers.values()
    assert values_of(tagger, [note(1, "Zoe Hill 99th")[0], note(2, None)[0], ""]) == ["Zoe Hill 99th", None, None]
    assert not Tagger.fit(texts, names, 10.0).always, "what the values are like is told of all"
    monkeypatch.setattr(tagging, "LESSONS", 0)
    assert len(tagging.sampled(texts)) == 1


def test_inputs_that_are_nothing_but_the_value_are_taken_whole() -> None:
    """There is nothing to tell apart then, and fitting it ended the approach with an error."""
    texts = [f"A{number}" for number in range(30)]
    assert values_of(Tagger.fit(texts, texts, 1.0), ["A77", "B 12"]) == ["A77", "B 12"]
