"""What is weighed on selection cases: chosen on all of them at the end, scored for each on the others."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.data.split import cut_folds, grouped
from strategies.approaches.lora import Lora
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.approaches.prompting import Prompting
from strategies.approaches.retrieval import Retrieval
from strategies.contract import (
    Case,
    Ends,
    Kind,
    LabelScores,
    Narrow,
    Prediction,
    Prompt,
    Query,
    Sampling,
    Step,
    Strategy,
    Task,
    Unanswered,
)
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.prompting.demonstrations import Shown, holds
from strategies.search import Look
from strategies.selection import CONTENT_FREE, VOTES, PipelineBuilder, evidence_of
from strategies.spans import BONUSES, Read, Reading, Span, noted
from strategies.weighing import LEAST_SHARE, Weighing, best, crossed, log_share, priors_of
from tests import tiny
from tests.scripted import ScriptedModel


@pytest.fixture
def builder(tmp_path: Path) -> PipelineBuilder:
    return PipelineBuilder(tiny.benchmark(examples=200).task, tiny.Bench(folder=tmp_path), uses_votes=True)


def evidence(task: Task, model_knows: float, votes_know: float, seed: int) -> list[dict[str, Any]]:
    """Likelihoods and votes that each point at the right label in a share of the cases, at any label in the others."""
    dice, rows = random.Random(seed), []
    for case in task.examples:
        said, voted = (
            case.output if dice.random() < share else dice.choice(task.labels) for share in (model_knows, votes_know)
        )
        scores = [dice.gauss(0, 0.1) + (2.0 if label == said else 0.0) for label in task.labels]
        votes = [0.7 if label == voted else 0.1 for label in task.labels]
        rows.append({"scores": scores, "votes": votes, "case": case.id, "context": ""})
    return rows


def in_sample(builder: PipelineBuilder, rows: list[dict[str, Any]]) -> float:
    return max(sum(weighing.scores) for weighing in builder._weighings(Setup(), rows)) / len(rows)


def cross_fitted(builder: PipelineBuilder, rows: list[dict[str, Any]]) -> float:
    scores = builder.settled(Setup(), Look((), (), {"evidence": rows})).scores
    return sum(scores) / len(scores)


def test_where_nothing_is_known_the_score_does_not_flatter(builder: PipelineBuilder) -> None:
    """Four labels by chance: the best of the weighings looks better than a quarter, the score does not."""
    draws = [evidence(builder.task, 0.0, 0.0, seed)[:40] for seed in range(20)]
    chance = [cross_fitted(builder, rows) for rows in draws]
    flattered = [in_sample(builder, rows) for rows in draws]
    assert sum(flattered) / len(draws) > 0.28
    assert sum(chance) / len(draws) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(("model_knows", "votes_know"), [(0.9, 0.0), (0.1, 0.9)])
def test_what_is_clearly_better_is_chosen_on_every_part(
    builder: PipelineBuilder, model_knows: float, votes_know: float
) -> None:
    rows = evidence(builder.task, model_knows, votes_know, 1)
    chosen = builder.weighed(Setup(), rows)
    assert (chosen.votes >= VOTES[2]) == (votes_know > model_knows)
    assert cross_fitted(builder, rows) == pytest.approx(in_sample(builder, rows), abs=0.02)


def test_of_weighings_that_score_alike_the_simplest_is_chosen_and_none_that_is_not_meant(tmp_path: Path) -> None:
    task, bench = tiny.benchmark(examples=60).task, tiny.Bench(folder=tmp_path)
    alike = {"scores": [0.0] * len(task.labels), "votes": [1 / len(task.labels)] * len(task.labels), "context": ""}
    rows = [{**alike, "case": case.id} for case in task.examples]
    assert PipelineBuilder(task, bench, uses_votes=True).weighed(Setup(), rows) == Setup()
    weights = [
        {
            (setup.calibration > 0, setup.votes > 0)
            for setup in PipelineBuilder(task, bench, votes, calibrates)._weights(Setup())
        }
        for votes, calibrates in ((False, True), (True, False))
    ]
    assert weights == [{(False, False), (True, False)}, {(False, False), (False, True)}]


@pytest.mark.parametrize("strategy", [Lora(), LoraRetrieval()], ids=lambda strategy: strategy.name)
def test_what_is_tuned_is_not_calibrated(
    strategy: Lora | LoraRetrieval, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prior of a fold's adapter is not that of the refit: it halved what lora got right."""
    builders: list[PipelineBuilder] = []
    module = type(strategy).__module__
    monkeypatch.setattr(f"{module}.fit_tuned", lambda _, builder, __: builders.append(builder))
    strategy.fit(tiny.benchmark().task, tiny.Bench(folder=tmp_path))
    assert [builder.calibrates for builder in builders] == [False]


def test_a_prior_belongs_to_the_examples_that_are_shown() -> None:
    rows = [{"context": name, "scores": scores} for name, scores in (("a", (0.0, -9.0)), ("b", (-9.0, 0.0)))]
    assert {name: prior.values[0] > prior.values[1] for name, prior in priors_of(rows).items()} == {
        "a": True,
        "b": False,
    }


@dataclass(frozen=True, kw_only=True)
class Skewed(ScriptedModel):
    """The script names the log-odds of the second label to the first."""

    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        for index, scored in super().score_labels(prompts, labels, step, ends):
            yield index, replace(scored, log_likelihoods=(0.0, float(self.answer(prompts[index]))))


def rare_spam() -> Task:
    """A tenth is spam, and half of the rest looks a little like it."""
    cases = [
        Case(
            id=f"{n}", input=f"{('sure', 'odd')[n % 2] if n % 10 else 'prize'} {n}", output="ham" if n % 10 else "spam"
        )
        for n in range(120)
    ]
    folds = cut_folds(grouped(tuple(cases)), "classification", 0)
    return replace(tiny.benchmark().task, folds=folds, labels=("ham", "spam"))


def skewed(prompt: Prompt) -> str:
    """By 3 towards spam, without any content too."""
    leads = {"sure": -4.0, "odd": -1.0, "prize": 1.0}
    return str(3.0 + leads.get(prompt[-1].asked.split()[0], 0.0))


def right(pipeline: Pipeline, cases: Sequence[Case]) -> float:
    outcomes = dict(pipeline.answer([Query.of(case.input) for case in cases], Sampling()))
    texts = [(outcomes[Query.of(case.input).key], case.output) for case in cases]
    return sum(isinstance(said, Prediction) and said.text == wanted for said, wanted in texts) / len(cases)


def test_a_model_that_leans_to_a_rare_label_is_put_right_by_what_it_says_of_nothing(tmp_path: Path) -> None:
    """The mean over requests cannot tell a lean from labels that are frequent; older evidence has nothing else."""
    task = rare_spam()
    bench = tiny.Bench(folder=tmp_path, language=Skewed(name="skewed", answer=skewed))
    builder = PipelineBuilder(task, bench)
    setup = builder.draws(Setup(shots=2))[0]
    looks = [look for number, fold in enumerate(task.folds) for look in builder.looks([setup], number, fold.selection)]
    assert all(set(look.scores) == {1.0} for look in looks)
    rows = evidence_of([look.notes for look in looks])
    fitted = builder.finish(setup, rows)
    assert (fitted.setup.prior, fitted.setup.calibration) == ("content-free", 1.0)
    assert right(fitted, task.examples) == 1.0
    fitted.save(tmp_path / "fit")
    assert load_pipeline(tmp_path / "fit", bench).setup == fitted.setup
    assert right(load_pipeline(tmp_path / "fit", bench), task.examples) == 1.0
    older = [{key: value for key, value in row.items() if key != "content_free"} for row in rows]
    mixed = [old if row["context"] == fitted.context else row for old, row in zip(older, rows, strict=True)]
    assert older != mixed != rows
    for known in (older, mixed):
        before = builder.finish(setup, known)
        assert before.setup.prior == "batch"
        assert before.prior == priors_of(rows)[fitted.context]
        assert right(before, task.examples) < 0.7


def test_without_content_is_asked_only_where_all_requests_show_the_same_and_that_counts(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(prompt: Prompt) -> str:
        asked.append(prompt[-1].asked)
        return "refund"

    task = replace(tiny.benchmark().task, documents=tiny.rooms())
    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=answer))
    cases = task.folds[0].selection
    own = [case.input for case in cases]
    near, same = [Setup(shots=2, picks="nearest"), Setup(passages=1)], [Setup(), Setup(shots=2)]
    for calibrates, setup, further in (
        *((True, setup, CONTENT_FREE) for setup in same),
        *((True, setup, ()) for setup in near),
        *((False, setup, ()) for setup in same),
    ):
        asked.clear()
        (look,) = PipelineBuilder(task, bench, calibrates=calibrates).looks([setup], 0, cases)
        assert asked == [*own, *further]
        assert len(look.scores) == len(cases)
        assert any("content_free" in row for row in look.notes["evidence"]) == bool(further)
        if setup == Setup():
            (usage,) = (row for row in look.usage if row.model == "m")
            assert usage.calls == len(own) + len(further)


def test_no_look_shows_a_selection_case_as_an_example(tmp_path: Path) -> None:
    shown: set[str] = set()

    def answer(prompt: Prompt) -> str:
        shown.update(turn.content for turn in prompt[:-1] if turn.role == "user")
        return "Team 1 meets today!"

    task = tiny.benchmark("generation", examples=30).task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=ScriptedModel(name="noted", answer=answer)))
    list(builder.looks([Setup(shots=3, picks=picks) for picks in ("nearest", "random")], 1, task.folds[1].selection))
    assert len(shown) > 3
    assert shown <= {case.input for case in task.folds[1].train}
    drawn = [setup.shown for setup in builder.draws(Setup(shots=3))]
    assert len(set(drawn)) > 1
    assert {name for ids in drawn for name in ids} <= {case.id for case in task.folds[0].train}


@pytest.mark.parametrize(
    ("kind", "picks"), [("classification", "balanced"), ("qa", "random"), ("generation", "random")]
)
def test_each_fold_shows_as_many_examples_as_the_prompt_that_is_built(
    kind: Kind, picks: Literal["balanced", "random"], tmp_path: Path
) -> None:
    """A set is drawn from the first fold; of another fold some of it are selection cases, for which others stand in."""
    task = tiny.benchmark(kind, examples=60).task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=lambda _: "x")))
    for setup in builder.draws(Setup(shots=8, picks=picks)):
        built = builder.build(setup, task.examples)
        assert built.fixed_ids == builder.build(setup, task.folds[0].train).fixed_ids == setup.shown
        for fold in task.folds[1:]:
            train = {case.id: case for case in fold.train}
            found = builder.build(setup, fold.train).fixed_ids
            assert len(set(found)) == len(found) == 8
            assert set(found) <= train.keys()
            kept = [name for name in setup.shown if name in train]
            assert len(kept) < 8
            assert list(found[-len(kept) :]) == kept, "those of the set stand next to the question"
            if picks == "balanced":
                assert set(Counter(train[name].output for name in found).values()) == {2}


def test_with_examples_of_several_folds_the_prior_is_that_of_those_that_are_shown(tmp_path: Path) -> None:
    task = tiny.benchmark(examples=60).task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=lambda _: "x")))
    setup = builder.draws(Setup(shots=8, picks="balanced"))[0]
    contexts = [builder.build(setup, fold.train).context for fold in task.folds]
    assert len(set(contexts)) == len(task.folds)
    rows = [
        {"scores": [5.0 * (place == number) for place in range(4)], "votes": [], "case": case.id, "context": context}
        for number, (fold, context) in enumerate(zip(task.folds, contexts, strict=True))
        for case in fold.selection
    ]
    prior = builder.finish(setup, rows).prior
    assert prior == priors_of(rows)[contexts[0]]
    assert prior is not None
    assert max(range(4), key=prior.values.__getitem__) == 0


def test_each_case_is_told_with_its_answer_its_score_and_how_sure_that_is(builder: PipelineBuilder) -> None:
    rows = evidence(builder.task, 0.9, 0.9, 2)
    look = builder.settled(Setup(), Look((), (), {"evidence": rows}))
    by_id = {case.id: case for case in builder.task.examples}
    assert [row[0] for row in look.notes["answers"]] == [row["case"] for row in rows]
    for (name, text, score, sure), given in zip(look.notes["answers"], look.scores, strict=True):
        assert score == given == float(text == by_id[name].output)
        assert 0.25 < sure <= 1


def test_the_bonus_of_a_refusal_is_weighed_like_that_too(builder: PipelineBuilder) -> None:
    """A refusal that is right in half of the cases, and told apart from the others by its likelihood."""
    task = builder.task
    refusal = task.labels[0]
    reading = Reading(words=3, standing=(refusal,))
    rows = [
        noted(Read(Span("a guess", 0, 0, 7), 0.0, (-2.5 if case.output == refusal else -9.0,))) | {"case": case.id}
        for case in task.examples
    ]
    setup = Setup(passages=1, reading=reading)
    chosen = builder.weighed(setup, rows)
    assert chosen.reading is not None
    assert chosen.reading.bonus in BONUSES
    assert 2.5 < chosen.reading.bonus < 9
    share = sum(case.output == refusal for case in task.examples) / len(task.examples)
    scores = builder.settled(setup, Look((), (), {"evidence": rows})).scores
    assert sum(scores) / len(scores) == pytest.approx(share)


def test_of_ways_to_weigh_that_score_alike_the_simplest_is_taken_for_every_case() -> None:
    rows = tuple(("a", float(place % 2), None) for place in range(12))
    assert crossed([Weighing(Setup(), rows), Weighing(Setup(votes=0.5), rows)]) == [0] * 12


def test_of_ways_with_as_many_right_answers_the_one_with_larger_shares_of_the_right_labels_is_taken() -> None:
    rows = tuple(("a", float(place % 2), None) for place in range(12))
    ways = [Weighing(Setup(), rows, (-0.9,) * 12), Weighing(Setup(votes=0.5), rows, (-0.4,) * 12)]
    assert crossed(ways) == [1] * 12
    assert best(ways).setup.votes == 0.5


def test_the_share_of_a_case_with_several_right_labels_is_that_of_all_of_them() -> None:
    case = Case(id="1", input="x", output="a", answers=("b",))
    assert log_share({"a": 0.1, "b": 0.4, "c": 0.5}, case) == pytest.approx(math.log(0.5))
    assert log_share({"c": 1.0}, case) == math.log(LEAST_SHARE)


def test_shares_do_not_outweigh_answers_that_are_clearly_worse() -> None:
    good, bad = (tuple(("a", float(place % 10 < right), None) for place in range(60)) for right in (9, 4))
    ways = [Weighing(Setup(), good, (-0.9,) * 60), Weighing(Setup(votes=0.5), bad, (-0.4,) * 60)]
    assert crossed(ways) == [0] * 60
    assert best(ways).setup.votes == 0.0


def test_few_cases_choose_better_by_shares_than_by_counts_of_right_answers(builder: PipelineBuilder) -> None:
    """Thirty cases choose, the other examples tell what the choice is worth."""
    gains = []
    for seed in range(30):
        rows = evidence(builder.task, 0.55, 0.6, seed)
        few, others = builder._weighings(Setup(), rows[:30]), builder._weighings(Setup(), rows[30:])
        by_counts = max(range(len(few)), key=lambda way: sum(few[way].scores))
        by_shares = few.index(best(few))
        gains.append(sum(others[by_shares].scores) - sum(others[by_counts].scores))
    assert sum(gains) / len(gains) > 0.5


def test_a_look_at_one_case_is_settled_too(builder: PipelineBuilder) -> None:
    rows = evidence(builder.task, 1.0, 1.0, 3)[:1]
    assert len(builder.settled(Setup(), Look((), (), {"evidence": rows})).scores) == 1


@pytest.mark.parametrize("reads", [True, False])
def test_with_passages_it_is_told_whether_they_hold_what_is_right(reads: bool, tmp_path: Path) -> None:
    task = tiny.benchmark("qa", examples=30).task
    builder = PipelineBuilder(
        task, tiny.Bench(folder=tmp_path, language=ScriptedModel(name="silent", answer=lambda _: "5"))
    )
    reading = Reading.of(task.examples) if reads else None
    (look,) = builder.looks([Setup(passages=1, reading=reading)], 0, task.folds[0].selection)
    known = {case.id: case for case in task.examples}
    index = builder.indexes.of()
    assert index is not None
    for name, _, _, _, shown in look.notes["answers"]:
        (passages,) = index.search([known[name].input], 1, "hybrid")
        assert shown is holds(Shown(known[name], passages))
    (look,) = builder.looks([Setup()], 0, task.folds[0].selection)
    assert {len(row) for row in look.notes["answers"]} == {4}


def test_where_no_answer_is_right_those_nearer_to_right_ones_go_on(tmp_path: Path) -> None:
    """Of equal scores the first in order was taken: whole sentences without examples, of a model that learns form from them."""

    def answer(prompt: Prompt) -> str:
        shown = any("meets today!" in message.content for message in prompt)
        return "Some team meets today!" if shown else "That is a good question, of which I know nothing."

    task = tiny.benchmark("generation", examples=60).task
    task = replace(task, score=lambda case, outcome: float(outcome == Prediction(text=case.output)))
    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="of a form", answer=answer))
    fitted = Prompting().fit(task, bench)
    assert isinstance(fitted, Pipeline)
    assert fitted.setup.shots > 0
    assert {trial.score for trial in bench.trials} == {0.0}


@dataclass(frozen=True, kw_only=True)
class _Lossy(ScriptedModel):
    """Every third answer is lost."""

    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        yield from _lost(super().score_labels(prompts, labels, step, ends))

    def score_narrowed(
        self,
        prompts: Sequence[Prompt],
        beginnings: Sequence[Sequence[str]],
        rounds: Sequence[Narrow],
        step: Step = "answering",
    ) -> Iterator[tuple[int, LabelScores]]:
        whole = ScriptedModel(name=self.name, answer=self.answer)
        yield from _lost(whole.score_narrowed(prompts, beginnings, rounds, step))


def _lost(found: Iterator[tuple[int, LabelScores]]) -> Iterator[tuple[int, LabelScores]]:
    for index, scored in found:
        yield index, scored if index % 3 else replace(scored, log_likelihoods=(), error="the server is gone")


@pytest.mark.parametrize(("kind", "strategy"), [("classification", Prompting()), ("qa", Retrieval())])
def test_nothing_is_chosen_by_answers_that_faults_took_scored_or_written(
    kind: Kind, strategy: Strategy, tmp_path: Path
) -> None:
    """A model of another package may score labels on a server: what reads answers off would lose to what writes them."""
    bench = tiny.Bench(folder=tmp_path, language=_Lossy(name="lossy", answer=str))
    with pytest.raises(Unanswered, match=r"answers that it was to be chosen by were lost .*\(the server is gone\)"):
        strategy.fit(tiny.benchmark(kind).task, bench)
