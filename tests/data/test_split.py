"""Parts never share a near-duplicate or a group, keep the labels in proportion, and are the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.data.mistyped import LEAST, MOST, mistyped_pairs, one_letter_apart
from benchmarks.data.sides import _sample
from benchmarks.data.similar import clusters, near_pairs, normalised, reworded_pairs
from benchmarks.data.split import (
    _quotas,
    alike,
    cut_folds,
    cut_heldout,
    grouped,
    overlapping,
    written_down,
)
from strategies.contract import Case, Fold

WORDS = [
    f"{first}{last}"
    for first in ("bel", "cor", "dun", "fas", "gim", "hov", "jup")
    for last in ("ta", "ro", "mi", "ske", "ul")
]


def _case(number: int, label: str = "", group: str = "") -> Case:
    text = " ".join(random.Random(number).choices(WORDS, k=12))
    return Case(id=f"c{number}", input=text, output=label or f"answer {number}", group=group)


def _cases(count: int, labels: int = 4) -> list[Case]:
    return [_case(number, label="abcdefgh"[number % labels]) for number in range(count)]


def _ids(cases: tuple[Case, ...]) -> set[str]:
    return {case.id for case in cases}


@pytest.mark.parametrize(("count", "held"), [(10, 5), (101, 50), (1_000, 500), (3_000, 500)])
def test_half_is_held_out_and_at_most_five_hundred(count: int, held: int) -> None:
    cut = cut_heldout(_cases(count), "classification", 0)
    assert len(cut.heldout) == held
    assert _ids(cut.examples) | _ids(cut.heldout) == {f"c{number}" for number in range(count)}
    assert len(cut.examples) + len(cut.heldout) == count


def test_labels_are_held_out_in_proportion_and_stay_among_the_examples() -> None:
    cases = [_case(number, label="rare" if number % 20 == 0 else "often") for number in range(400)]
    cases.append(_case(400, label="once"))
    cut = cut_heldout(cases, "classification", 3)
    held = Counter(case.output for case in cut.heldout)
    assert held["rare"] == 10
    assert held["once"] == 0
    assert Counter(case.output for case in cut.examples)["rare"] == 10


def test_a_label_stays_among_the_examples_also_where_groups_leave_room_among_the_held_out_cases() -> None:
    cases = [_case(0, label="once"), *(_case(n, label="often", group=f"g{n // 3}") for n in range(1, 40))]
    for seed in range(10):
        cut = cut_heldout(cases, "classification", seed)
        assert "once" in {case.output for case in cut.examples}
        assert len(cut.heldout) >= 18


def test_the_same_seed_gives_the_same_parts_and_another_one_does_not() -> None:
    cases = _cases(200)
    first, again, other = (cut_heldout(cases, "classification", seed) for seed in (0, 0, 1))
    assert first == again
    assert _ids(first.heldout) != _ids(other.heldout)
    together = [replace(case, group="one") for case in cases]
    for given_ones in (cases, together):
        folds = [cut_folds(given_ones, "classification", seed) for seed in (0, 0, 1)]
        assert folds[0] == folds[1] != folds[2]


def test_near_duplicates_and_groups_stay_on_one_side() -> None:
    cases = [_case(number, group=f"g{number // 4}" if number < 40 else "") for number in range(200)]
    for number in range(100, 140):
        copy = cases[number].input.upper().replace(" ", "  ") if number % 2 else cases[number].input + " ok"
        cases.append(Case(id=f"copy{number}", input=copy, output="x"))
    bound = [(f"c{4 * block}", f"c{4 * block + step}") for block in range(10) for step in (1, 2, 3)]
    bound += [(f"c{number}", f"copy{number}") for number in range(100, 140)]
    for seed in range(5):
        cut = cut_heldout(grouped(cases), "qa", seed)
        held = _ids(cut.heldout)
        assert all((one in held) == (other in held) for one, other in bound)
        for fold in cut_folds(cut.examples, "qa", seed):
            selection, train = _ids(fold.selection), _ids(fold.train)
            assert all(not (one in selection and other in train) for one, other in bound)


@pytest.mark.parametrize(("count", "sizes"), [(299, {99, 100}), (300, {75}), (500, {125}), (2_000, {150})])
def test_one_fold_from_three_hundred_examples_on_else_three(count: int, sizes: set[int]) -> None:
    folds = cut_folds(_cases(count), "classification", 0)
    assert len(folds) == (3 if count < 300 else 1)
    assert {len(fold.selection) for fold in folds} <= sizes
    for fold in folds:
        assert len(fold.train) + len(fold.selection) == count


def test_three_folds_select_on_each_example_once_and_balance_the_labels() -> None:
    folds = cut_folds(_cases(120), "classification", 0)
    assert Counter(case.id for fold in folds for case in fold.selection) == {f"c{number}": 1 for number in range(120)}
    for fold in folds:
        assert set(Counter(case.output for case in fold.selection).values()) == {10}


def test_a_large_group_fills_no_fold_further_and_what_is_left_over_goes_to_the_largest_remainder() -> None:
    large = [replace(_case(number, label="a"), group="large") for number in range(40)]
    folds = cut_folds([*large, *(_case(number, label="b") for number in range(40, 100))], "classification", 0)
    assert sorted(len(fold.selection) for fold in folds) == [30, 30, 40]
    for seed in range(6):
        assert _quotas({"a": 151, "b": 149}, 75, random.Random(seed)) == {"a": 38, "b": 37}


def test_two_groups_make_two_folds_and_one_is_cut_as_a_last_resort() -> None:
    cases = [replace(_case(number), group="ab"[number % 3 == 0]) for number in range(60)]
    assert [{case.group for case in fold.selection} for fold in cut_folds(cases, "qa", 0)] == [{"a"}, {"b"}]
    alone = [replace(case, group="a") for case in cases]
    assert [len(fold.selection) for fold in cut_folds(alone, "qa", 0)] == [20, 20, 20]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.sampled_from(["same", "same!", "other", "third", "x" * 40, "x" * 41]), min_size=3, max_size=6),
    groups=st.lists(st.sampled_from(["", "g", "h"]), min_size=12, max_size=12),
    seed=st.integers(0, 5),
)
def test_no_part_is_ever_empty_whatever_belongs_together(texts: list[str], groups: list[str], seed: int) -> None:
    cases = [Case(id=str(n), input=text, output="ab"[n % 2], group=groups[n]) for n, text in enumerate(texts)]
    for fold in cut_folds(grouped(cases), "classification", seed):
        assert fold.train
        assert fold.selection
        assert not _ids(fold.train) & _ids(fold.selection)


def _jaccard(one: str, other: str) -> float:
    first, second = ({text[start : start + 5] for start in range(len(text) - 4)} for text in (one, other))
    return len(first & second) / len(first | second)


def test_near_duplicates_are_those_with_the_stated_similarity() -> None:
    texts = [_case(number).input for number in range(150)]
    texts += [text.replace(" ", " so ", 1) for text in texts[:50]] + [
        text + " and thanks a lot" for text in texts[50:100]
    ]
    plain = [normalised(text) for text in texts]
    similar = {
        (one, other): _jaccard(plain[one], plain[other])
        for one in range(len(plain))
        for other in range(one + 1, len(plain))
    }
    found = set(near_pairs(plain))
    assert found <= {pair for pair, value in similar.items() if value >= 0.8}
    assert {pair for pair, value in similar.items() if value >= 0.85} <= found


def test_near_duplicates_are_found_alike_in_parts_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many texts some are hashed at a time."""
    texts = [_case(number // 2).input + " ok" * (number % 2) for number in range(40)]
    whole = near_pairs(texts)
    monkeypatch.setattr("benchmarks.data.similar._CHUNK", 300)
    assert near_pairs(texts) == whole
    assert len(whole) == 20


def test_of_much_text_a_sample_proposes_and_whole_texts_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the few shingles of a short text that a sample holds, 235 of 238 pairs were none."""
    dice = random.Random(1)
    asked = [f"i want to {dice.choice(WORDS)} my {dice.choice(WORDS)} number {n} please" for n in range(150)]
    texts = [*asked, *(text + " ok" for text in asked[:50])]
    whole = near_pairs(texts)
    monkeypatch.setattr("benchmarks.data.similar._MAX_SHINGLES", sum(map(len, texts)) // 4)
    sampled = near_pairs(texts)
    assert set(sampled) <= set(whole)
    assert len(sampled) >= 0.9 * len(whole) >= 45


def test_a_template_that_all_texts_share_does_not_bind_them_all() -> None:
    frame = "Dear team, please find below the order of our company with the usual terms of payment and delivery, number"
    texts = [f"{frame} {number}" for number in range(300)]
    found = clusters([*texts, texts[0].upper()], [""] * 301)
    assert len(found) == 300
    assert [0, 300] in found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is 7 + 5?", "What is 7 - 5?", False),
        ("A list in C++", "A list in C#", False),
        ("A list in C#", "A list in C", False),
        ("It is -5 \u00b0C", "It is 5 \u00b0C", False),
        ("\u0932\u0921\u093c\u0915\u093e", "\u0932\u0921\u093c\u0915\u0940", False),  # A boy and a girl in Hindi.
        ("What is 7+5", "What is 7 + 5?", True),
        ("What is 7 \u2212 5", "What is 7 - 5", True),
        ("I come at 8.30", "I come at 8:30!", True),
        ("a well-known case of COVID-19", "A well known case of COVID 19.", True),
    ],
)
def test_inputs_are_the_same_but_for_the_punctuation_of_sentences(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same


def test_groups_name_what_is_not_independent() -> None:
    cases = [_case(1), _case(2), Case(id="twin", input=_case(1).input + "!", output="x")]
    assert [case.group for case in grouped(cases)] == ["c1", "", "c1"]


def test_overlap_tells_equal_from_nearly_equal() -> None:
    heldout = [_case(number) for number in range(20)]
    equal = Case(id="equal", input=heldout[3].input.upper(), output="x")
    near = Case(id="near", input=heldout[4].input + " ok", output="x")
    reworded = Case(id="reworded", input=" ".join(heldout[5].input.split()[::-1]), output=heldout[5].output)
    found = overlapping([equal, near, reworded, _case(99)], heldout)
    assert [found.same, found.near, found.reworded] == [frozenset({name}) for name in ("equal", "near", "reworded")]
    assert found.all == {"equal", "near", "reworded"}
    assert found.heldout == {heldout[3].id, heldout[4].id}, "of the reworded ones nothing is left out"


def test_reworded_cases_are_alike_where_the_answer_is_too() -> None:
    texts = ["how can I lock my card", "my card how can I lock", "how can I lock my new card", "how can I lock my door"]
    cases = [Case(id=str(place), input=text, output="lock") for place, text in enumerate(texts)]
    assert alike(cases) == [[0, 1, 2], [3]]
    other = [cases[0], *(Case(id=case.id, input=case.input, output="else") for case in cases[1:])]
    assert [0] in alike(other)
    assert alike([Case(id=name, input=name, output="x") for name in ("card lost", "lost card")]) == [[0], [1]]


def test_words_in_another_order_are_looked_for_in_texts_of_five_words_and_one_less() -> None:
    five, turned, four = "please lock my card now", "now please lock my card", "please lock my card"
    assert reworded_pairs([five, turned]) == reworded_pairs([five, four]) == reworded_pairs([four, five]) == [(0, 1)]
    assert reworded_pairs([four, "lock my card please"]) == reworded_pairs([five, five]) == []


def test_a_smaller_sample_is_a_part_of_a_larger_one_and_drawn_from_all() -> None:
    cases = tuple(_cases(400))
    few, more, most = (_sample(cases, size, 0) for size in (5, 50, 200))
    assert [len(part) for part in (few, more, most)] == [5, 50, 200]
    assert _ids(few) < _ids(more) < _ids(most) < _ids(cases)
    assert most == tuple(case for case in cases if case in most), "in their first order"
    assert most != cases[:200]
    assert most != _sample(cases, 200, 1)
    assert _sample(cases, 400, 0) == _sample(cases, None, 0) == cases


def test_the_parts_are_written_down_by_id() -> None:
    cases = [_case(number) for number in range(3)]
    parts = written_down(cases[:2], cases[2:], [Fold(train=(cases[0],), selection=(cases[1],))], 7)
    assert parts.to_dict() == {"seed": 7, "examples": ("c0", "c1"), "heldout": ("c2",), "folds": ((("c0",), ("c1",)),)}


# ---------------------------------------------------------------- one letter apart


def _swapped(text: str) -> str:
    return text.replace("ca", "ac", 1)


CARD = "where is my card"


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        ("where is my caard", True),
        ("where is my crd", True),
        ("where is mycard", True),
        ("where is my cord", True),
        (_swapped(CARD), True),
        ("where is my card s", False),
        ("where is my card2", False),
        ("where os my cord", False),
        ("where is my drac", False),
        (CARD, False),
    ],
)
def test_what_is_one_letter_apart_is_found_and_nothing_else(other: str, apart: bool) -> None:
    texts = ["something else entirely", CARD, "and yet another thing", other, CARD]
    assert one_letter_apart(CARD, other) == one_letter_apart(other, CARD) == apart
    assert mistyped_pairs(texts) == ([(1, 3)] if apart else [])


@given(
    st.lists(st.text("ab c1é", min_size=LEAST - 1, max_size=LEAST + 2), max_size=6),
    st.integers(0, LEAST - 2),
    st.sampled_from(["", "a", "b", "é", "1"]),
)
def test_all_pairs_of_short_texts_are_found_as_comparing_all_with_all_does(
    texts: list[str], place: int, letter: str
) -> None:
    more = [text[:place] + letter + text[place + 1 :] for text in texts] + [text + letter for text in texts]
    every = list(dict.fromkeys([*texts, *more]))
    wanted = [
        (one, other)
        for one, other in combinations(range(len(every)), 2)
        if one_letter_apart(every[one], every[other])
        and LEAST <= min(len(every[one]), len(every[other])) <= max(len(every[one]), len(every[other])) <= MOST
    ]
    assert mistyped_pairs(every) == wanted


def test_a_letter_too_much_is_a_leak_and_one_group_where_the_answer_is_the_same() -> None:
    held = [Case(id="held", input="Where is my card now?", output="card"), _case(1)]
    copied = Case(id="copied", input="Where is my carrd now?", output="card")
    asks_else = Case(id="else", input="Where is my cart now?", output="cart")
    found = overlapping([copied, asks_else, _case(2)], held)
    assert found.near == found.all == {"copied"}
    assert [case.group for case in grouped([*held, copied, asks_else])] == ["held", "", "held", ""]
    either = Case(id="either", input="Where is my cart now?", output="cart", answers=("card",))
    assert overlapping([either, _case(2)], held).near == {"either"}, "an answer in common is enough"


def test_numbers_that_count_up_are_not_one_letter_apart() -> None:
    assert mistyped_pairs([f"order {number} has not arrived" for number in range(10_000, 12_000)]) == []
