"""Consistency: edits that change nothing that matters, and flips counted together with right and wrong."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.contract import Candidate, Row
from benchmarks.evaluation.evaluate import About, evaluate
from benchmarks.evaluation.misfits import OUTSIDE
from benchmarks.probes.consistency import (
    EDITS,
    PROBE_CASES,
    REPEATS,
    SAYS,
    agreement,
    edited,
    edits_for,
    nominal_alpha,
    passes,
    probe_cases,
    varied,
)
from benchmarks.running.plan import Options, units
from benchmarks.storage.store import Store, UnitResult
from strategies.approaches.majority import Majority
from strategies.contract import Case, Failure, Kind, Prediction
from tests import tiny
from tests.situations import edits
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of, task_of

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


def coded(*coders: str) -> list[list[tuple[str, bool]]]:
    """The values of each unit, `*` for none."""
    return [[(value, False) for value in unit if value != "*"] for unit in zip(*coders, strict=True)]


def test_alpha_is_krippendorffs() -> None:
    """The example that his own papers are explained with: three coders, some values missing, 0.691 for nominal data."""
    rated = coded("*****34121133*3", "1*213343*******", "**21344*21133*4")
    assert nominal_alpha(rated) == pytest.approx(0.691, abs=5e-4)


def test_alpha_falls_where_one_answer_is_frequent_and_right_answers_are_one() -> None:
    steady = [[("a", True), ("other words", True)]] * 90
    flips = [[("a", True), ("b", False)]] * 10
    assert agreement("edits", "", [(one, other) for one, other in [*steady, *flips]]).same == 0.9
    alpha = nominal_alpha([*steady, *flips])
    assert alpha is not None
    assert -0.1 < alpha < 0
    assert nominal_alpha(steady) is None
    assert nominal_alpha([]) is None
    even = (
        [[("a", False), ("a", False)]] * 45 + [[("b", False), ("b", False)]] * 45 + [[("a", False), ("b", False)]] * 10
    )
    assert nominal_alpha(even) == pytest.approx(0.8, abs=0.01)


def test_all_draws_right_is_estimated_without_bias() -> None:
    assert passes([]) == ()
    assert passes([[True, False, True, True, True]]) == (0.8, 0.6, 0.4, 0.2, 0.0)
    assert passes([[True] * 3, [False] * 3]) == (0.5, 0.5, 0.5)
    dice = random.Random(5)
    drawn = [[dice.random() < 0.7 for _ in range(5)] for _ in range(4000)]
    assert passes(drawn)[2] == pytest.approx(0.7**3, abs=0.02)


def test_approaches_are_told_by_as_many_draws_as_all_of_them_have() -> None:
    """A run that ended early has fewer of one, of which all are right more often."""
    drawn = {"retrieval": (0.7, 0.6, 0.5, 0.4, 0.3), "lora": (0.7, 0.5, 0.35), "majority": (0.9,)}
    found = [replace(evaluation_of(name, scores_of(70, 100)), passes=each) for name, each in drawn.items()]
    note = Bakeoff(evaluations=tuple(found), benchmark=benchmark_of(cases=100)).told().story.consistency.note
    assert "Right in each of 3 draws at the task's temperature (pass^3): retrieval 50 % and lora 35 %." in note


def test_flips_of_graded_scores_are_those_that_move(tmp_path: Path) -> None:
    """Of free text hardly an answer has the full score, so nothing ever turned from right to wrong: flips were 0 % while most
    answers changed."""
    benchmark = tiny.benchmark(heldout=10)
    cases = tuple(replace(case, group=f"g{place // 2}") for place, case in enumerate(benchmark.heldout))
    scores = {"heldout": [0.5] * 10, "edit": [0.5, 0.504, 0.51, *[0.2] * 5, *[0.7] * 2]}
    counts = {}
    for graded in (True, False):
        asked = replace(benchmark, heldout=cases, metric=PlainMetric(name="chrf", graded=graded))
        with closing(Store(tmp_path / f"{graded}.sqlite")) as store:
            for purpose, of in scores.items():
                rows = [
                    Row(candidate="c", purpose=purpose, key=case.id, outcome=Prediction(text="free text"), score=score)
                    for case, score in zip(cases, of, strict=True)
                ]
                store.begin(purpose, purpose, "c")
                store.finish(UnitResult(unit=purpose, kind=purpose, candidate="c", rows=tuple(rows)))
            about = About(name="c", approach="c", family="prompting", model="m", simplicity=1)
            (check,) = evaluate(asked, about, store, {}).agreements
        counts[graded] = check.flips, check.flips_by_group, check.right_then_wrong
    assert counts == {
        True: (8, ((0, 2), (2, 2), (2, 2), (2, 2), (2, 2)), 0),
        False: (0, ((0, 2),) * 5, 0),
    }


def test_flips_have_an_interval_in_the_report_and_in_json() -> None:
    found = [
        replace(evaluation_of(name, scores_of(70, 100)), agreements=(edits(100 - flipped, 0, flipped),))
        for name, flipped in (("prompting", 10), ("lora", 2))
    ]
    story = Bakeoff(evaluations=tuple(found), benchmark=benchmark_of(cases=100)).told().story
    place = story.consistency.columns.index("flips")
    assert {row[0]: row[place] for row in story.consistency.rows} == {"prompting": "10 % (6-17)", "lora": "2 % (1-7)"}
    facts = {each["name"]: each["consistency"][0] for each in story.facts["candidates"]}
    assert facts["prompting"]["flips"] == 10
    assert facts["prompting"]["flips_interval"] == pytest.approx([0.055, 0.174], abs=1e-3)
    assert (
        "Flips are shares of 100 pairs, whose 95 % intervals reach 8 points to either side at most."
        in story.probed.note
    )
    free = replace(benchmark_of(cases=100), metric=PlainMetric(name="chrf", graded=True))
    moved = [replace(each, agreements=(replace(each.agreements[0], moved=97),)) for each in found]
    graded = Bakeoff(evaluations=tuple(moved), benchmark=free).told().story
    assert {row[graded.probed.columns.index("flips")] for row in graded.probed.rows} == {"97 %"}
    assert "Flips: answers whose score moves by more than rounding when a request is edited" in graded.probed.note
    assert "Flips: pairs whose score moves by more than half a point" in graded.consistency.note


def test_drawn_answers_are_drawn_four_times_more_and_others_once() -> None:
    benchmark = tiny.benchmark()
    candidate = Candidate(name="majority", strategy=Majority(), model="")

    def repeated(temperature: float) -> list[str]:
        asked = replace(benchmark, task=replace(benchmark.task, temperature=temperature))
        return [unit.name for unit in units(asked, candidate, Options(), "salt") if unit.kind == "repeat"]

    assert len(repeated(0.0)) == 1
    assert repeated(0.7)[:1] == repeated(0.0)
    assert len(set(repeated(0.7))) == REPEATS == 4


def test_every_draw_counts_for_agreement_alpha_and_passing(tmp_path: Path) -> None:
    """Agreement and alpha rested on the first of four redraws alone."""
    benchmark = tiny.benchmark(heldout=10)
    benchmark = replace(benchmark, task=replace(benchmark.task, temperature=0.7))
    about = About(name="c", approach="c", family="prompting", model="m", simplicity=1)

    def drawn(purpose: str, variant: str, right: int) -> tuple[Row, ...]:
        return tuple(
            Row(
                candidate="c",
                purpose=purpose,
                variant=variant,
                key=case.id,
                outcome=Prediction(text=case.output if place < right else "no"),
                score=float(place < right),
            )
            for place, case in enumerate(benchmark.heldout)
        )

    with closing(Store(tmp_path / "run.sqlite")) as store:
        plan = [("heldout", "", 9), ("repeat", "1", 8), ("repeat", "2", 7), ("repeat", "3", 10), ("repeat", "4", 6)]
        for number, (purpose, variant, right) in enumerate(plan):
            store.begin(str(number), purpose, "c")
            store.finish(UnitResult(unit=str(number), kind=purpose, candidate="c", rows=drawn(purpose, variant, right)))
        found = evaluate(benchmark, about, store, {})
    check = next(each for each in found.agreements if each.name == "repeats")
    assert (check.pairs, check.right_twice, check.wrong_twice_same, check.flips) == (100, 70, 10, 20)
    assert check.alpha == pytest.approx(1 - 49 * (2 * 20 / 4) / (2 * 40 * 10))
    assert check.by_group == ((10, 10),) * 6 + ((6, 10), (4, 10), (4, 10), (6, 10))
    assert check.flips_by_group == ((0, 10),) * 6 + ((4, 10), (6, 10), (6, 10), (4, 10))
    assert len(found.passes) == 5
    assert found.passes[0] == pytest.approx(0.8)
    assert found.passes[-1] == pytest.approx(0.6)
    assert found.valid_by_group == ()


def test_cases_of_one_group_are_counted_by_group(tmp_path: Path) -> None:
    """Ten cases in groups of two, one of them alone in its own; the first two are right, what is no label is not valid."""
    benchmark = tiny.benchmark(heldout=9)
    cases = tuple(replace(case, group=f"g{place // 2}") for place, case in enumerate(benchmark.heldout))
    said = {"heldout": 2, "edit": 1}
    with closing(Store(tmp_path / "run.sqlite")) as store:
        for purpose, right in said.items():
            rows = [
                Row(
                    candidate="c",
                    purpose=purpose,
                    key=case.id,
                    outcome=Prediction(text=case.output if place < right else "no label"),
                    score=float(place < right),
                )
                for place, case in enumerate(cases)
            ]
            store.begin(purpose, purpose, "c")
            store.finish(UnitResult(unit=purpose, kind=purpose, candidate="c", rows=tuple(rows)))
        about = About(name="c", approach="c", family="prompting", model="m", simplicity=1)
        found = evaluate(replace(benchmark, heldout=cases), about, store, {})
    assert found.failures == {OUTSIDE: 7}
    assert found.valid_by_group == ((2, 2), (0, 2), (0, 2), (0, 2), (0, 1))
    (check,) = found.agreements
    assert check.by_group == ((1, 2), (2, 2), (2, 2), (2, 2), (1, 1))
    assert sum(count for count, _ in check.by_group) == check.right_twice + check.wrong_twice_same


def test_what_a_fault_took_is_no_changed_answer(tmp_path: Path) -> None:
    """Of ten cases one was lost at first and another when it was asked again: eight pairs are left, all of them right."""
    benchmark = tiny.benchmark(heldout=200)
    benchmark = replace(benchmark, task=replace(benchmark.task, temperature=0.7))
    about = About(name="c", approach="c", family="prompting", model="m", simplicity=1)

    def asked(purpose: str, cases: int, lost: int) -> tuple[Row, ...]:
        fault = Failure(kind="infrastructure", message="status 503")
        found = [
            (case, fault if place == lost else Prediction(text=case.output))
            for place, case in enumerate(benchmark.heldout)
        ]
        variant = "1" if purpose == "repeat" else ""
        return tuple(
            Row(
                candidate="c",
                purpose=purpose,
                variant=variant,
                key=case.id,
                outcome=given,
                score=float(given is not fault),
            )
            for case, given in found[:cases]
        )

    with closing(Store(tmp_path / "run.sqlite")) as store:
        for kind, rows in (("heldout", asked("heldout", 200, 3)), ("repeat", asked("repeat", 10, 7))):
            store.begin(kind, kind, "c")
            store.finish(UnitResult(unit=kind, kind=kind, candidate="c", rows=rows))
        found = evaluate(benchmark, about, store, {})
    (check,) = found.agreements
    assert (check.pairs, check.right_twice) == (8, 8)
    assert found.passes == (1.0, 1.0)
    assert found.failures == {"infrastructure": 1}


def test_no_pairs_are_no_agreement() -> None:
    assert agreement("seed", "", []).same != agreement("seed", "", []).same


def test_every_check_says_in_words_what_was_varied() -> None:
    assert set(SAYS) >= {"repeat", "sampled", "seed"}
    assert all(len(sentence.split()) > 4 for sentence in SAYS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_edits_are_told_as_those_of_the_kind(kind: Kind) -> None:
    copied = kind in ("extraction", "generation")
    of = "the space around it" if copied else "case, spacing, punctuation or a greeting"
    assert varied("edit", task_of(kind=kind)) == f"the same question with harmless edits of {of}"
    assert copied == all(text.strip() == case.input for case, _, text in edited(cases_of(["Is This it?"] * 9), kind))
