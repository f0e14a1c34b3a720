"""The refit of a tuned approach: its budget, when it stops, and how it is made once more with another seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from advisor.story.setups import told
from benchmarks.evaluation.cascade import FEWEST as CASCADE
from benchmarks.metrics import load as load_metric
from benchmarks.scored import MetricScore
from strategies.approaches.lora import Lora
from strategies.contract import Case, Fold, Recipe, Task, Training
from strategies.finetuning.apart import APART, FEWEST, LEAST_APART, kept_apart
from strategies.finetuning.race import Entry, Race, RaceResult, Tuning, row_tokens
from strategies.finetuning.tuned import (
    LONGER,
    REFIT,
    RefitPlan,
    ValidationResult,
    _record,
    _trained,
    fit_tuned,
    refit,
)
from strategies.models.local import LocalModel
from strategies.pipeline import Pipeline, Setup
from strategies.search import selection_items
from strategies.selection import PipelineBuilder
from tests import tiny
from tests.scripted import ScriptedModel

EXAMPLES = 300
FEW = 4_000
"""Tokens of a search that pays for one long epoch on a part of the examples."""
TUNING = Tuning(Setup(), Recipe(epochs=4))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def task() -> Task:
    return tiny.benchmark("qa", examples=EXAMPLES).task


@pytest.fixture
def plenty(task: Task, model: LocalModel, tmp_path: Path) -> PipelineBuilder:
    return PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model, tuning_tokens=10_000_000))


def silent(folder: Path) -> tiny.Bench:
    return tiny.Bench(folder=folder, language=ScriptedModel(name="silent", answer=lambda _: ""))


def planned(builder: PipelineBuilder, entry: Entry, narrow: bool = False) -> RefitPlan:
    return RefitPlan.of(RaceResult(TUNING, entry, (entry,), narrow), builder)


def test_it_has_a_budget_of_its_own(task: Task, model: LocalModel, tmp_path: Path) -> None:
    bench = tiny.Bench(folder=tmp_path, language=model)
    once = row_tokens(PipelineBuilder(task, bench), Setup(), task.examples) * len(task.examples) / REFIT

    def epochs(budget: float) -> tuple[int, bool]:
        plan = planned(PipelineBuilder(task, replace(bench, tuning_tokens=int(budget))), Entry(TUNING, [], epochs=3))
        return plan.recipe.epochs, plan.saturated

    assert epochs(40 * once) == (3, True)
    assert epochs(3 * once) == (3, True)
    assert epochs(2 * once) == (2, False), "more of it might have helped"
    assert epochs(0.1 * once) == (1, False)


def test_a_number_of_epochs_that_the_search_found_is_made_on_all_examples(plenty: PipelineBuilder) -> None:
    plan = planned(plenty, Entry(TUNING, [], epochs=2, best=2))
    assert (plan.recipe.epochs, plan.apart, plan.saturated) == (2, (), True)
    assert not planned(plenty, Entry(TUNING, [], epochs=2, best=2), narrow=True).saturated
    plan = planned(plenty, Entry(TUNING, [], epochs=4, best=4))
    assert (plan.recipe.epochs, plan.apart, plan.saturated) == (4, (), False), "the last epoch was the best one"
    plan = planned(plenty, Entry(TUNING, [], epochs=4, best=3, averaged=True))
    assert (plan.recipe.epochs, plan.recipe.averaged, plan.saturated) == (4, True, True), (
        "the last one was worse by itself"
    )


def test_a_number_that_the_search_could_not_find_is_left_to_examples_kept_apart(
    plenty: PipelineBuilder, task: Task
) -> None:
    plan = planned(plenty, Entry(TUNING, [], epochs=1, cut_off=True))
    assert plan.recipe.epochs == LONGER * 4
    assert FEWEST <= len(plan.apart) <= APART
    assert {case.id for case in plan.apart} < {case.id for case in task.folds[0].selection}


@pytest.mark.parametrize(("passes", "epochs"), [(40, 8), (8, 8), (6, 6), (4, 4), (1, 4)])
def test_these_may_be_more_than_the_recipe_has_while_all_cost_no_more_than_choosing(
    passes: int, epochs: int, task: Task, model: LocalModel, tmp_path: Path
) -> None:
    bench = tiny.Bench(folder=tmp_path, language=model)
    once = row_tokens(PipelineBuilder(task, bench), Setup(), task.examples) * len(task.examples)
    builder = PipelineBuilder(task, replace(bench, tuning_tokens=round(passes * once)))
    assert planned(builder, Entry(TUNING, [], epochs=1, cut_off=True)).recipe.epochs == epochs
    found = planned(builder, Entry(TUNING, [], epochs=3))
    assert (found.recipe.epochs, found.apart) == (3, ()), "what the search found stands"


def cases(count: int, group: int = 1) -> list[Case]:
    return [Case(id=f"{n:04d}", input=f"in {n}", output="out", group=f"g{n // group}") for n in range(count)]


def cut(examples: Sequence[Case]) -> Task:
    """The last quarter is the selection part."""
    edge = len(examples) * 3 // 4
    fold = Fold(train=tuple(examples[:edge]), selection=tuple(examples[edge:]))
    return replace(tiny.benchmark("generation").task, folds=(fold,))


def test_groups_are_kept_apart_whole_and_few_examples_not_at_all() -> None:
    assert len(kept_apart(cut(cases(600)), 0)) == APART == len(kept_apart(cut(cases(5000)), 0))
    assert kept_apart(cut(cases(12 * LEAST_APART - 1)), 0) == ()
    apart = kept_apart(cut(cases(600, group=5)), 0)
    inside = {case.group for case in apart}
    assert len(apart) == 5 * len(inside) == 45
    assert min(case.id for case in apart) >= "0450", "others answer these, too"
    assert kept_apart(cut(cases(600, group=600)), 0) == (), "one group is never torn"
    assert len(kept_apart(cut(cases(300, group=13)), 0)) >= FEWEST
    first, other = ({case.id for case in kept_apart(cut(cases(600)), seed)} for seed in (0, 1))
    assert first != other


@pytest.mark.parametrize("examples", [12 * LEAST_APART, 359, 360, 600])
def test_what_is_kept_apart_is_what_other_approaches_look_at_first_and_enough_for_a_cascade(examples: int) -> None:
    task = cut(cases(examples))
    apart = kept_apart(task, 3)
    assert len(apart) == max(CASCADE, min(APART, examples // 12))
    assert {case.id for case in apart} == {item.case.id for item in selection_items(task, 3)[: len(apart)]}


RARE = [(2, 2), (10, 5), (20, 6), (75, 24)]
"""Of 150 selection cases so many are spam, and of the 48 that are kept apart."""


@pytest.mark.parametrize(("spam", "apart"), RARE)
def test_for_a_metric_over_rows_the_rare_labels_are_kept_apart_too(spam: int, apart: int) -> None:
    plain = cut(cases(600))
    fold = plain.folds[0]
    selection = tuple(replace(case, output="spam" if n < spam else "ham") for n, case in enumerate(fold.selection))
    train = tuple(replace(case, output="ham") for case in fold.train)
    score = MetricScore(metric=load_metric("f1_of_label", {"label": "spam"}))
    labelled = replace(plain, labels=("ham", "spam"), folds=(Fold(train=train, selection=selection),))
    found = kept_apart(replace(labelled, score=score), 0)
    assert len(found) == APART
    assert sum(case.output == "spam" for case in found) == apart
    looked_at = [item.case.id for item in selection_items(labelled, 0) if item.case.output == "ham"]
    assert [case.id for case in found if case.output == "ham"] == looked_at[: APART - apart]
    assert {case.id for case in kept_apart(labelled, 0)} == {case.id for case in kept_apart(plain, 0)}


def stopped(best: int, tried: int) -> Training:
    losses = tuple(1.0 / (1 + epoch) for epoch in range(tried))
    return Training(folder=Path("f"), losses=losses, validation_losses=(), best_epoch=best, truncated_rows=0, usage=())


def test_where_it_is_paid_for_as_many_epochs_as_were_enough_are_made_on_all_examples() -> None:
    """What was kept apart is learnt too, and the learning rate falls to zero."""
    apart = tuple(cases(10))
    plan = RefitPlan(recipe=Recipe(epochs=4), apart=apart, saturated=True, paid=4)
    again = plan.settled(stopped(best=1, tried=2))
    assert (again.recipe.epochs, again.apart, again.saturated) == (1, (), True)
    assert plan.settled(stopped(best=2, tried=3)) is plan, "five epochs in all are more than four"
    assert replace(plan, paid=5).settled(stopped(best=2, tried=3)).recipe.epochs == 2
    assert replace(plan, paid=7).settled(stopped(best=4, tried=4)).apart == apart
    last = replace(plan, paid=8).settled(stopped(best=4, tried=4))
    assert (last.recipe.epochs, last.apart, last.saturated) == (4, (), False), "more epochs might have been better"
    alone = replace(plan, apart=(), paid=50)
    assert alone.settled(stopped(best=2, tried=2)) is alone


class Seen(Exception):
    """What would have been done."""


def seen(*given: object) -> Any:
    raise Seen(*given)


def test_what_is_kept_apart_is_judged_by_prompts_that_do_not_show_it(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, entry, apart = PipelineBuilder(task, silent(tmp_path)), Entry(TUNING, []), kept_apart(task, 0)
    plan = RefitPlan(recipe=Recipe(), apart=apart, saturated=True, paid=9)
    monkeypatch.setattr(Race, "run", lambda _: RaceResult(TUNING, entry, (entry,), narrow=False))
    monkeypatch.setattr(RefitPlan, "of", lambda *_: plan)
    monkeypatch.setattr("strategies.finetuning.tuned._trained", lambda *_: stopped(best=1, tried=2))
    monkeypatch.setattr(ValidationResult, "by_refit", seen)
    with pytest.raises(Seen) as caught:
        fit_tuned("lora", builder, [Setup()])
    _, refitted, asked = caught.value.args
    assert asked == apart
    assert len(refitted.sources.cases) == EXAMPLES - len(apart)
    assert not {case.id for case in apart} & {case.id for case in refitted.sources.cases}


@pytest.mark.parametrize(
    ("best", "apart", "saturated", "rising"),
    [(4, True, True, True), (3, True, True, False), (3, True, False, True), (4, False, True, False)],
)
def test_more_might_have_helped_where_the_last_epoch_was_the_best(
    best: int, apart: bool, saturated: bool, rising: bool
) -> None:
    plan = RefitPlan(recipe=Recipe(epochs=4), apart=tuple(cases(9)) * apart, saturated=saturated, paid=9)
    assert _record(ValidationResult(0.5, 9, ()), 6, (plan, stopped(best=best, tried=4)))["rising"] is rising


@pytest.mark.parametrize(("paid", "all_learnt"), [(2, False), (3, True)])
def test_the_record_says_how_many_examples_were_learnt(
    paid: int, all_learnt: bool, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, entry, apart = PipelineBuilder(task, silent(tmp_path)), Entry(TUNING, []), kept_apart(task, 0)
    plan = RefitPlan(recipe=Recipe(), apart=apart, saturated=True, paid=paid)
    monkeypatch.setattr(Race, "run", lambda _: RaceResult(TUNING, entry, (entry,), narrow=False))
    monkeypatch.setattr(RefitPlan, "of", lambda *_: plan)
    monkeypatch.setattr("strategies.finetuning.tuned._trained", lambda *_: stopped(best=1, tried=2))
    monkeypatch.setattr(ValidationResult, "by_refit", lambda *_: ValidationResult(0.5, len(apart), ()))
    monkeypatch.setattr("strategies.finetuning.tuned.prove", lambda *_: 1.0)
    monkeypatch.setattr("strategies.finetuning.tuned.scaled", lambda adapter, share: adapter)
    record = fit_tuned("lora", builder, [Setup()]).record
    left = 0 if all_learnt else len(apart)
    assert (record["examples"], record["kept_apart"]) == (EXAMPLES - left, left)
    said = f"{len(apart)} examples kept apart to say when to stop, and not learnt"
    assert (said in told(record)) is not all_learnt


@pytest.mark.parametrize(("before", "kept", "epochs"), [(1, 0, 2), (2, 0, 3), (9, 0, 4), (0.25, 0, 2), (1, 25, 4)])
def test_again_it_is_trained_as_long_and_from_fewer_examples_longer(
    before: float, kept: int, epochs: int, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`before`: times as many examples as now."""
    recipe = asdict(Recipe(epochs=4))
    record = {"recipe": recipe, "best_epoch": 2, "kept_apart": kept, "examples": round(before * EXAMPLES)}
    manifest = {"record": record, "setup": asdict(Setup()), "prior": None}
    (tmp_path / "pipeline.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setattr("strategies.finetuning.tuned._trained", seen)
    with pytest.raises(Seen) as caught:
        refit(tmp_path, task, silent(tmp_path))
    _, _, taken, apart = caught.value.args
    assert (taken.epochs, apart) == (epochs, kept_apart(task, 0) if kept else ())


def test_of_how_many_examples_it_learnt_is_told_by_those_that_it_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who learnt 552 of 600 trains as long again on 552, and longer on the 440 that are learnt of 480."""
    record = {"recipe": asdict(Recipe(epochs=40)), "best_epoch": 2, "kept_apart": 48, "examples": 552}
    manifest = {"record": record, "setup": asdict(Setup()), "prior": None}
    (tmp_path / "pipeline.json").write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setattr("strategies.finetuning.tuned._trained", seen)
    for examples, epochs in ((600, 40), (480, 45)):
        with pytest.raises(Seen) as caught:
            refit(tmp_path, cut(cases(examples)), silent(tmp_path))
        assert caught.value.args[2].epochs == epochs


def test_it_stops_by_itself_and_so_does_the_one_with_another_seed(model: LocalModel, tmp_path: Path) -> None:
    task = tiny.benchmark("qa", examples=EXAMPLES).task
    bench = tiny.Bench(folder=tmp_path / "fit", language=model, tuning_tokens=FEW)
    fitted = Lora().fit(task, bench)
    told = fitted.describe()
    tried = [usage for usage in bench.spent if usage.step == "training"]
    assert 1 <= told["best_epoch"] <= len(told["training_losses"]) <= told["recipe"]["epochs"]
    folder = tmp_path / "saved"
    fitted.save(folder)
    other = tiny.Bench(folder=tmp_path / "other", language=model, seed=7)
    manifest = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    manifest["record"]["share"] = 0.5
    (folder / "pipeline.json").write_text(json.dumps(manifest), encoding="utf-8")
    again = Lora().again(folder, task, other)
    assert isinstance(again, Pipeline)
    assert again.adapter is not None
    assert again.adapter.name.endswith("-0.5"), "nothing is chosen anew"
    validates = ["search"] if told["kept_apart"] else []
    assert [usage.step for usage in other.spent] == ["training", *validates]
    assert told["examples"] == EXAMPLES - told["kept_apart"]
    if not told["kept_apart"]:  # It was settled: as many epochs once more, on all examples.
        assert told["best_epoch"] == told["recipe"]["epochs"] <= LONGER * 4
        assert other.spent[0].answer_tokens == tried[-1].answer_tokens


def test_what_is_known_of_it_comes_from_what_was_kept_apart(model: LocalModel, tmp_path: Path) -> None:
    """The search could pay for a much shorter training only; where it paid for all epochs its own answers stand."""
    task = tiny.benchmark("qa", examples=EXAMPLES).task
    bench = tiny.Bench(folder=tmp_path / "few", language=model, tuning_tokens=2 * FEW)
    fitted = Lora().fit(task, bench)
    told, apart = fitted.describe(), kept_apart(task, 0)
    assert isinstance(fitted, Pipeline)
    assert fitted.adapter is not None
    assert fitted.adapter.name.endswith("" if told["share"] == 1.0 else f"-{told['share']:g}")
    assert max(told["shares"].values()) == told["shares"][f"{told['share']:g}"]
    assert told["selection_cases"] == len(apart) == len(told["selection_answers"])
    assert {row[0] for row in told["selection_answers"]} == {case.id for case in apart}
    few = tiny.benchmark("classification", examples=60).task
    told = Lora().fit(few, tiny.Bench(folder=tmp_path / "plenty", language=model, tuning_tokens=200_000)).describe()
    assert kept_apart(few, 0) == ()
    assert told["selection_cases"] > 10


def test_prompts_show_no_example_that_is_kept_apart(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the answers of the examples shown are learnt, one kept apart would tell nothing."""
    task = tiny.benchmark("extraction", examples=EXAMPLES).task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=model))
    setup, apart = Setup(shots=2, picks="nearest"), kept_apart(task, 0)
    given: list[Any] = []

    def noted(bench: Any, data: Any, *_: Any, **__: Any) -> Training:
        given.append(data)
        return stopped(best=1, tried=1)

    monkeypatch.setattr("strategies.finetuning.tuned.train", noted)
    _trained(builder.build(setup, task.examples), builder.bench, Recipe(every_answer=True), apart)
    ((rows, held, _),) = given
    inputs = {case.input for case in apart}
    shown = [turn.content for row in (*rows, *held) for turn in row.prompt[:-1] if turn.role == "user"]
    assert len(rows) == EXAMPLES - len(apart)
    assert len(shown) == 2 * EXAMPLES
    assert not inputs.intersection(shown)
    assert {row.prompt[-1].content for row in held} == inputs
