"""What means the same in other words: pairs by the vectors of an embedder, named with what that does to the comparison."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.audit.by_meaning import meaning_findings
from benchmarks.audit.findings import Finding
from strategies.contract import Case

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


def cases(*rows: tuple[str, str]) -> list[Case]:
    return [Case(id=text, input=text, output=label) for text, label in rows]


def test_a_heldout_case_in_other_words_is_named_and_the_same_letters_are_not() -> None:
    examples = cases(("where is my parcel", "parcel"), ("hello", "other"))
    heldout = cases(("my package has not come", "parcel"), ("Where is my parcel?", "parcel"), ("cancel my order", "x"))
    found, again = meaning_findings(examples, heldout, ("parcel", "other", "x"), Meaning())
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
    found = list(meaning_findings(examples, heldout, ("parcel", "other", "cancel", "return"), Meaning()))
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
        return {each.kind: each for each in meaning_findings(*sides, labels, Meaning())}

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
        return list(meaning_findings(examples, heldout, (), Meaning()))

    rows = cases(("where is my parcel", "p"), ("my package has not come", "p"), ("Where is my parcel?", "p"))
    (again,) = found(*rows)
    assert (again.kind, again.count, again.severity) == (f"{named}duplicates in meaning", 2, "note")
    assert again.examples == ("my package has not come", "Where is my parcel?")
    assert ("bounds are narrower than they should be" in again.effect) is held_out
    assert found(*(replace(row, group="g") for row in rows)) == []
    assert found(rows[0], rows[2]) == []


def test_of_very_many_that_mean_the_same_little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that all share makes as many pairs as there are cases, times as many."""
    monkeypatch.setattr("benchmarks.audit.by_meaning._BLOCK", 50)
    monkeypatch.setitem(globals(), "MEANT", {f"form {number}": (1, 0, 0) for number in range(300)})
    rows = cases(*((text, "ab"[place % 2]) for place, text in enumerate(MEANT)))
    tracemalloc.start()
    again, conflicts = meaning_findings(rows, rows[:1], ("a", "b"), Meaning())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (again.count, conflicts.count) == (299, 22_500)
    assert peak < 1_000_000
