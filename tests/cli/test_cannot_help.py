"""What `advisor ask` says cannot help: only with grounds, and never what it proposes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from advisor.ask.asking import Asked, advise_before
from advisor.ask.triage import Change, Situation, Wanted
from strategies.contract import Kind


def _asked(situation: Situation) -> Asked:
    return Asked(situation=situation, approaches=8)


@pytest.mark.parametrize(
    ("kind", "labels", "documents", "wanted", "expire"),
    [
        ("classification", 77, False, None, False),
        ("extraction", 0, False, None, False),
        ("generation", 0, False, "behaviour", False),
        ("generation", 0, False, "facts", True),
        ("classification", 77, True, None, True),
        ("qa", 0, False, None, True),
    ],
)
def test_facts_that_change_count_where_answers_hold_facts(
    kind: Kind, labels: int, documents: bool, wanted: Wanted | None, expire: bool
) -> None:
    routing = Situation(kind=kind, labels=labels, examples=300, documents=documents, wanted=wanted)
    found = advise_before(_asked(replace(routing, facts_change="monthly")))
    assert any(sentence.startswith("Fine-tuning alone: facts") for sentence in found.cannot) is expire
    assert any("which decides nothing here" in sentence for sentence in found.why) is not expire
    assert found.first == advise_before(_asked(routing)).first or expire


KINDS: tuple[tuple[Kind, int], ...] = (
    ("classification", 12),
    ("classification", 77),
    ("extraction", 0),
    ("qa", 0),
    ("generation", 0),
)
CHANGES: tuple[Change | None, ...] = (None, "monthly")
WANTED: tuple[Wanted | None, ...] = (None, "behaviour", "format", "facts", "labels")


@pytest.mark.parametrize(("kind", "labels"), KINDS)
def test_nothing_is_proposed_that_cannot_help(kind: Kind, labels: int) -> None:
    for examples, share, change, wanted in product((40, 300), (0.0, 0.2, 0.9), CHANGES, WANTED):
        known = Situation(kind=kind, labels=labels, examples=examples, documents=share > 0, found=share)
        found = advise_before(_asked(replace(known, facts_change=change, wanted=wanted)))
        proposed, cannot = " ".join(found.first), " ".join(found.cannot)
        alone = proposed.replace("a LoRA fine-tune with retrieval", "")
        assert not ("Fine-tuning" in cannot and "LoRA" in alone), (known, change, wanted)
        assert not ("A fine-tune worth trusting" in cannot and "LoRA" in proposed), (known, change, wanted)
        assert not ("A linear head" in cannot and "linear head" in proposed), (known, change, wanted)
        assert known.documents or "documents" not in proposed, (known, change, wanted)


@pytest.mark.parametrize(("kind", "labels"), [("classification", 2), *KINDS])
def test_nothing_is_trained_before_a_prompt_was_tried(kind: Kind, labels: int) -> None:
    for examples, share, change, wanted in product((100, 300), (0.0, 0.2, 0.9), CHANGES, WANTED):
        known = Situation(kind=kind, labels=labels, examples=examples, documents=share > 0, found=share)
        proposed = " ".join(advise_before(_asked(replace(known, facts_change=change, wanted=wanted))).first)
        before = proposed.partition("LoRA")[0]
        assert "prompt" in before, (known, change, wanted)
