"""A cascade of two, made of stored rows: which two, from which sureness on, and what its rows, costs and times are."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from advisor.deploy.answering import Answerer
from advisor.probes.grounded import who_else_speaks
from advisor.story.setups import told
from benchmarks.contract import Answered, Candidate, Evaluation, State
from benchmarks.costs.dearer import Dearer, Price
from benchmarks.evaluation.cascade import DERIVED, Stage, add_cascade, best_cascade, stages
from benchmarks.evaluation.cascade_checks import planted_in
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.evaluation.noted_scores import looked_at, selection_figure
from benchmarks.evaluation.stored import evaluations, rescored
from benchmarks.metrics import load as load_metric
from benchmarks.probes.consistency import probe_cases
from benchmarks.probes.planted import QUOTED, sentence, wanted
from benchmarks.running.deadline import TimeUp
from benchmarks.running.plan import Further, Options, Unit
from benchmarks.running.run import Run
from benchmarks.running.scheduler import NullEvents, Rules
from benchmarks.specs.spec_models import ModelSpec
from benchmarks.storage.store import Store, UnitResult
from strategies.answers import sureness
from strategies.approaches.linear_head import LinearHead
from strategies.contract import (
    Case,
    Document,
    Evidence,
    Failure,
    Fold,
    Outcome,
    Prediction,
    Prompt,
    Query,
    Sampling,
    Task,
    Usage,
    Workbench,
)
from tests import tiny


@dataclass(frozen=True, kw_only=True)
class Named:
    """Stands for a strategy whose place in the order of simplicity is all that matters here."""

    name: str
    simplicity: int
    family: str = "reference"


def stage(name: str, simplicity: int, rows: Mapping[str, tuple[float, float | None]], model: str = "") -> Stage:
    strategy: Any = Named(name=name, simplicity=simplicity)
    return Stage(candidate=Candidate(name=name, strategy=strategy, model=model), answers=rows)


def answers(right: Sequence[float], sure: Sequence[float | None]) -> dict[str, tuple[float, float | None]]:
    return {f"c{place:02}": pair for place, pair in enumerate(zip(right, sure, strict=True))}


CHEAP = answers([1.0] * 30 + [0.0] * 10, [0.9] * 30 + [0.2] * 10)
"""Right where it is sure."""
DEAR = answers([0.0] * 5 + [1.0] * 35, [0.5] * 40)
"""Right also where the cheap one is not, wrong in some where that is right."""


def test_what_is_not_sure_is_handed_on() -> None:
    found = best_cascade([stage("cheap", 1, CHEAP), stage("dear", 2, DEAR)])
    assert found is not None
    assert found.name == "dear after cheap"
    assert (found.score, found.handed_on, found.cases) == (1.0, 0.25, 40)
    assert found.passes(0.2)
    assert found.passes(None)
    assert not found.passes(0.9)


def test_a_selection_answer_that_was_lost_is_handed_on() -> None:
    for lost, made in ((2, True), (3, False)):
        some = {case: (0.0, None) if place < lost else pair for place, (case, pair) in enumerate(CHEAP.items())}
        found = best_cascade([stage("cheap", 1, some), stage("dear", 2, BEST)])
        assert (found is not None) == made, "one in twenty may say nothing"
        assert found is None or (found.score, found.handed_on) == (1.0, 0.25 + lost / 40)


def test_only_cases_that_both_answered_count() -> None:
    later = dict(list(DEAR.items())[5:])
    found = best_cascade([stage("cheap", 1, CHEAP), stage("dear", 2, later)])
    assert found is not None
    assert (found.score, found.cases, found.handed_on) == (1.0, 35, 10 / 35)
    assert found.alone == (25 / 35, 1.0)


def test_what_copies_fields_says_how_sure_it_is_and_can_begin_a_cascade(tmp_path: Path) -> None:
    fitted = LinearHead().fit(tiny.benchmark("extraction", examples=60).task, tiny.Bench(folder=tmp_path))
    rows = {case: (score, sure) for case, _, score, sure in fitted.describe()["selection_answers"]}
    assert all(0 < sure <= 1 for _, sure in rows.values())
    found = best_cascade(
        [stage("linear head", 3, rows), stage("dear", 5, dict.fromkeys(rows, (1.0, None)))], target=0.9
    )
    assert found is not None
    assert found.first.name == "linear head"


MIXED = answers([1.0] * 20 + [0.0] * 20, [0.9] * 20 + [0.04 * step for step in range(20)])
"""Right in half of the cases, and sure of these."""
BEST = answers([1.0] * 40, [0.5] * 40)


def test_where_a_target_is_reached_as_few_as_possible_are_handed_on() -> None:
    parts = [stage("cheap", 1, MIXED), stage("dear", 2, BEST)]
    whole, enough = best_cascade(parts), best_cascade(parts, target=0.7)
    assert whole is not None
    assert enough is not None
    assert (whole.score, whole.handed_on) == (1.0, 0.5)
    assert enough.least >= 0.7
    assert 0.25 < enough.handed_on < whole.handed_on
    less = best_cascade(parts, target=0.6)
    assert less is not None
    assert less.handed_on < enough.handed_on


def test_where_something_simpler_is_enough_nothing_is_handed_on_to_what_is_not() -> None:
    parts = [stage("cheap", 1, MIXED), stage("dear", 3, BEST)]
    good = stage("good", 2, answers([1.0] * 32 + [0.0] * 8, [None] * 40))
    found = best_cascade([*parts, good], target=0.7)
    assert found is not None
    assert found.name == "good after cheap", "which is cheaper than the good one alone"
    assert best_cascade([*parts, good], target=0.85) == best_cascade(parts, target=0.85)
    simplest = stage("simplest", 0, answers([1.0] * 32 + [0.0] * 8, [None] * 40))
    assert best_cascade([*parts, simplest], target=0.7) == best_cascade(parts)


def test_as_few_as_possible_are_handed_on_whoever_gets_them() -> None:
    """Not to the simpler one of two, which is wrong where the first is least sure and so gets more of them."""
    middle = answers([1.0] * 8 + [0.0] * 16 + [1.0] * 16, [None] * 40)
    parts = [stage("cheap", 1, MIXED), stage("middle", 2, middle), stage("dear", 3, BEST)]
    weaker, found = best_cascade(parts[:2], target=0.7), best_cascade(parts, target=0.7)
    assert weaker is not None
    assert found is not None
    assert weaker.least >= 0.7
    assert (found.name, found.handed_on < weaker.handed_on) == ("dear after cheap", True)


def test_where_the_first_is_enough_or_nothing_is_the_best_is_taken() -> None:
    parts = [stage("cheap", 1, MIXED), stage("dear", 2, BEST)]
    assert best_cascade(parts, target=0.5) == best_cascade(parts)
    weak = [stage("cheap", 1, MIXED), stage("dear", 2, answers([1.0] * 20 + [0.0, 1.0] * 10, [0.5] * 40))]
    assert best_cascade(weak, target=0.9) == best_cascade(weak)


@pytest.mark.parametrize(
    ("cheap", "dear", "why"),
    [
        (answers([1.0] * 40, [0.5] * 40), DEAR, "nothing can be gained"),
        (answers([0.0] * 40, [0.1 * (place % 10) for place in range(40)]), DEAR, "all would have to be handed on"),
        (answers([1.0] * 30 + [0.0] * 10, [None] * 40), DEAR, "it cannot say how sure it is"),
        (answers([1.0] * 10 + [0.0] * 10, [0.9] * 10 + [0.2] * 10), DEAR, "too few cases"),
    ],
)
def test_a_cascade_that_is_not_better_than_its_parts_is_none(
    cheap: Mapping[str, tuple[float, float | None]], dear: Mapping[str, tuple[float, float | None]], why: str
) -> None:
    assert best_cascade([stage("cheap", 1, cheap), stage("dear", 2, dear)]) is None, why


def test_the_simpler_comes_first_and_one_bill_holds_both() -> None:
    hosted = stage("cheap", 1, CHEAP, model="hosted")
    assert best_cascade([hosted, stage("dear", 2, DEAR, model="here")]) is None
    assert best_cascade([hosted, stage("dear", 2, DEAR, model="hosted")]) is not None


PRICES: Mapping[str, Price] = {"small": ("bytes", (1.0,)), "large": ("bytes", (4.0,)), "cheap": ("USD", (1.0, 2.0))}
BESIDE = Dearer(prices=PRICES, by_tokens=frozenset({"cheap", "unpriced"}))


@pytest.mark.parametrize(
    ("first", "second", "made"),
    [
        ("small", "large", True),
        ("large", "small", False),
        ("small", "cheap", True),
        ("small", "unpriced", True),
        ("cheap", "large", False),
        ("cheap", "unpriced", False),
        ("small", "nobody knows", False),
    ],
)
def test_of_two_models_the_one_that_is_known_to_cost_less_comes_first(first: str, second: str, made: bool) -> None:
    """However simple the approaches are: a tuned small model may hand on to a prompt of a large one."""
    parts = [stage("tuned", 6, CHEAP, model=first), stage("prompt", 4, DEAR, model=second)]
    found = best_cascade(parts, dearer=BESIDE)
    assert (found is not None) == made
    assert found is None or found.name == "prompt after tuned"


def test_where_a_cheaper_model_reaches_the_target_nothing_is_handed_on_to_a_dearer_one() -> None:
    """Neither by a cascade that would hand on less to it, nor where that model reaches the target alone."""
    lora = stage("lora", 6, answers([1.0] * 8 + [0.0] * 16 + [1.0] * 16, [None] * 40), model="small")
    parts = [stage("cheap", 1, MIXED), stage("dear", 4, BEST, model="large"), lora]
    found = best_cascade(parts, 0.7, BESIDE)
    assert found is not None
    assert found.name == "lora after cheap"
    unordered = best_cascade(parts, 0.7)
    assert unordered is not None
    assert unordered.handed_on < found.handed_on
    enough = stage("enough", 7, answers([1.0] * 32 + [0.0] * 8, [None] * 40), model="small")
    only = best_cascade([*parts[:2], enough], 0.7, BESIDE)
    assert only is not None
    assert only.name == "enough after cheap"


def test_of_two_as_simple_neither_comes_first_and_of_cascades_as_good_the_one_that_hands_on_least_is_taken() -> None:
    assert best_cascade([stage("cheap", 2, CHEAP), stage("dear", 2, DEAR)]) is None
    few = answers([0.0] * 4 + [1.0] * 36, [place / 100 for place in range(40)])
    found = best_cascade([stage("cheap", 1, few), stage("dear", 2, BEST)])
    assert found is not None
    assert (found.score, found.handed_on) == (1.0, 0.1)
    partly = {**CHEAP, **dict.fromkeys(("c00", "c01", "c02"), (1.0, None))}
    assert best_cascade([stage("cheap", 1, partly), stage("dear", 2, DEAR)]) is None, (
        "of more than one in twenty not known"
    )


def test_how_sure_an_answer_is() -> None:
    near = Evidence(document_id="d", text="t", score=0.4)
    assert sureness(Prediction(text="a", probabilities={"a": 0.7, "b": 0.3}, evidence=(near,))) == 0.7
    assert sureness(Prediction(text="a", evidence=(near,))) == 0.4
    assert sureness(Prediction(text="a")) is None
    assert sureness(Failure(kind="refused", message="no")) is None


@pytest.mark.parametrize(
    ("below", "said"), [(0.4219, "0.42"), (0.00432, "0.0043"), (0.9961, "0.996"), (0.99999, "0.99999"), (1.0, "1")]
)
def test_it_is_told_in_words(below: float, said: str) -> None:
    """A threshold just below 1 hands few answers on; rounded to 1 it seemed to hand on nearly all."""
    assert told({"first": "linear head", "second": "lora", "below": below}) == (
        f"lora where linear head is less than {said} sure"
    )


# ---------------------------------------------------------------- in a run


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Answers messages of known notes: right or wrong, and more or less sure, by the number in the text."""

    name: str
    simplicity: int
    wrong_at: int
    """Of eight notes in a row, the one that it gets wrong; there it is not sure."""
    seconds: float
    spends: str = ""
    """A model, of which each request takes 7 tokens."""
    family: ClassVar[str] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Rung:
        bench.record(Usage(model="rung", step="index", seconds=self.seconds))
        return self

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        labels = tuple(tiny.TOPICS)
        for query in queries:
            number = int(re.findall(r"[0-9]+", query.input)[-1])
            right = number % 8 != self.wrong_at
            label, share = labels[(number if right else number + 1) % 4], 0.9 if right else 0.4
            spread = {each: share if each == label else (1 - share) / 3 for each in labels}
            usage = Usage(
                model=self.spends or "rung",
                step="answering",
                seconds=self.seconds,
                prompt_tokens=7 * bool(self.spends),
            )
            yield query.key, Prediction(text=label, probabilities=spread, usage=(usage,))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)

    def load(self, folder: Path, bench: Workbench) -> Rung:
        return self

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def describe(self) -> Mapping[str, Any]:
        return {}


QUICK = Rung(name="quick", simplicity=1, wrong_at=3, seconds=0.01)
CAREFUL = Rung(name="careful", simplicity=2, wrong_at=5, seconds=1.0)


def run(folder: Path) -> Run:
    rungs: list[Any] = [QUICK, CAREFUL]
    return Run(
        benchmark=tiny.benchmark(examples=80, heldout=40),
        candidates=[Candidate(name=each.name, strategy=each, model="") for each in rungs],
        models=tiny.models(folder),
        options=Options(),
        folder=folder,
    )


def evaluated(done: Run, models: Mapping[str, str] | None = None) -> dict[str, Evaluation]:
    planned = [
        {
            "name": each.name,
            "approach": each.name,
            "family": "reference",
            "model": (models or {}).get(each.name, ""),
            "simplicity": each.simplicity,
        }
        for each in (QUICK, CAREFUL)
    ]
    with closing(Store(done.folder / "run.sqlite")) as store:
        return {found.candidate: found for found in evaluations(done.benchmark, planned, store)}


def test_in_a_run_it_stands_beside_its_parts(tmp_path: Path) -> None:
    done = run(tmp_path / "run")
    done.execute()
    found = evaluated(done)
    both = found["careful after quick"]
    assert (found["quick"].figure, found["careful"].figure, both.figure) == (0.875, 0.875, 1.0)
    assert both.selection_score == 1.0
    assert (both.approach, both.family, both.simplicity) == ("cascade", "reference", 3)
    assert both.answering is not None
    assert both.answering.seconds == pytest.approx(40 * 0.01 + 5 * 1.0)
    assert both.fitting == (*found["quick"].fitting, *found["careful"].fitting)
    assert {check.name for check in both.agreements} == {"edits", "repeats"}
    assert both.latency is not None
    assert both.latency.requests == found["quick"].latency.requests  # type: ignore[union-attr]  # both were timed
    with closing(Store(done.folder / "run.sqlite")) as store:
        noted = store.notes("latency")
    seconds = [noted[name]["seconds"] for name in ("quick", "careful", "careful after quick")]
    timed = [int(re.findall(r"[0-9]+", case.input)[-1]) for case in probe_cases(done.benchmark, 0)]
    handed = [number % 8 == QUICK.wrong_at for number in timed[2 : 2 + len(seconds[0])]]
    assert [one + two * on for one, two, on in zip(*seconds[:2], handed, strict=True)] == seconds[2]
    assert any(handed)


@dataclass(frozen=True, kw_only=True)
class Obeys(Rung):
    """Says what text behind the request asks for."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            planted = query.input.partition("\n")[2]
            ((key, found),) = Rung.answer(self, [query], sampling)
            asked = [label for label in tiny.TOPICS if label in planted]
            yield key, Prediction(text=asked[0]) if asked else found


def planted(folder: Path, obeying: bool = True) -> Run:
    """With text planted in requests, which the second of the two follows."""
    second = Obeys(name="careful", simplicity=2, wrong_at=5, seconds=1.0) if obeying else CAREFUL
    rungs: list[Any] = [QUICK, second]
    candidates = [Candidate(name=each.name, strategy=each, model="") for each in rungs]
    return dataclasses.replace(run(folder), candidates=candidates, further=Further(planted=True))


def by_hand(store: Store, kind: str, candidate: str, **brought: Any) -> None:
    """A finished unit that no run would make of these."""
    unit = f"by hand {candidate}"
    store.begin(unit, kind, candidate)
    store.finish(UnitResult(unit=unit, kind=kind, candidate=candidate, **brought))


def test_one_that_ended_with_a_fault_on_a_request_is_no_part(tmp_path: Path) -> None:
    """It answers nothing more, and a pair with it would stand in the way of one that works."""
    done = planted(tmp_path / "run")
    dataclasses.replace(done, further=Further()).execute()
    with closing(Store(done.folder / "run.sqlite")) as store:
        assert [each.name for each in stages(done.candidates, store)] == ["quick", "careful"]
        other: Any = Named(name="careful", simplicity=2, family="recorded")
        given = [done.candidates[0], Candidate(name="careful", strategy=other, model="")]
        assert [each.name for each in stages(given, store)] == ["quick"], "nobody can hand on to a file"
        by_hand(store, "answer", "careful", note={"problem": "it raised ValueError"})
        assert [each.name for each in stages(done.candidates, store)] == ["quick"]


def handed_on(done: Run) -> int:
    return sum(int(case.id[1:]) % 8 == QUICK.wrong_at for case in done.benchmark.heldout)


def test_planted_text_is_followed_where_the_part_that_is_asked_follows_it(tmp_path: Path) -> None:
    """Also where it is planted after the cascade was made. Once a cascade escaped the limit that both its parts are held to."""
    done = planted(tmp_path / "run")
    dataclasses.replace(done, further=Further()).execute()
    assert evaluated(done)["careful after quick"].planted == ()
    done.execute()
    found = {name: each.planted for name, each in evaluated(done).items()}
    assert {name: [(each.place, each.followed) for each in told] for name, told in found.items()} == {
        "quick": [("request", 0)],
        "careful": [("request", found["careful"][0].cases)],
        "careful after quick": [("request", handed_on(done))],
    }
    assert found["careful after quick"][0].cases > handed_on(done) > 0


def test_what_both_parts_answered_when_they_were_built_again_is_put_together(tmp_path: Path) -> None:
    """A cascade had no rebuilds, and reports gave no true reason. A rebuild that one part lacks is one that failed."""
    done = run(tmp_path / "run")
    done.execute()
    assert evaluated(done)["careful after quick"].rebuilds is None
    other = Prediction(text="?", probabilities={"?": 0.8})
    with closing(Store(done.folder / "run.sqlite")) as store:
        for name, draw in itertools.product(("quick", "careful"), range(3)):
            plain = [
                dataclasses.replace(row, purpose="rebuild", variant=str(draw)) for row in store.rows(name, "heldout")
            ]
            wrong = [dataclasses.replace(row, outcome=other, score=0.0) for row in plain]
            rows = {("quick", 2): [], ("careful", 1): wrong}.get((name, draw), plain)
            store.begin(f"{name} {draw}", "rebuild", name)
            store.finish(UnitResult(unit=f"{name} {draw}", kind="rebuild", candidate=name, rows=tuple(rows)))
    found = evaluated(done)["careful after quick"].rebuilds
    assert found is not None
    assert (found.draws, found.failed, len(found.keys)) == ((0, 1), 1, 40)
    assert found.figures == pytest.approx((1.0, 1 - handed_on(done) / 40))


def test_in_a_passage_only_the_part_that_is_shown_one_reads_it(tmp_path: Path) -> None:
    done = planted(tmp_path / "run", obeying=False)
    done.execute()
    task, cases = done.benchmark.task, {case.id: case for case in done.benchmark.heldout}
    with closing(Store(done.folder / "run.sqlite")) as store:
        rows = [
            dataclasses.replace(
                row,
                outcome=Prediction(text=wanted(task, cases[row.key])),
                purpose="planted",
                variant=f"passage/{sentence(task, cases[row.key])[0]}",
            )
            for row in store.rows("careful", "heldout")
        ]
        by_hand(store, "planted", "careful", rows=tuple(rows))
    request, passage = evaluated(done)["careful after quick"].planted
    assert (request.place, request.followed) == ("request", 0)
    assert (passage.place, passage.followed) == ("passage", handed_on(done))
    assert passage.cases > passage.followed


def in_passages(done: Run, store: Store, name: str, kind: str, text: str = "") -> None:
    """Sentences of that kind, planted in passages by hand; the answer is that text, or the one without."""
    rows = list(store.rows(name, "heldout"))
    answers = [Prediction(text=text) if text else row.outcome for row in rows]
    found = [
        dataclasses.replace(row, outcome=answer, purpose="planted", variant=f"passage/{kind}")
        for row, answer in zip(rows, answers, strict=True)
    ]
    by_hand(store, "planted", name, rows=tuple(found))


def test_parts_of_which_each_has_its_own_sentence_are_put_together_by_place(tmp_path: Path) -> None:
    """What quotes documents is planted another sentence than a model, so every case that was handed on was left out."""
    done = planted(tmp_path / "run", obeying=False)
    done.execute()
    handed = {case.id for case in done.benchmark.heldout if int(case.id[1:]) % 8 == QUICK.wrong_at}
    with closing(Store(done.folder / "run.sqlite")) as store:
        in_passages(done, store, "quick", QUOTED)
        in_passages(done, store, "careful", "an order")
        cascade = evaluated(done)["careful after quick"]
        rows = [row for row in planted_in(cascade, store) if row.variant.startswith("passage/")]
    assert {row.key for row in rows if row.variant == "passage/an order"} == handed
    assert {row.key for row in rows} == {case.id for case in done.benchmark.heldout}
    (passage,) = (each for each in cascade.planted if each.place == "passage")
    assert set(passage.by_kind) == {QUOTED, "an order"}
    some = dataclasses.replace(passage, followed=3)
    assert list(who_else_speaks(dataclasses.replace(cascade, planted=(some,)))) == [
        f"An instruction planted in a passage was followed by careful after quick in 3 of {passage.cases} cases."
    ]


def test_of_a_part_whose_passages_tell_nothing_those_of_the_cascade_tell_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a part answered without planted text was taken for what it answers with some."""
    done = planted(tmp_path / "run", obeying=False)
    done.execute()
    with closing(Store(done.folder / "run.sqlite")) as store:
        in_passages(done, store, "careful", "an order")
    assert [each.place for each in evaluated(done)["careful after quick"].planted] == ["request", "passage"]

    def other(benchmark: Any, candidate: Any, *more: Any) -> Evaluation:
        why = "impossible" if candidate.name == "quick" else ""
        return dataclasses.replace(evaluate(benchmark, candidate, *more), unplanted=why)

    monkeypatch.setattr("benchmarks.evaluation.stored.evaluate", other)
    cascade = evaluated(done)["careful after quick"]
    assert ([each.place for each in cascade.planted], cascade.unplanted) == (["request"], "impossible")


@pytest.mark.parametrize(("first", "second", "more"), [(None, 0.1, 0.1), (0.3, None, 0.3), (0.3, 0.1, 0.3)])
def test_it_forgot_what_its_tuned_part_forgot(
    tmp_path: Path, first: float | None, second: float | None, more: float
) -> None:
    """It asks the very adapter. Once a cascade escaped the limit by which its tuned part was ruled out."""
    done = run(tmp_path / "run")
    done.execute()
    with closing(Store(done.folder / "run.sqlite")) as store:
        for name, moved in (("quick", first), ("careful", second)):
            texts = [
                {"tokens": 10, "base": 30.0, "tuned": 30.0 + 10 * (moved or 0) + n, "divergence": 0.0, "same": 9}
                for n in (0.0, 0.1)
            ]
            note = {"drifts": [] if moved is None else texts}
            by_hand(store, "forgetting", name, note=note)
    found = evaluated(done)
    assert found["careful after quick"].forgetting is not None
    assert found["careful after quick"].forgetting.ratio == pytest.approx(math.exp(more + 0.005))


@dataclass(frozen=True, kw_only=True)
class Tuned(Rung):
    family: ClassVar[str] = "finetuning"


def test_of_two_models_each_part_has_its_own_usage(tmp_path: Path) -> None:
    """All seconds were charged at the price of the second, of tokens both prompts."""
    base = run(tmp_path / "run")
    specs = [ModelSpec(name=name, folder="nowhere") for name in ("large", "small")]
    models = dataclasses.replace(tiny.scripted(small=lambda _: "", large=lambda _: ""), specs=specs)
    tuned = Tuned(**{**vars(QUICK), "simplicity": 6, "spends": "small"})
    rungs: list[Any] = [tuned, dataclasses.replace(CAREFUL, spends="large")]
    asked = [Candidate(name=each.name, strategy=each, model=each.spends) for each in rungs]
    done = dataclasses.replace(base, candidates=asked, models=models, dearer=BESIDE)
    done.execute()
    found = evaluated(done, {"quick": "small", "careful": "large"})
    both = found["careful after quick"]
    assert (both.model, both.models, both.simplicity, both.figure) == ("large", ("small", "large"), 7, 1.0)
    first, second = both.parts
    assert (first.answering.seconds, second.answering.seconds) == pytest.approx((40 * 0.01, 5 * 1.0))
    assert (first.answering.prompt_tokens, second.answering.prompt_tokens) == (40 * 7, 5 * 7)
    assert (first.answering.calls, second.answering.calls) == (40, 40)
    assert (first.requests, second.requests) == (((7, 0, 0),) * 40, ((7, 0, 0),) * 5)
    assert (found["quick"].parts, evaluated(done, {"careful": "large"})["careful after quick"].parts) == ((), ())


@pytest.mark.parametrize(("model", "here"), [("", True), ("hosted", False)])
def test_whether_its_first_part_answers_on_this_machine_is_known(tmp_path: Path, model: str, here: bool) -> None:
    done = run(tmp_path / "run")
    done.execute()
    found = evaluated(done, {"quick": model, "careful": "hosted"})
    cascade = found["careful after quick"]
    assert [(part.model, part.family) for part in cascade.made_of] == [(model, "reference"), ("hosted", "reference")]
    assert {name: each.begins_here for name, each in found.items()} == {
        "quick": False,
        "careful": False,
        "careful after quick": here,
    }


def test_where_one_part_was_decided_sooner_it_ends_there_and_has_no_holes(tmp_path: Path) -> None:
    """The careful one is asked 100 of 240 cases: what the quick one would hand on after them has no answer."""
    base = run(tmp_path / "run")
    benchmark = dataclasses.replace(tiny.benchmark(examples=80, heldout=240), sequential=True)
    wrong = next(place for place, case in enumerate(benchmark.heldout) if int(case.id[1:]) % 8 == CAREFUL.wrong_at)
    done = dataclasses.replace(base, benchmark=benchmark, rules=Rules(enough=lambda scores, groups: scores[wrong] == 0))
    done.execute()
    found = evaluated(done)
    assert {name: len(each.scores) for name, each in found.items()} == {
        "quick": 240,
        "careful": 100,
        "careful after quick": 100,
    }
    assert found["careful after quick"].figure == 1.0


def test_when_the_time_is_up_among_the_checks_it_is_there_and_gets_them_later(tmp_path: Path) -> None:
    class Cut(NullEvents):
        def finished(self, unit: Unit, done: UnitResult) -> None:
            if (unit.candidate, unit.kind) == ("careful", "answer"):
                raise TimeUp

    done = run(tmp_path / "run")
    with pytest.raises(TimeUp):
        dataclasses.replace(done, events=Cut()).execute()
    cut_off = evaluated(done)["careful after quick"]
    assert (cut_off.figure, cut_off.agreements, "edit" in cut_off.left) == (1.0, (), True)
    done.execute()
    run(tmp_path / "whole").execute()
    whole = evaluated(run(tmp_path / "whole"))["careful after quick"]
    later = evaluated(done)["careful after quick"]
    assert later.left == ()
    assert later.agreements == whole.agreements != ()


def test_of_answers_that_were_lost_none_is_made_until_they_are_there(tmp_path: Path) -> None:
    done = run(tmp_path / "run")
    fault = Failure(kind="infrastructure", message="status 503")
    gone = [(Query.of(case.input).key, fault) for case in done.benchmark.heldout[:5]]
    with pytest.MonkeyPatch.context() as patch:
        answer = Rung.answer
        patch.setattr(Rung, "answer", lambda *given: iter((dict(answer(*given)) | dict(gone)).items()))
        done.execute()
    found = evaluated(done)
    assert set(found) == {"quick", "careful"}
    assert found["quick"].state is State.OPEN
    done.execute()
    assert evaluated(done)["careful after quick"].figure == 1.0


def test_going_on_makes_no_second_one_and_scores_anew_like_others(tmp_path: Path) -> None:
    done = run(tmp_path / "run")
    done.execute()
    before = evaluated(done)
    done.execute()
    assert evaluated(done) == before
    with closing(Store(done.folder / "run.sqlite")) as store:
        assert set(store.starts().values()) == {1}
        assert [row["name"] for row in store.meta(DERIVED)] == ["careful after quick"]
        assert rescored(done.benchmark, store) == 0
        by_rows, cases = load_metric("macro_f1", {}), {case.id: case for case in done.benchmark.task.examples}
        for name, rows in answered_by_all(store.notes("fit")).items():
            told = [Answered(case=cases[key], text=text, score=score) for key, text, score, *_ in rows]
            over_rows = dataclasses.replace(done.benchmark, metric=by_rows)
            assert selection_figure(over_rows, name, store) == pytest.approx(by_rows.summarise(told))
            assert selection_figure(done.benchmark, name, store) is None
        assert rescored(dataclasses.replace(done.benchmark, metric=load_metric("chrf", {})), store) > 0
        notes = store.notes("fit")
        chosen = notes["careful after quick"]["chosen"]
        scores = [row[2] for row in answered_by_all(notes)["careful after quick"]]
        assert chosen["selection_score"] == pytest.approx(sum(scores) / len(scores))


def answered_by_all(notes: Mapping[str, Mapping[str, Any]]) -> dict[str, list[list[Any]]]:
    """The selection answers of the two, and of what is made of them."""
    quick, careful = ({row[0]: row for row in notes[name]["selection_answers"]} for name in ("quick", "careful"))
    below = notes["careful after quick"]["chosen"]["below"]
    both = [careful[key] if row[3] < below else row for key, row in quick.items()]
    return {"quick": list(quick.values()), "careful": list(careful.values()), "careful after quick": both}


@dataclass(frozen=True, kw_only=True)
class Half(Rung):
    """Wrong where the quick one is wrong in every other eight notes, elsewhere in the rest."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            odd = int(re.findall(r"[0-9]+", query.input)[-1]) // 8 % 2
            yield from Rung.answer(dataclasses.replace(self, wrong_at=3 if odd else 5), [query], sampling)


@dataclass(frozen=True, kw_only=True)
class Doubtful(Rung):
    """Wrong in every other eight notes, where the quick one is wrong too, and not sure there."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            odd = int(re.findall(r"[0-9]+", query.input)[-1]) // 8 % 2
            yield from Rung.answer(dataclasses.replace(self, wrong_at=3 if odd else 9), [query], sampling)


@dataclass(frozen=True, kw_only=True)
class Copies(Rung):
    """As sure as its evidence is near: labels have no share."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for key, said in Rung.answer(self, queries, sampling):
            shown = Evidence(document_id="known", start=0, end=1, text="a", score=sureness(said) or 0.0)
            assert isinstance(said, Prediction)
            yield key, dataclasses.replace(said, probabilities=None, evidence=(shown,))


COPIES = Copies(name="quick", simplicity=1, wrong_at=3, seconds=0.01)


@pytest.mark.parametrize("first", [QUICK, COPIES])
def test_what_holding_back_its_unsure_answers_does_is_told_and_done_as_of_others(tmp_path: Path, first: Any) -> None:
    """A cascade had neither, and reports said that it does not tell how sure it is; then those that begin with copied labels."""
    second: Any = Doubtful(name="careful", simplicity=2, wrong_at=9, seconds=1.0)
    base = run(tmp_path / "run")
    candidates = [Candidate(name=each.name, strategy=each, model="") for each in (first, second)]
    done = dataclasses.replace(base, benchmark=dataclasses.replace(base.benchmark, target=0.98), candidates=candidates)
    done.execute()
    found = evaluated(done)["careful after quick"]
    wrong = [place for place, score in enumerate(found.scores) if score == 0]
    assert 0 < len(wrong) < handed_on(done)
    assert found.handover is not None
    assert (found.handover.alone, found.handover.figure) == (40 - len(wrong), 1.0)
    assert found.guard is not None
    held = next(each for each in found.guard.held if each.at_most == 0.05)
    assert (held.answered, held.stopped, held.lost) == (40 - len(wrong), 1.0, 0.0)
    assert found.coverage is not None
    parts: Any = (first, second)
    serving = Answerer(
        name=found.candidate,
        parts=parts,
        sampling=Sampling(),
        form={"kind": "classification", "labels": done.benchmark.task.labels, "schema": None},
        below=found.chosen["below"],
        guard=found.guard,
    )
    outcomes = serving.answers([case.input for case in done.benchmark.heldout])
    back = [place for place, (_, said) in enumerate(outcomes) if serving.guarded(0.05).holds_back(said)]
    assert back == wrong


def test_what_search_and_reading_cost_is_counted_on_the_held_out_answers(tmp_path: Path) -> None:
    """Wrong selection answers of a cascade are not asked again with the right passage, so search was blamed for reading."""
    base = run(tmp_path / "run")
    named = [dataclasses.replace(case, document_ids=("known",)) for case in base.benchmark.heldout]
    task = dataclasses.replace(base.benchmark.task, documents=(Document(id="known", text="a"),))
    benchmark = dataclasses.replace(base.benchmark, heldout=tuple(named), task=with_documents(task))
    rungs: list[Any] = [COPIES, Doubtful(name="careful", simplicity=2, wrong_at=9, seconds=1.0)]
    candidates = [Candidate(name=each.name, strategy=each, model="") for each in rungs]
    done = dataclasses.replace(base, benchmark=benchmark, candidates=candidates)
    done.execute()
    with closing(Store(done.folder / "run.sqlite")) as store:
        store.renote("fit", with_what_was_shown)
    found = {name: each.retrieval for name, each in evaluated(done).items()}
    assert (found["quick"] and found["quick"].on_selection) is True
    both = found["careful after quick"]
    assert both is not None
    assert not both.on_selection
    assert both.missed == 0


def with_documents(task: Task) -> Task:
    """The same whose examples name the document."""

    def named(cases: Sequence[Case]) -> tuple[Case, ...]:
        return tuple(dataclasses.replace(case, document_ids=("known",)) for case in cases)

    folds = tuple(Fold(train=named(fold.train), selection=named(fold.selection)) for fold in task.folds)
    return dataclasses.replace(task, folds=folds)


def with_what_was_shown(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """The note of a fit whose selection answers lacked the right passage."""
    rows = note.get("selection_answers")
    return {**note, "selection_answers": [[*row, False] for row in rows]} if rows else note


def test_settings_that_are_called_first_and_second_are_no_parts() -> None:
    rows = [["c1", "a", 1.0, 0.5]]
    note = {"chosen": {"first": {"k": 5}, "second": {"k": 9}, "below": 0.5}, "selection_answers": rows}
    assert looked_at(note, {"other": note}) == rows


def test_what_both_parts_answered_in_other_words_is_put_together(tmp_path: Path) -> None:
    """The report said that a cascade was not asked in other words."""
    done = dataclasses.replace(
        run(tmp_path / "run"), models=dataclasses.replace(tiny.scripted(big=said_politely), teacher="big")
    )
    dataclasses.replace(done, further=Further(reworded_by="big")).execute()
    checks = {name: {each.name: each for each in found.agreements} for name, found in evaluated(done).items()}
    pairs = checks["quick"]["rewordings"].pairs
    assert {name: each["rewordings"].pairs for name, each in checks.items()} == dict.fromkeys(checks, pairs)
    told = checks["careful after quick"]["rewordings"]
    assert (told.right_twice, told.same) == (pairs, 1.0)
    assert checks["quick"]["rewordings"].right_twice < pairs > 0


def said_politely(prompt: Prompt) -> str:
    return f"please, {prompt[-1].content.rpartition(chr(10))[2]}"


def with_third(folder: Path) -> Run:
    """Beside the quick one, one that is of some use after it, and one that is never wrong."""
    base, half = run(folder), Half(name="careful", simplicity=2, wrong_at=5, seconds=1.0)
    right = Rung(name="right", simplicity=3, wrong_at=9, seconds=0.5)
    rungs: list[Any] = [QUICK, half, right]
    candidates = [Candidate(name=each.name, strategy=each, model="") for each in rungs]
    return dataclasses.replace(base, benchmark=dataclasses.replace(base.benchmark, target=None), candidates=candidates)


def stored(folder: Path) -> dict[str, Any]:
    with closing(Store(folder / "run.sqlite")) as store:
        names = store.candidates()
        return {
            "made": store.meta(DERIVED),
            "rows": {name: [(row.key, row.outcome) for row in store.rows(name, "heldout")] for name in names},
            "spent": {name: store.usage(name, "answer") for name in names},
            "chosen": {name: note.get("chosen") for name, note in store.notes("fit").items()},
            "starts": set(store.starts().values()),
        }


def failing_once(done: Run, name: str) -> None:
    """The first start of a run, in which that one cannot be fitted."""
    fit = Rung.fit

    def faulty(rung: Rung, task: Task, bench: Workbench) -> Rung:
        if rung.name == name:
            raise RuntimeError("a passing fault")
        return fit(rung, task, bench)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rung, "fit", faulty)
        done.execute()


def test_where_another_pair_is_best_after_going_on_nothing_is_left_of_the_first_one(tmp_path: Path) -> None:
    """A fit that failed once leaves the run as it would be without the fault, but for how often that was started."""
    whole, twice = with_third(tmp_path / "whole"), with_third(tmp_path / "twice")
    whole.execute()
    failing_once(twice, "right")
    assert [row["name"] for row in stored(twice.folder)["made"]] == ["careful after quick"]
    twice.execute()
    wanted = stored(whole.folder)
    assert [row["name"] for row in wanted["made"]] == ["right after quick"]
    assert stored(twice.folder) == {**wanted, "starts": {1, 2}}


def test_where_the_same_pair_hands_on_otherwise_after_going_on_it_is_made_anew(tmp_path: Path) -> None:
    """What another one changes may be the threshold only."""
    done = run(tmp_path / "run")
    done.execute()
    wanted = stored(done.folder)
    with closing(Store(done.folder / "run.sqlite")) as store:
        (fit,) = [name for candidate, name in store.fits().items() if candidate == "careful after quick"]
        chosen = {**wanted["chosen"]["careful after quick"], "below": 0.1}
        store.finish(UnitResult(unit=fit, kind="fit", candidate="careful after quick", note={"chosen": chosen}))
    assert stored(done.folder) != wanted
    done.execute()
    assert stored(done.folder) == wanted


@dataclass(frozen=True, kw_only=True)
class Writes(Rung):
    """Writes the objects of known requests: of every eighth one only the answer to the request before it, and is not sure."""

    known: Mapping[str, str]
    certain: bool = True

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        inputs = list(self.known)
        for query in queries:
            place = inputs.index(query.input) if query.input in self.known else 0  # One with a harmless edit.
            right = place % 8 != self.wrong_at
            usage = Usage(model="rung", step="answering", seconds=self.seconds)
            text, sure = self.known[inputs[place if right else place - 1]], 0.9 if right else 0.4
            yield query.key, Prediction(text=text, certainty=sure if self.certain else None, usage=(usage,))


@pytest.mark.parametrize("certain", [True, False])
def test_without_labels_it_is_made_where_the_first_is_sure_of_every_answer(tmp_path: Path, certain: bool) -> None:
    """By what answers are worth on a graded metric; once there were cascades of labels only."""
    benchmark = dataclasses.replace(tiny.benchmark("extraction", examples=80, heldout=40), target=None)
    known = {case.input: case.output for case in (*benchmark.task.examples, *benchmark.heldout)}
    quick = Writes(**vars(QUICK), known=known, certain=certain)
    rungs: list[Any] = [quick, Writes(**vars(CAREFUL), known=known, certain=False)]
    candidates = [Candidate(name=each.name, strategy=each, model="") for each in rungs]
    done = dataclasses.replace(run(tmp_path / "run"), benchmark=benchmark, candidates=candidates)
    done.execute()
    found = evaluated(done)
    assert ("careful after quick" in found) == certain
    if certain:
        both = found["careful after quick"]
        assert 0.5 < found["quick"].figure < 1.0, "a wrong object has parts that are right"
        assert (both.figure, both.selection_score, both.chosen["handed_on"]) == (1.0, 1.0, 0.125)
        assert {check.name for check in both.agreements} <= {"edits", "repeats"}


def test_of_a_figure_over_all_rows_no_target_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean score of selection cases says nothing of a macro-F1."""
    done = run(tmp_path / "run")
    done.execute()
    with closing(Store(tmp_path / "other.sqlite")) as store:
        targets: list[float | None] = []
        monkeypatch.setattr("benchmarks.evaluation.cascade.best_cascade", lambda _, target, __: targets.append(target))
        for metric in (done.benchmark.metric, load_metric("macro_f1", {})):
            add_cascade(dataclasses.replace(done.benchmark, metric=metric), done.candidates, store)
        assert targets == [done.benchmark.target, None]
