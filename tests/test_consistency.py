"""Consistency: edits that change nothing that matters, and flips counted together with right and wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.consistency import EDITS, PROBE_CASES, SAYS, agreement, edited, edits_for, probe_cases
from strategies.contract import Case, Kind
from tests import tiny

KINDS: tuple[Kind, ...] = get_args(Kind)
texts = st.text(min_size=1, max_size=120)


def cases_of(inputs: list[str]) -> list[Case]:
    return [Case(id=str(place), input=text, output="") for place, text in enumerate(inputs)]


# ---------------------------------------------------------------- edits


@pytest.mark.parametrize("kind", ["extraction", "generation"])
@given(inputs=st.lists(texts, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_what_could_be_copied_is_still_there(kind: Kind, inputs: list[str]) -> None:
    """Names with two spaces, values that end in a full stop, upper case: the input stands in the edited one as it was."""
    for case, _, text in edited(cases_of(inputs), kind):
        assert case.input in text
        assert text.replace(case.input, "", 1).strip() == ""


@given(inputs=st.lists(texts, min_size=1, max_size=8), kind=st.sampled_from(KINDS))
@settings(max_examples=60, deadline=None)
def test_an_edit_keeps_every_letter_and_digit(inputs: list[str], kind: Kind) -> None:
    """A greeting apart, which is added: nothing that a person reads is lost or replaced."""
    for case, edit, text in edited(cases_of(inputs), kind):
        assert text != case.input
        before = [letter for letter in case.input.casefold() if letter.isascii() and letter.isalnum()]
        after = [letter for letter in text.casefold() if letter.isascii() and letter.isalnum()]
        if edit.name == "a greeting in front":
            assert text == f"Hello, {case.input}"
        elif case.input.isascii():
            assert after == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_several_edits_and_all_of_them_are_used(kind: Kind) -> None:
    names = {edit.name for edit in edits_for(kind)}
    assert len(names) >= 3
    cases = cases_of([f"Is This Sentence number {place}?" for place in range(40)])
    assert {edit.name for _, edit, _ in edited(cases, kind)} == names


def test_each_case_is_edited_once_and_an_edit_without_effect_gives_way() -> None:
    found = edited(cases_of(["all lower, no end", "?", "..."]), "classification")
    assert [case.id for case, _, _ in found] == ["0", "1", "2"]
    assert all(edit.apply(case.input) == text for case, edit, text in found)


def test_edits_have_names_of_their_own() -> None:
    assert len({edit.name for edit in EDITS}) == len(EDITS)


# ---------------------------------------------------------------- cases


def test_every_candidate_is_checked_on_the_same_cases() -> None:
    benchmark = replace(tiny.benchmark(), heldout=tuple(tiny.messages(300)))
    chosen = probe_cases(benchmark, 3)
    assert chosen == probe_cases(benchmark, 3)
    assert len(chosen) == len({case.id for case in chosen}) == PROBE_CASES >= 100
    assert chosen != probe_cases(benchmark, 4)
    few = replace(benchmark, heldout=benchmark.heldout[:20])
    assert sorted(case.id for case in probe_cases(few, 3)) == sorted(case.id for case in few.heldout)


def test_of_cases_in_random_order_the_first_are_checked_since_everyone_is_asked_these() -> None:
    benchmark = replace(tiny.benchmark(), heldout=tuple(tiny.messages(300)), sequential=True)
    assert probe_cases(benchmark, 3) == list(benchmark.heldout[:PROBE_CASES])


# ---------------------------------------------------------------- counting

answers = st.tuples(st.sampled_from("ab"), st.booleans())


@given(st.lists(st.tuples(answers, answers), max_size=30))
def test_every_pair_is_counted_once(pairs: list[tuple[tuple[str, bool], tuple[str, bool]]]) -> None:
    counted = agreement("edits", "", pairs)
    assert counted.pairs == len(pairs)
    assert counted.right_then_wrong == sum(first[1] and not second[1] for first, second in pairs)
    assert counted.wrong_then_right == sum(second[1] and not first[1] for first, second in pairs)


def test_flips_are_told_with_right_and_wrong() -> None:
    pairs = [
        (("a", True), ("a", True)),
        (("a", True), ("also right", True)),
        (("b", False), (" b", False)),
        (("b", False), ("c", False)),
        (("a", True), ("b", False)),
        (("b", False), ("a", True)),
        (("b", False), ("a", True)),
    ]
    counted = agreement("repeats", "asked again", pairs)
    assert (counted.name, counted.says) == ("repeats", "asked again")
    assert counted.right_twice == 2
    assert counted.wrong_twice_same == 1
    assert counted.wrong_twice_different == 1
    assert counted.right_then_wrong == 1
    assert counted.wrong_then_right == 2
    assert counted.same == pytest.approx(3 / 7)


def test_no_pairs_are_no_agreement() -> None:
    assert agreement("seed", "", []).same != agreement("seed", "", []).same


def test_every_check_says_in_words_what_was_varied() -> None:
    assert set(SAYS) >= {"edit", "repeat", "sampled", "seed"}
    assert all(len(sentence.split()) > 4 for sentence in SAYS.values())
