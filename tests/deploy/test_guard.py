"""Saying "I do not know" where an approach is unsure: where the thresholds fall, what they keep, what they cost, who obeys."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.cli.predict import _held_back
from advisor.deploy.answering import Answerer, Kept
from advisor.deploy.export import card
from advisor.deploy.guard_told import forms_card, guard_card, in_place_of_unsure
from advisor.deploy.holding import Guarded, wrong_form
from advisor.probes.guarded import COLUMNS, as_fact, guard_cells, held_back
from advisor.wording import percent
from benchmarks.checked import Coverage, Guard, Held
from benchmarks.contract import BadInput, Benchmark, Row
from benchmarks.evaluation.guard import _Asked, _asked, guard, refusals, threshold
from benchmarks.metrics import load
from benchmarks.metrics._words import plain
from benchmarks.statistics.confidence import FIXED
from strategies.contract import Case, Evidence, Failure, Outcome, Prediction, Query, Sampling
from strategies.standalone import alone, reading
from tests.verdict_cases import Bakeoff, PlainMetric, benchmark_of, evaluation_of, scores_of, task_of

NOWHERE = "not in the handbook"


def asked(mark: float, score: float) -> _Asked:
    return _Asked(mark=mark, score=score, silence=0.0, silent=False)


# ---------------------------------------------------------------- where a threshold falls


def test_the_threshold_loses_as_few_right_answers_as_are_allowed() -> None:
    right = [asked(0.5 + place / 100, 1.0) for place in range(39)]
    wrong = [asked(place / 100, 0.0) for place in range(20)]
    assert threshold(right + wrong, 0.05) == pytest.approx(0.51), "(1 + 1) / (39 + 1): one right answer below it"
    assert threshold(right + wrong, 0.1) == pytest.approx(0.53)
    assert threshold(right[:19], 0.05) == pytest.approx(0.5), "with 19 none may lie below"
    assert threshold(right[:18], 0.05) is None, "too few to say so"
    assert threshold([asked(0.4, 1.0)] * 39, 0.3) == 0.4, "equal ones stay together"
    assert threshold(wrong, 0.3) is None, "nothing is right"


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_no_more_is_lost_on_average_than_was_asked(share: float) -> None:
    """400 draws of 60 selection cases, and the share of new right answers below the threshold."""
    lost = []
    for seed in range(400):
        dice = np.random.default_rng(seed)
        marks = dice.uniform(size=60)
        known = [asked(float(mark), float(dice.uniform() < 0.3 + 0.6 * mark)) for mark in marks]
        if (mark := threshold(known, share)) is not None:
            new = dice.uniform(size=4000)
            right = new[dice.uniform(size=4000) < 0.3 + 0.6 * new]
            lost.append(float((right < mark).mean()))
    assert len(lost) > 300
    error = 3 * float(np.std(lost)) / len(lost) ** 0.5
    assert share / 2 < np.mean(lost) < share + error


def test_graded_answers_are_lost_by_what_they_score() -> None:
    half = [asked(place / 100, 0.5) for place in range(98)]
    assert threshold(half, 0.1) == pytest.approx(0.08), "0.1 of (49 + 1) less 1 is 4: eight halves"


# ---------------------------------------------------------------- what it does


def looks(pairs: Sequence[tuple[float | None, float]]) -> list[list[Any]]:
    return [[f"e{place:03}", "text", score, mark] for place, (mark, score) in enumerate(pairs)]


def rows(pairs: Sequence[tuple[float | None, float]]) -> list[Row]:
    found = []
    for place, (mark, score) in enumerate(pairs):
        outcome: Outcome = Failure(kind="refused", message="no")
        if mark is not None:
            outcome = Prediction(text="refund", probabilities={"refund": mark, "cancel": 1 - mark})
        found.append(Row(candidate="c", purpose="heldout", key=f"h{place:03}", outcome=outcome, score=score))
    return found


def drawn(seed: int, count: int) -> list[tuple[float | None, float]]:
    """Answers that are right as often as they are sure."""
    dice = random.Random(seed)
    return [(mark, float(dice.random() < mark)) for mark in (dice.uniform(0.5, 1.0) for _ in range(count))]


def guarded(benchmark: Benchmark, looked: list[list[Any]], asked_rows: list[Row]) -> Guard:
    found = guard(benchmark, looked, asked_rows)
    assert found is not None
    return found


def test_what_is_held_back_is_counted_on_the_held_out_cases() -> None:
    new = drawn(2, 200)
    found = guarded(benchmark_of(cases=200), looks(drawn(1, 200)), rows(new))
    assert [held.at_most for held in found.held] == [0.0, 0.05, 0.1, 0.2, 0.3]
    assert (found.says, found.cases, found.unanswerable) == ("I do not know.", 200, 0)
    for held in found.held:
        kept = [score for mark, score in new if mark is not None and mark >= held.threshold]
        right, wrong = sum(score for _, score in new), sum(1 - score for _, score in new)
        assert held.answered == len(kept)
        assert held.figure == pytest.approx(sum(kept) / len(kept))
        assert held.lower < held.figure < held.upper
        assert held.lower == FIXED.lower(kept, [""] * len(kept), 0.025 / 5), "five thresholds share the error"
        assert held.lost == pytest.approx((right - sum(kept)) / right)
        assert held.stopped == pytest.approx((wrong - len(kept) + sum(kept)) / wrong)
        assert held.overall == pytest.approx(sum(kept) / 200)
        assert held.wrongly_refused == 200 - len(kept)
    nothing, *more = found.held
    assert (nothing.threshold, nothing.answered, nothing.lost, nothing.stopped) == (0.0, 200, 0.0, 0.0)
    assert [held.threshold for held in more] == sorted(held.threshold for held in more)
    assert more[-1].figure > nothing.figure + 0.03, "it knows what it does not know"


def test_where_nothing_was_wrong_no_share_of_it_is_held_back() -> None:
    """It said that 0 % of the wrong ones are held back, of none."""
    new = [(mark, 1.0) for mark, _ in drawn(2, 200)]
    found = guarded(benchmark_of(cases=200), looks(drawn(1, 200)), rows(new))
    held = found.held[1]
    assert (held.stopped, found.held[0].stopped) == (None, None)
    assert held.lost is not None
    assert held_back(found, held, "were") == "none of its answers was wrong without that"
    assert guard_cells(found, COLUMNS[False]) == ("-", percent(held.lost))
    told = "\n".join(guard_card(found))
    assert f"| 0.05 | {held.answered} of 200 | 100 % |" in told
    assert "| - | " in told


def test_an_answer_as_sure_as_the_threshold_is_given_and_cases_of_a_group_count_as_one() -> None:
    pairs = [(0.9, 1.0)] * 60 + [(0.2, 0.0)] * 40
    groups = [f"g{place // 6}" for place in range(100)]
    alone, together = (
        guarded(benchmark_of(cases=100, groups=known), looks(pairs), rows(pairs)).held[-1] for known in ((), groups)
    )
    assert (alone.threshold, alone.answered, together.answered) == (0.9, 60, 60)
    assert together.lower < alone.lower - 0.1


def test_what_is_expected_is_told_by_thresholds_of_other_cases() -> None:
    """Of marks that mean nothing, the cases that a threshold is set on would flatter it."""
    dice, flattered, honest = random.Random(3), 0.0, 0.0
    for _ in range(60):
        pairs = [(dice.random(), float(dice.random() < 0.5)) for _ in range(60)]
        found = guard(benchmark_of(cases=100), looks(pairs), rows(drawn(4, 100)))
        if found is None or len(found.held) < 5:
            continue
        held = found.held[-1]
        kept = [score for mark, score in pairs if mark >= held.threshold]
        assert held.expected_figure is not None
        honest += held.expected_figure - 0.5
        flattered += sum(kept) / len(kept) - 0.5
    assert abs(honest) < flattered


def test_nothing_is_said_where_nothing_is_known() -> None:
    benchmark, looked, new = benchmark_of(cases=200), looks(drawn(1, 200)), rows(drawn(2, 200))
    assert guard(benchmark, looked, new) is not None
    assert guard(benchmark, looks(drawn(1, 19)), new) is None, "too few"
    assert guard(benchmark, [row[:3] for row in looked], new) is None, "as runs of before have them"
    assert guard(benchmark, [[*row[:3], None] for row in looked], new) is None
    assert guard(benchmark, looked, rows([(None, 0.0)] * 200)) is None
    assert guard(benchmark, looked, rows([*drawn(2, 180), *([(None, 0.0)] * 20)])) is None, "of a tenth it is not known"
    assert guard(benchmark, looks([(mark, 0.0) for mark, _ in drawn(1, 200)]), new) is None, "nothing right to lose"
    assert guard(replace(benchmark, sequential=True), looked, new) is None


def test_of_a_metric_over_rows_single_answers_are_held_back() -> None:
    """A rare label is what people ask F1 of, and where an answer that is none is better than a wrong one."""
    benchmark, looked, new = benchmark_of(cases=200), looks(drawn(1, 200)), rows(drawn(2, 200))
    found = guarded(replace(benchmark, metric=PlainMetric(over_rows=True)), looked, new)
    assert found == replace(guarded(benchmark, looked, new), over_rows=True)
    assert any("| right of these |" in line for line in guard_card(found))


def test_the_card_of_an_export_shows_what_the_selection_cases_let_expect() -> None:
    """The documentation said so, and the card told what was counted alone."""
    strict = replace(GUARD.held[1], expected_answered=0.85, expected_figure=0.84)
    card = guard_card(replace(GUARD, held=(GUARD.held[0], strict)))
    assert "| 0.05 | 260 of 300 | 88 % | 83 to 92 % | 40 % | 4 % | 85 % | 84 % |" in card
    assert any(line.endswith("| right ones lost | expected to answer | expected of these |") for line in card)


def test_a_failure_is_no_answer_under_any_threshold() -> None:
    new = [*drawn(2, 196), *([(None, 0.0)] * 4)]
    found = guarded(benchmark_of(cases=200), looks(drawn(1, 200)), rows(new))
    assert found.held[0].answered == 196
    assert found.held[0].stopped == 0.0, "it was never said"


# ---------------------------------------------------------------- questions that have no answer


def with_refusals() -> Benchmark:
    """40 of 120 examples and 30 of 90 held-out cases have no answer, and name no document."""
    base = task_of(kind="qa", documents=("Pay is 40 euros.",))

    def case(name: str, place: int) -> Case:
        blank = place % 3 == 0
        output, source = (NOWHERE, ()) if blank else (f"{place} euros", ("d0",))
        return Case(id=f"{name}{place:03}", input=f"{name} {place}", output=output, document_ids=source)

    examples = tuple(case("e", place) for place in range(120))
    fold = replace(base.folds[0], train=examples[:60], selection=examples[60:])
    task = replace(base, folds=(fold,))
    return replace(benchmark_of(cases=90, task=task), heldout=tuple(case("h", place) for place in range(90)))


def answered(case: Case, mark: float, right: bool, refuses: bool = False) -> Row:
    text = NOWHERE if refuses else case.output if right else "1 euro"
    near = (Evidence(document_id="d0", text="", score=0.9),)
    outcome = Prediction(text=text, certainty=mark, evidence=near)
    return Row(candidate="c", purpose="heldout", key=case.id, outcome=outcome, score=float(text == case.output))


def test_the_refusal_is_what_examples_say_that_name_no_document() -> None:
    task = with_refusals().task
    assert refusals(task) == (NOWHERE,)
    fold = task.folds[0]
    named = tuple(replace(case, document_ids=("d0",)) for case in (*fold.train, *fold.selection))
    assert refusals(replace(task, folds=(replace(fold, train=named, selection=()),))) == (), "a frequent answer"
    assert refusals(replace(task, kind="extraction")) == ()
    unnamed = tuple(replace(case, document_ids=()) for case in named)
    assert refusals(replace(task, folds=(replace(fold, train=unnamed, selection=()),))) == (), "nobody names any"


def test_what_a_key_accepts_beside_a_refusal_is_silence_too() -> None:
    key = Case(id="a", input="?", output=NOWHERE, answers=(NOWHERE, "n/a"))
    said = [
        _asked(0.9, 1.0, {plain(NOWHERE)}, (text, case))
        for text, case in (("N/A", key), ("40", key), ("n/a", replace(key, output="n/a", answers=())))
    ]
    assert [(one.silence, one.silent) for one in said] == [(1.0, True), (1.0, False), (0.0, False)]


def test_to_hold_back_is_right_where_there_is_no_answer() -> None:
    """Unanswerable questions are answered unsurely, 5 are refused already; a tenth of the others is unsure, too."""
    benchmark = with_refusals()
    looked = []
    for place, case in enumerate(benchmark.task.examples):
        blank, unsure = case.output == NOWHERE, place % 10 == 1
        right = not blank
        mark = 0.2 + place / 10_000 if blank or unsure else 0.8 + place / 10_000
        looked.append([case.id, case.output if right else "1 euro", float(right), mark])
    new = []
    for place, case in enumerate(benchmark.heldout):
        blank = case.output == NOWHERE
        mark = 0.2 if blank or place % 10 == 1 else 0.9
        new.append(answered(case, mark, right=not blank, refuses=blank and place < 15))
    found = guarded(benchmark, looked, new)
    assert (found.says, found.unanswerable) == (NOWHERE, 30)
    nothing, held = found.held[0], found.held[-1]
    assert (nothing.refused, nothing.wrongly_refused, nothing.answered) == (5, 0, 85)
    assert nothing.expected_answered == 1.0, "of 120 selection cases"
    assert nothing.expected_figure == pytest.approx(80 / 120)
    assert nothing.overall == pytest.approx((60 + 5) / 90)
    assert held.threshold > 0.7
    others = sum(case.output != NOWHERE for case in benchmark.heldout[1::10])
    assert (held.refused, held.wrongly_refused, held.answered) == (30, others, 60 - others)
    assert held.figure == 1.0
    assert held.overall == pytest.approx((60 - others + 30) / 90)
    assert held.stopped == 1.0
    assert held.lost == pytest.approx(others / 60)
    assert guard_cells(found, ("a", "b", "c", "d"))[2:] == (
        f"{found.held[1].refused} of 30",
        f"{found.held[1].wrongly_refused} of 60",
    )


def test_a_refusal_in_other_words_is_silence_and_a_key_in_other_words_says_that_there_is_no_answer() -> None:
    """Every second key says it otherwise; of the refusals that are given, too, half are."""
    first, wordings = with_refusals(), (NOWHERE, "it does not say")

    def reworded(cases: Sequence[Case]) -> tuple[Case, ...]:
        blank = [case.id for case in cases if not case.document_ids]
        return tuple(
            case if case.document_ids else replace(case, output=wordings[blank.index(case.id) % 2]) for case in cases
        )

    (fold,) = first.task.folds
    fold = replace(fold, train=reworded(fold.train), selection=reworded(fold.selection))
    benchmark = replace(first, task=replace(first.task, folds=(fold,)), heldout=reworded(first.heldout))
    assert set(refusals(benchmark.task)) == set(wordings)
    looked = [
        [case.id, case.output, 1.0, 0.8 + place / 10_000] if case.document_ids else [case.id, "1 euro", 0.0, 0.2]
        for place, case in enumerate(benchmark.task.examples)
    ]
    blank = [case for case in benchmark.heldout if not case.document_ids]
    refused = [replace(answered(case, 0.9, right=True), score=1.0) for case in blank[:6]]
    made_up = [answered(case, 0.2, right=False) for case in blank[6:]]
    known = [answered(case, 0.9, right=True) for case in benchmark.heldout if case.document_ids]
    nothing, *_, held = guarded(benchmark, looked, [*refused, *made_up, *known]).held
    assert (nothing.answered, nothing.refused, nothing.wrongly_refused) == (84, 6, 0)
    assert (held.answered, held.refused, held.wrongly_refused, held.overall) == (60, 30, 0, 1.0)
    assert guarded(benchmark, looked, [*refused, *made_up, *known]).unanswerable == 30


# ---------------------------------------------------------------- where it is told, and who obeys


def held(at_most: float, threshold: float, answered: int, figure: float) -> Held:
    return Held(
        at_most=at_most,
        threshold=threshold,
        answered=answered,
        figure=figure,
        lower=figure - 0.05,
        upper=figure + 0.04,
        lost=at_most * 0.8,
        stopped=at_most * 8,
        overall=answered * figure / 300,
        expected_answered=answered / 300,
        expected_figure=figure,
        refused=0,
        wrongly_refused=300 - answered,
    )


GUARD = Guard(
    says="I do not know.",
    cases=300,
    unanswerable=0,
    held=(held(0.0, 0.0, 300, 0.82), held(0.05, 0.6, 260, 0.88), held(0.1, 0.75, 220, 0.93)),
)


def test_the_story_says_what_it_costs_and_saves() -> None:
    evaluations = (
        replace(evaluation_of("lora", scores_of(246, 300)), guard=GUARD),
        evaluation_of("majority", scores_of(30, 300)),
    )
    verdict = Bakeoff(evaluations=evaluations, benchmark=benchmark_of(target=0.7)).told()
    (step,) = (step for step in verdict.story.next_steps if "--guard" in step)
    assert step == (
        "If giving no answer is better than giving a wrong one, let lora say that it does not know when it is unsure (`advisor "
        "predict RUN new.csv --guard 0.05`): of 300 held-out cases it then answers 260, 88 % of them right (83 to 92 %); 40 % of "
        "the wrong answers are held back, and 4 % of the right ones."
    )
    facts = next(each for each in verdict.story.facts["candidates"] if each["name"] == "lora")
    assert facts["guard"]["held"][1]["threshold"] == 0.6
    assert json.loads(json.dumps(facts["guard"]))["says"] == "I do not know."
    assert as_fact(replace(GUARD, says=NOWHERE)) == {**as_fact(GUARD), "says": None}, "an answer of examples"
    useless = replace(GUARD, held=(GUARD.held[0], replace(GUARD.held[1], stopped=0.2)))
    weak = (replace(evaluations[0], guard=useless), evaluations[1])
    told = Bakeoff(evaluations=weak, benchmark=benchmark_of(target=0.7)).told()
    assert not any("--guard" in step for step in told.story.next_steps)
    missed = Bakeoff(evaluations=evaluations, benchmark=benchmark_of(target=0.95)).told()
    (step,) = (step for step in missed.story.next_steps if "--guard" in step)
    assert "`advisor predict RUN new.csv --candidate lora --guard 0.05`" in step, (
        "a run that recommends nobody wants a name"
    )


def test_of_answers_that_are_partly_right_points_are_told_and_not_answers(tmp_path: Path) -> None:
    """By chrF no answer is right here, and so none of the right ones can be lost."""
    benchmark = replace(benchmark_of(cases=200, target=0.5), metric=load("chrf"))
    pairs = [(mark, 0.6 * score) for mark, score in drawn(2, 200) if mark is not None]
    counted = guarded(benchmark, looks(pairs), rows(pairs))
    assert counted.graded
    found = replace(GUARD, graded=True)
    evaluation = replace(
        evaluation_of("lora", [score for _, score in pairs]),
        guard=found,
        coverage=Coverage(shares=(1.0,), figures=(0.5,), order=0.7),
    )
    verdict = Bakeoff(evaluations=(evaluation,), benchmark=benchmark).told()
    (step,) = (step for step in verdict.story.next_steps if "--guard" in step)
    clause = "40 % of the points that answers lack of a full score are held back, and 4 % of those that they score"
    assert step.endswith(f"88 % on average (83 to 92 %); {clause}.")
    assert verdict.story.coverage.columns[-2:] == ("lacking points held back", "scored points lost")
    assert "to lose few scored points, 5 % where" in verdict.story.coverage.note
    assert in_place_of_unsure(Guarded(guard=found, held=found.held[1], wrong=wrong_form(ANY))).endswith(
        f"it then answered 260; {clause.replace(' are ', ' were ')}"
    )
    (tmp_path / "parts" / "0").mkdir(parents=True)
    text = card(verdict, "lora", tmp_path)
    assert "at most 5 % or 10 % of the points that answers score are lost; this is" in text
    assert "| 95 % interval | lacking points held back | scored points lost |" in text
    told = (*verdict.story.next_steps, verdict.story.coverage.note, text)
    assert not any("right ones" in each or "right answers" in each for each in told)


def test_the_card_of_an_export_has_every_threshold(tmp_path: Path) -> None:
    evaluation = replace(evaluation_of("lora", scores_of(246, 300)), guard=GUARD)
    verdict = Bakeoff(evaluations=(evaluation,), benchmark=benchmark_of(target=0.7)).told()
    (tmp_path / "parts" / "0").mkdir(parents=True)
    text = card(verdict, "lora", tmp_path)
    assert 'say "I do not know." in place of an answer of which it is unsure' in text
    assert (
        "so that at most 5 % or 10 % of the right answers are lost; this is what they did on the held-out cases:"
        in text
    )
    assert "| without | 300 of 300 | 82 % | 77 to 86 % | 0 % | 0 % |" in text
    assert "| 0.05 | 260 of 300 | 88 % | 83 to 92 % | 40 % | 4 % |" in text
    assert "| 0.1 | 220 of 300 | 93 % | 88 to 97 % | 80 % | 8 % |" in text


class Says:
    """Answers with what it is asked for: the answer, and how sure."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            text, _, sure = query.input.partition("|")
            yield query.key, Prediction(text=text, certainty=float(sure) if sure else None)

    def save(self, folder: Path) -> None: ...

    def describe(self) -> Mapping[str, Any]:
        return {}


def test_what_is_unsure_is_held_back_and_a_failure_stays_one() -> None:
    known = Answerer(name="lora", parts=(Says(),), sampling=Sampling(), form=ANY, guard=GUARD)
    chosen = known.guarded(0.05)
    found = [chosen.holds_back(outcome) for _, outcome in known.answers(["a|0.59999", "b|0.6", "c|0.99", "d|"])]
    assert found == [True, False, False, True]
    assert not chosen.holds_back(Failure(kind="refused", message="no"))
    assert in_place_of_unsure(chosen) == (
        'below a sureness of 0.6 the answer is "I do not know.": of 300 held-out cases it then answered 260; 40 % of the wrong '
        "answers were held back, and 4 % of the right ones"
    )
    with pytest.raises(BadInput, match=r"--guard is 0\.2; what was measured for lora is 0\.05 and 0\.1\. Take one"):
        known.guarded(0.2)
    with pytest.raises(BadInput, match="does not say how sure it is, or too few of its selection answers are right"):
        replace(known, guard=None).guarded(0.05)


ANY: dict[str, Any] = {"kind": "qa", "labels": [], "schema": None}
FIELDS = {
    "type": "object",
    "properties": {"sku": {"type": "string"}},
    "required": ["sku"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("form", "said", "problem"),
    [
        ({"kind": "classification", "labels": ["Refund", "cancel"], "schema": None}, "refund ", ""),
        ({"kind": "classification", "labels": ["Refund", "cancel"], "schema": None}, "money", "outside the labels"),
        ({"kind": "extraction", "labels": [], "schema": FIELDS}, '{"sku": "A"}', ""),
        ({"kind": "extraction", "labels": [], "schema": FIELDS}, '{"sku": "A', "not of the schema"),
        (ANY, "money", ""),
    ],
)
def test_an_answer_that_the_task_does_not_allow_is_held_back_however_sure_it_is(
    form: dict[str, Any], said: str, problem: str
) -> None:
    """A server may write any, and be sure of it."""
    chosen = Answerer(name="lora", parts=(Says(),), sampling=Sampling(), guard=GUARD, form=form).guarded(0.05)
    outcome = Prediction(text=said, certainty=0.99)
    assert (chosen.holds_back(outcome), chosen.problem(outcome)) == (bool(problem), problem)
    given = {"answer": said, "sure": 0.99, "alone": True}
    held = {"answer": "?", "held_back": True, "sure": 0.99, "alone": False, "problem": problem}
    named = {"id": 7, "input": "q"}
    if problem:
        assert _held_back({**named, **given}, "?", problem) == {**named, **held}
    shown = reading.Shown((0.6, "?"), reading.wrong_form(form), alone_from=0.7)
    assert shown.line(lambda _: alone.Said(said, 0.99), "q") == (held if problem else given)


def test_forms_alone_are_held_back_where_there_is_no_threshold() -> None:
    form = {"kind": "classification", "labels": ["refund", "cancel"], "schema": None}
    plain = Answerer(name="lora", parts=(Says(),), sampling=Sampling(), form=form)
    with pytest.raises(
        BadInput, match="or name another --candidate; --guard 0 holds back only what the task does not allow"
    ):
        plain.guarded(0.05)
    forms = plain.guarded(0.0)
    found = [forms.holds_back(outcome) for _, outcome in plain.answers(["refund|0.01", "cancel", "money|0.99"])]
    assert found == [False, False, True]
    assert in_place_of_unsure(forms) == (
        'in place of an answer that the task does not allow stands "I do not know."; nothing else is held back'
    )
    measured = replace(plain, guard=GUARD).guarded(0.0)
    assert (measured.says, measured.held) == (GUARD.says, None)
    with pytest.raises(BadInput, match="Leave --guard out, or name another --candidate\\."):
        replace(plain, form=ANY).guarded(0.0)
    written = {"kind": "generation", "labels": [], "schema": FIELDS}
    with pytest.raises(BadInput, match="Leave --guard out, or name another --candidate\\."):
        replace(plain, form=written).guarded(0.0)
    evaluation = replace(
        evaluation_of("lora", scores_of(246, 300)), failures={"outside the labels": 12, "truncated": 3}
    )
    (said, _) = forms_card(evaluation)
    assert said == (
        "Wrong in 300 held-out cases and no answer that the task allows: 12 outside the labels. With `--guard 0`, `advisor "
        'predict` says "I do not know." in place of answers of such a form.'
    )
    assert forms_card(replace(evaluation, failures={"truncated": 3})) == []


def test_an_export_keeps_its_guard_and_its_form(tmp_path: Path) -> None:
    kept: dict[str, Any] = {
        "spec": {},
        "candidates": {},
        "cascades": {},
        "weights": {},
        "dtype": None,
        "sampling": {},
        "searches": {},
        "form": ANY,
        "default": "lora",
    }
    (tmp_path / "parts").mkdir()

    def opened(**more: Any) -> Kept:
        values = {"files": {}, "places": {}, "kept": {**kept, **more}}
        (tmp_path / "export.json").write_text(json.dumps(values), encoding="utf-8")
        return Kept.of(tmp_path)

    assert opened().guards == {}
    assert opened().form == ANY
    for other in ({**ANY, "labels": "ab"}, {}):
        with pytest.raises(BadInput, match="is not what an export holds"):
            opened(form=other)
    again = opened(guards={"lora": asdict(GUARD)}).guards["lora"]
    assert again == json.loads(json.dumps(asdict(GUARD)))


def test_the_program_of_an_export_takes_the_same_thresholds(tmp_path: Path) -> None:
    values = {"kept": {"default": "lora", "guards": {"lora": asdict(GUARD)}}}
    (tmp_path / "export.json").write_text(json.dumps(values), encoding="utf-8")
    assert alone.guard(tmp_path, 0.1) == (0.75, "I do not know.")
    with pytest.raises(SystemExit, match=r"--guard is 0\.2; measured here: 0\.05, 0\.1\."):
        alone.guard(tmp_path, 0.2)
    with pytest.raises(SystemExit, match="--guard is 0; measured here"):
        alone.guard(tmp_path, 0.0)
    values["kept"]["form"] = {"kind": "classification", "labels": ["a", "b"], "schema": None}
    (tmp_path / "export.json").write_text(json.dumps(values), encoding="utf-8")
    assert alone.guard(tmp_path, 0.0) == (-math.inf, "I do not know."), "only forms are held back"
    (tmp_path / "export.json").write_text(json.dumps({"kept": {"default": "lora"}}), encoding="utf-8")
    with pytest.raises(SystemExit, match="measured here: nothing"):
        alone.guard(tmp_path, 0.05)
