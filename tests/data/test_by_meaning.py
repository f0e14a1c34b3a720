"""What means the same in other words: pairs by the vectors of an embedder, named with what that does to the comparison."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.audit.by_meaning import ByMeaning, compared_by_meaning
from benchmarks.audit.findings import Finding
from strategies.contract import Case, Document

MEANT = {
    "where is my parcel": (1, 0, 0),
    "my package has not come": (0.99, 0.14, 0),
    "Where is my parcel?": (1, 0, 0),
    "cancel my order": (0, 1, 0),
    "I do not want it any more": (0.05, 0.99, 0),
    "hello": (0, 0, 1),
}


class Meaning:
    """Knows what these few texts mean (`contract.Embedder`)."""

    name = fingerprint = "meaning"

    def embed(self, texts: Sequence[str]) -> Any:
        found = np.array([MEANT[text] for text in texts], dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def compared(examples: Sequence[Case], heldout: Sequence[Case], labels: Sequence[str] = ()) -> ByMeaning:
    return compared_by_meaning(examples, heldout, (), labels, Meaning())


def cases(*rows: tuple[str, str]) -> list[Case]:
    return [Case(id=text, input=text, output=label) for text, label in rows]


def test_a_heldout_case_in_other_words_is_named_and_the_same_letters_are_not() -> None:
    examples = cases(("where is my parcel", "parcel"), ("hello", "other"))
    heldout = cases(("my package has not come", "parcel"), ("Where is my parcel?", "parcel"), ("cancel my order", "x"))
    found, again = compared(examples, heldout, ("parcel", "other", "x")).findings
    assert again.kind == "held-out duplicates in meaning"
    assert (found.kind, found.count, found.examples) == ("overlap in meaning", 1, ("my package has not come",))
    assert "figures can be too high" in found.effect


def test_of_many_cases_those_are_named_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are compared in blocks."""
    monkeypatch.setattr("benchmarks.audit.by_meaning._BLOCK", 2)
    examples = cases(
        ("hello", "other"),
        ("where is my parcel", "parcel"),
        ("cancel my order", "cancel"),
        ("I do not want it any more", "return"),
    )
    heldout = cases(("hello", "other"), ("cancel my order", "cancel"), ("my package has not come", "parcel"))
    found = compared(examples, heldout, ("parcel", "other", "cancel", "return")).findings
    across, again, within = found
    assert across.examples == ("my package has not come",)
    assert again.examples == ("I do not want it any more",)
    assert within.examples == ("cancel my order and I do not want it any more",)
    assert [each.kind for each in found] == ["overlap in meaning", "duplicates in meaning", "conflicts in meaning"]


PAIR = (("cancel my order", "cancel"), ("I do not want it any more", "return"))
ELSE = cases(("where is my parcel", "p"), ("hello", "o"))


@pytest.mark.parametrize(("held_out", "named"), [(False, ""), (True, "held-out ")])
def test_cases_of_one_meaning_with_different_labels_are_a_pair_once_on_either_side(held_out: bool, named: str) -> None:
    def found(pair: list[Case], labels: tuple[str, ...] = ("cancel", "return", "o")) -> dict[str, Finding]:
        sides = (ELSE, pair) if held_out else (pair, ELSE)
        return {each.kind: each for each in compared(*sides, labels).findings}

    pair = cases(*PAIR)
    conflicts = found(pair)[f"{named}conflicts in meaning"]
    assert conflicts.count == 1
    assert conflicts.examples == ("cancel my order and I do not want it any more",)
    several = "held-out cases" if held_out else "examples"
    assert conflicts.says == f"1 pair of {several} with different labels means nearly the same."
    again = f"{named}duplicates in meaning"
    assert list(found([pair[0], replace(pair[1], answers=("return", "cancel"))])) == [again]
    assert list(found([pair[0], replace(pair[1], output="cancel")])) == [again]
    assert list(found(pair, ())) == [again]


@pytest.mark.parametrize(("held_out", "named"), [(False, ""), (True, "held-out ")])
def test_rewordings_within_a_side_are_a_note_unless_they_are_of_one_group(held_out: bool, named: str) -> None:
    """Each once, however many it is like; those of a group count as one anyway, and the same letters are told elsewhere."""

    def found(*pair: Case) -> list[Finding]:
        examples, heldout = (ELSE[1:], list(pair)) if held_out else (list(pair), ELSE[1:])
        return list(compared(examples, heldout).findings)

    rows = cases(("where is my parcel", "p"), ("my package has not come", "p"), ("Where is my parcel?", "p"))
    (again,) = found(*rows)
    assert (again.kind, again.count, again.severity) == (f"{named}duplicates in meaning", 2, "note")
    assert again.examples == ("my package has not come", "Where is my parcel?")
    assert ("bounds are narrower than they should be" in again.effect) is held_out
    assert found(*(replace(row, group="g") for row in rows)) == []
    assert found(rows[0], rows[2]) == []


def test_each_row_of_a_pair_is_named_with_the_others() -> None:
    """A finding names three ids, and says of more that they are alike; of a group only where labels exclude each other."""
    examples = cases(("where is my parcel", "p"), ("hello", "o"), *PAIR)
    heldout = cases(("my package has not come", "p"))
    told = {(each.id, each.why): each.like for each in compared(examples, heldout, ("p", "o", "cancel", "return")).rows}
    one, other = (text for text, _ in PAIR)
    against = "means nearly what another example does, which has another label"
    assert told == {
        ("my package has not come", "means nearly what an example does"): ("where is my parcel",),
        ("where is my parcel", "means nearly what a held-out case does"): ("my package has not come",),
        (one, against): (other,),
        (other, against): (one,),
    }
    grouped = [replace(row, group="g") for row in cases(*PAIR)]
    assert {each.id for each in compared(grouped, ELSE, ("cancel", "return")).rows} == {one, other}
    assert compared(grouped, ELSE).rows == ()


def test_every_row_of_many_is_named_with_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "MEANT", {f"form {number}": (1, 0, 0) for number in range(30)})
    examples = cases(*((text, "a") for text in MEANT))
    rows = compared(examples, examples[:1]).rows
    assert [each.id for each in rows] == list(MEANT)
    assert all(0 < len(each.like) <= 4 and each.id not in each.like for each in rows)


def test_an_example_of_which_many_held_out_cases_have_the_meaning_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was one for each of them, and its cell in the sheet had no end."""
    monkeypatch.setitem(
        globals(), "MEANT", {"hello": (1, 0, 0), **{f"form {number}": (1, 0, 0) for number in range(30)}}
    )
    held = [replace(case, group="g") for case in cases(*((text, "a") for text in MEANT if text != "hello"))]
    rows = compared(cases(("hello", "a")), held).rows
    (example,) = (each for each in rows if not each.held_out)
    assert (example.id, example.like) == ("hello", tuple(f"form {number}" for number in range(4)))
    assert [(each.id, each.like) for each in rows if each.held_out] == [(case.id, ("hello",)) for case in held]


def test_of_very_many_that_mean_the_same_little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that all share makes as many pairs as there are cases, times as many."""
    monkeypatch.setattr("benchmarks.audit.by_meaning._BLOCK", 50)
    monkeypatch.setitem(globals(), "MEANT", {f"form {number}": (1, 0, 0) for number in range(300)})
    rows = cases(*((text, "ab"[place % 2]) for place, text in enumerate(MEANT)))
    tracemalloc.start()
    again, conflicts = compared(rows, rows[:1], ("a", "b")).findings
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (again.count, conflicts.count) == (299, 22_500)
    assert peak < 1_000_000


def test_a_held_out_question_that_stands_in_a_document_in_other_words_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Letters allow for one word; the same letters are told elsewhere."""
    more = {"The desk answers.": (0, 0, 1), "FAQ": (0, 0.6, 0.8), "how may I open the gate at night": (0, 0.7, -0.7)}
    monkeypatch.setitem(
        globals(), "MEANT", {**MEANT, **more, "my package has not come?": MEANT["my package has not come"]}
    )
    gate = "how may I open the gate at night"
    text = f"- **Q:** my package has not come? The desk answers.\n{gate}"
    heldout = cases(("where is my parcel", "at the desk"), (gate, "with a key"), ("cancel my order", "no"))

    def found(documents: Sequence[Document]) -> list[Finding]:
        return list(compared_by_meaning(cases(("hello", "o")), heldout, documents, (), Meaning()).findings)

    rows = compared_by_meaning(
        cases(("hello", "o")), heldout, [Document(id="d", title="FAQ", text=text)], (), Meaning()
    ).rows
    assert [(each.id, each.held_out, each.why) for each in rows] == [
        ("where is my parcel", True, "means nearly what a sentence of a document does")
    ]
    (told,) = found([Document(id="d", title="FAQ", text=text)])
    assert (told.kind, told.examples, told.severity) == (
        "questions in documents in meaning",
        ("where is my parcel",),
        "note",
    )
    assert told.says == "1 held-out case means nearly what a sentence of a document does, in other words."
    monkeypatch.setattr("benchmarks.audit.by_meaning._MOST_SENTENCES", 1)
    (told,) = found([Document(id="d", title="FAQ", text=text)])
    assert told.says.endswith("in other words (of 4 sentences 1 were compared).")
    assert found([Document(id="d", text="...")]) == []
