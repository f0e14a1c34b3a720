"""What means the same in other words: pairs by the vectors of an embedder, named with what that does to the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.audit.by_meaning import meaning_findings
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
    (found,) = meaning_findings(examples, heldout, ("parcel", "other", "x"), Meaning())
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
    across, within = meaning_findings(examples, heldout, ("parcel", "other", "cancel", "return"), Meaning())
    assert across.examples == ("my package has not come",)
    assert within.examples == ("cancel my order and I do not want it any more",)


def test_examples_of_one_meaning_with_different_labels_are_a_pair_once() -> None:
    examples = cases(("cancel my order", "cancel"), ("I do not want it any more", "return"), ("hello", "other"))
    (found,) = meaning_findings(examples, cases(("where is my parcel", "p")), ("cancel", "return", "other"), Meaning())
    assert (found.kind, found.count) == ("conflicts in meaning", 1)
    assert found.examples == ("cancel my order and I do not want it any more",)
    accepting = [*examples[:1], replace(examples[1], answers=("return", "cancel")), *examples[2:]]
    assert list(meaning_findings(accepting, cases(("where is my parcel", "p")), ("cancel", "return"), Meaning())) == []
    same = cases(("cancel my order", "cancel"), ("I do not want it any more", "cancel"))
    assert list(meaning_findings(same, cases(("hello", "o")), ("cancel", "o"), Meaning())) == []
    assert list(meaning_findings(examples, cases(("where is my parcel", "p")), (), Meaning())) == []
