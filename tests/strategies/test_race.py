"""The race of recipes: ranked by validation loss, trained at length as far as the budget goes, which it keeps to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.costs.needed import needed
from benchmarks.running.plan import Further, Options, candidates
from strategies.approaches.lora import Lora
from strategies.approaches.lora_retrieval import LoraRetrieval
from strategies.contract import Case, Diverged, Kind, Prompt, Query, Recipe, Strategy, Trial
from strategies.finetuning.besides import best_instruction, lacking
from strategies.finetuning.lengths import Lengths, price
from strategies.finetuning.ordered import TIED, UNMOVED, in_order
from strategies.finetuning.race import RECIPES, SMOOTHING, Entry, Race, RaceResult, Tuning, suited
from strategies.finetuning.tuned import REFIT
from strategies.models.local import LocalModel
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form, Renderer
from strategies.prompting.wordings import library
from strategies.search import Look
from strategies.selection import PipelineBuilder
from strategies.sources import WITHOUT
from tests import tiny
from tests.scripted import ScriptedModel

PAIRS = [
    (Lora(), "classification"),
    pytest.param(Lora(), "generation", marks=pytest.mark.nightly),
    (LoraRetrieval(), "qa"),
    pytest.param(LoraRetrieval(), "extraction", marks=pytest.mark.nightly),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return tiny.local_model(tiny.model_folder(tmp_path_factory.mktemp("model")))


def raced(strategy: Strategy, kind: Kind, bench: tiny.Bench) -> tuple[list[Trial], list[Trial], Any]:
    """Short trials, long trials, and what the fit says of itself; sixty examples."""
    fitted = strategy.fit(tiny.benchmark(kind, examples=60).task, bench)
    short = [trial for trial in bench.trials if not trial.cases]
    return short, [trial for trial in bench.trials if trial.cases], fitted.describe()


def tokens(trials: Sequence[Trial]) -> int:
    return sum(trial.tokens for trial in trials)


@pytest.mark.parametrize(("strategy", "kind"), PAIRS, ids=str)
def test_it_keeps_to_the_budget(strategy: Strategy, kind: Kind, model: LocalModel, tmp_path: Path) -> None:
    bench = tiny.Bench(folder=tmp_path, language=model, tuning_tokens=80_000)
    short, long, _ = raced(strategy, kind, bench)
    assert len(short) == len(RECIPES)
    assert tokens([*short, *long]) <= 1.05 * bench.tuning_tokens


@pytest.mark.parametrize("family", tiny.USER_FIRST)
def test_it_runs_where_the_template_wants_a_question_before_an_answer(family: str, tmp_path: Path) -> None:
    folder, written = tiny.model_folder(tmp_path), tiny.tokenizer()
    written.chat_template = tiny.USER_FIRST[family]
    written.save_pretrained(folder)
    bench = tiny.Bench(folder=tmp_path, language=tiny.local_model(folder), tuning_tokens=1_000)
    fitted = Lora().fit(tiny.benchmark("extraction", examples=12).task, bench)
    assert fitted.describe()["examples"] == 12


@pytest.mark.parametrize("strategy", [Lora(), LoraRetrieval()], ids=lambda strategy: strategy.name)
def test_the_recipe_of_lowest_validation_loss_is_trained_at_length(
    strategy: Strategy, model: LocalModel, tmp_path: Path
) -> None:
    short, long, _ = raced(strategy, "qa", tiny.Bench(folder=tmp_path, language=model, tuning_tokens=60_000))
    losses = [trial.validation_loss for trial in short]
    assert None not in losses
    assert len(set(losses)) > 1
    best = min(trial.validation_loss or 0.0 for trial in short)
    leading = next(asdict(recipe) for recipe in RECIPES if loss_of(short, asdict(recipe)) <= TIED * best)
    assert leading in [trial.configuration["recipe"] for trial in long]


@pytest.mark.parametrize(("kind", "share"), [("classification", SMOOTHING), ("extraction", 0.0)])
def test_labels_are_smoothed_and_other_answers_are_not(
    model: LocalModel, tmp_path: Path, kind: Kind, share: float
) -> None:
    short, long, told = raced(Lora(), kind, tiny.Bench(folder=tmp_path, language=model, tuning_tokens=20_000))
    recipes = [trial.configuration["recipe"] for trial in (*short, *long)]
    assert {recipe["smoothing"] for recipe in (*recipes, told["recipe"])} == {share}


def loss_of(trials: Sequence[Trial], recipe: dict[str, Any]) -> float:
    return next(trial.validation_loss or 0.0 for trial in trials if trial.configuration["recipe"] == recipe)


@pytest.mark.nightly
def test_where_the_budget_is_small_one_setup_is_trained_at_length_and_that_is_told(
    model: LocalModel, tmp_path: Path
) -> None:
    few = tiny.Bench(folder=tmp_path / "few", language=model, tuning_tokens=10_000)
    many = tiny.Bench(folder=tmp_path / "many", language=model, tuning_tokens=250_000)
    _, long, told = raced(LoraRetrieval(), "qa", few)
    assert [trial.configuration["setup"]["passages"] for trial in long] == [1]
    assert told["rising"]
    _, long, told = raced(LoraRetrieval(), "qa", many)
    assert {trial.configuration["setup"]["passages"] for trial in long} == {1, 3}
    assert len(long) == 3, "the runner-up on one of them"
    assert told["configurations_tried"] == len(RECIPES) + 3


def test_where_prompts_show_examples_their_answers_are_learnt_too_in_half_of_the_passes(
    model: LocalModel, tmp_path: Path
) -> None:
    bench = tiny.Bench(folder=tmp_path, language=model)
    short, long, told = raced(LoraRetrieval(), "extraction", bench)
    assert not any(trial.configuration["recipe"]["every_answer"] for trial in short)
    chosen = [trial.configuration["recipe"] for trial in long if trial.configuration["setup"]["shots"]]
    usual = RECIPES[0]
    assert [recipe["every_answer"] for recipe in chosen] == [True] * len(chosen) != []
    assert {recipe["epochs"] for recipe in chosen} == {usual.epochs / 2}
    assert told["recipe"]["every_answer"] == bool(told["setup"]["shots"])
    plain = suited(usual, Setup())
    assert plain is usual


@pytest.mark.parametrize("setup", [Setup(), Setup(shots=2, picks="nearest")], ids=["plain", "with examples"])
@pytest.mark.parametrize(("tokens", "recipes"), [(120_000, 2), (10_000_000, len(RECIPES))])
def test_the_runner_up_is_trained_at_length_too_and_all_recipes_where_that_is_paid_for(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setup: Setup, tokens: int, recipes: int
) -> None:
    told = Form(added="Be brief.")
    monkeypatch.setattr("strategies.finetuning.race.best_instruction", lambda *_: (told, 100))
    result = run_with_scores(model, tmp_path, monkeypatch, ([setup], tokens), lambda _: 0.5)
    trained = [entry.tuning for entry in result.entries if entry.looks and entry.tuning.setup == setup]
    assert trained == [Tuning(setup, suited(recipe, setup)) for recipe in RECIPES[:recipes]]
    others = [entry.tuning for entry in result.entries if entry.looks and entry.tuning.setup != setup]
    also = [Tuning(replace(setup, form=form), suited(RECIPES[0], setup)) for form in (told, Form(instruct=False))]
    assert sorted(others, key=also.index) == (also if recipes > 2 else []), "what is best untuned, and no instruction"
    assert not result.narrow


def test_of_the_sentences_of_the_library_the_one_is_tuned_with_which_the_model_answers_best_untuned(
    tmp_path: Path,
) -> None:
    task = tiny.benchmark("extraction").task
    known, right = library(task), {Query.of(case.input).input: case.output for case in task.examples}
    assert len(known) > 1

    def answer(prompt: Prompt) -> str:
        return right[prompt[-1].content] if prompt[0].content.endswith(helps) else ""

    cases = task.folds[0].selection
    for helps in known[:2]:
        bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=answer))
        form, tokens = best_instruction(PipelineBuilder(task, bench), Setup(), cases)
        assert form == Form(added=helps)
        assert tokens == sum(usage.computed_tokens for usage in bench.spent) > 0
        silent = replace(bench, language=ScriptedModel(name="m", answer=lambda _: ""))
        assert best_instruction(PipelineBuilder(task, silent), Setup(), cases) == (form, tokens), "from the journal"
    helps = "never said"
    bench = tiny.Bench(folder=tmp_path, language=ScriptedModel(name="m", answer=answer))
    assert best_instruction(PipelineBuilder(task, bench), Setup(), cases)[0] is None, "they cannot be told apart"


@pytest.mark.parametrize(("runner_up", "taken"), [(0.7, 1), (0.6, 0), (-1.0, 0)])
def test_the_runner_up_is_trained_on_the_better_setup_and_taken_where_it_answers_better(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner_up: float, taken: int
) -> None:
    def score(tuning: Tuning) -> float:
        return runner_up if tuning.recipe == RECIPES[1] else 0.6 if tuning.setup.form.instruct else 0.5

    setups = [Setup(form=Form(instruct=False)), Setup(form=Form())]
    result = run_with_scores(model, tmp_path, monkeypatch, (setups, 120_000), score)
    trained = {entry.tuning for entry in result.entries if entry.looks}
    assert trained == {*(Tuning(setup, RECIPES[0]) for setup in setups), Tuning(setups[1], RECIPES[1])}
    assert result.tuning == Tuning(setups[1], RECIPES[taken])


def run_after(
    problems: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[RaceResult, list[Recipe]]:
    """A race whose short trainings ended so, and the recipes that were trained at length, in their order."""
    tried: list[Recipe] = []

    def attempt(self: Race, entry: Entry, recipe: Recipe, on: tuple[int, Sequence[Case], Sequence[Case]]) -> None:
        if not on[2]:
            entry.problem = problems[RECIPES.index(entry.tuning.recipe)]
            return
        tried.append(entry.tuning.recipe)
        entry.loss, entry.looks = 1.0, [Look((0.5,) * len(on[2]), (), {})]

    monkeypatch.setattr(Race, "_attempt", attempt)
    monkeypatch.setattr("strategies.finetuning.race.row_tokens", lambda *_: 20)
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    bench = tiny.Bench(folder=folder, language=silent, tuning_tokens=25_000)
    builder = PipelineBuilder(tiny.benchmark("generation", examples=300).task, bench)
    return Race("lora", builder, [Setup()]).run(), tried


def test_where_no_short_training_lowers_the_loss_one_at_length_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few steps from where the adapter begins may well make it worse; every approach is fitted once."""
    result, tried = run_after([UNMOVED] * 6, tmp_path, monkeypatch)
    assert tried[:2] == list(RECIPES[:2])
    assert result.tuning.recipe == RECIPES[0]
    _, tried = run_after(["loss NaN", UNMOVED, *["loss NaN"] * 4], tmp_path, monkeypatch)
    assert tried == [RECIPES[1]], "what diverged in a few steps is not tried in many"
    with pytest.raises(Diverged, match="loss NaN"):
        run_after(["loss NaN"] * 6, tmp_path, monkeypatch)


def run_with_scores(
    model: LocalModel,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[Sequence[Setup], int],
    score: Callable[[Tuning], float],
) -> RaceResult:
    """A race in which the recipes come in their order and each training at length scores so; `given`: setups, budget."""

    def short(self: Race, tuning: Tuning, turn: tuple[int, int]) -> Entry:
        return Entry(tuning, [], loss=1.0 + turn[0])

    def long(self: Race, tuning: Tuning, *_: object) -> Entry:
        return Entry(tuning, [Look((score(tuning),), (), {})])

    monkeypatch.setattr(Race, "_short", short)
    monkeypatch.setattr(Race, "_long", long)
    setups, tokens = given
    bench = tiny.Bench(folder=folder, language=model, tuning_tokens=tokens)
    return Race("lora", PipelineBuilder(tiny.benchmark("extraction").task, bench), setups).run()


def test_a_forecast_has_the_training_that_is_made_whatever_the_budget() -> None:
    (lora,) = candidates((Lora(),), ("m",))

    def choosing(budget: int) -> float:
        return needed(tiny.benchmark(), lora, Options(tuning_tokens=budget), Further()).read[0]

    assert choosing(100_000) == 100_000
    assert choosing(1) == choosing(2) > 1_000


@pytest.mark.parametrize(("examples", "budget", "times"), [(250, 60_000, 1), (600, 60_000, 2), (600, 10_000_000, 1)])
def test_a_forecast_has_the_training_that_finds_when_to_stop(examples: int, budget: int, times: int) -> None:
    """Which is made where so many examples are kept apart, and the search is too small to find it; a second seed does without."""
    (lora,) = candidates((Lora(),), ("m",))
    found = needed(tiny.benchmark(examples=examples), lora, Options(tuning_tokens=budget), Further())
    first, _, again = found.trained
    assert first == times * again > 0


def test_a_forecast_has_the_refit_on_all_examples_as_far_as_it_is_paid_for() -> None:
    """A training that stops early leaves room for another one, which was told only where two whole ones are paid for."""
    (lora,) = candidates((Lora(),), ("m",))
    found = needed(tiny.benchmark(examples=600), lora, Options(tuning_tokens=40_000), Further())
    first, _, again = found.trained
    assert first == REFIT * 40_000 > 1.2 * again


@pytest.mark.parametrize(("row", "recipes", "long"), [(20, 6, 3), (60, 6, 1), (100, 3, 1), (270, 0, 1)])
def test_the_race_leaves_what_one_training_at_length_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: float, recipes: int, long: int
) -> None:
    """At quick effort, with rows of so many tokens."""
    tried: list[int] = []

    def attempt(self: Race, entry: Entry, recipe: Recipe, on: tuple[int, Sequence[Case], Sequence[Case]]) -> None:
        _, cases, look_at = on
        entry.tokens += round(price(row, len(cases), recipe.epochs) + row * len(look_at))
        entry.loss, entry.looks = 1.0, [Look((0.5,) * len(look_at), (), {})]
        tried.append(len(look_at))

    monkeypatch.setattr(Race, "_attempt", attempt)
    monkeypatch.setattr("strategies.finetuning.race.row_tokens", lambda *_: row)
    language = ScriptedModel(name="silent", answer=lambda _: "")
    bench = tiny.Bench(folder=tmp_path, language=language, tuning_tokens=25_000)
    builder = PipelineBuilder(tiny.benchmark("generation", examples=300).task, bench)
    result = Race("lora", builder, [Setup(form=Form()), Setup(form=Form(instruct=False))]).run()
    assert sum(entry.tokens for entry in result.entries) <= bench.tuning_tokens
    assert [bool(looked) for looked in tried] == [False] * recipes + [True] * long
    assert min(tried[recipes:]) >= 20
    assert result.narrow == (long < 3)


def test_the_prompt_without_the_instruction_is_trained_too(model: LocalModel, tmp_path: Path) -> None:
    bench = tiny.Bench(folder=tmp_path, language=model, tuning_tokens=80_000)
    _, long, told = raced(Lora(), "classification", bench)
    scores = {trial.configuration["setup"]["form"]["instruct"]: trial.score for trial in long}
    assert set(scores) == {True, False}
    assert scores[told["setup"]["form"]["instruct"]] == max(scores.values())


@pytest.mark.parametrize(
    ("right", "asked", "first"), [(38, 48, "lower loss"), (30, 48, "more right"), (32, 40, "more right")]
)
def test_recipes_on_one_setup_that_answers_do_not_tell_apart_are_ordered_by_validation_loss(
    model: LocalModel, tmp_path: Path, right: int, asked: int, first: str
) -> None:
    """One right more of 48 is chance. What has other rows is ordered by answers alone: its losses are of something else."""
    builder = PipelineBuilder(tiny.benchmark().task, tiny.Bench(folder=tmp_path, language=model))

    def entry(recipe: Recipe, counts: tuple[int, int], loss: float, setup: Setup) -> Entry:
        scores = (1.0,) * counts[0] + (0.0,) * (counts[1] - counts[0])
        return Entry(Tuning(setup, recipe), [Look(scores, (), {})], loss=loss)

    tried = {
        "more right": entry(RECIPES[0], (39, 48), 1.1, Setup()),
        "lower loss": entry(RECIPES[2], (right, asked), 0.8, Setup()),
        "other rows": entry(RECIPES[0], (37, 48), 0.1, Setup(form=Form(instruct=False))),
    }
    lengths = Lengths(10.0, 10.0, (100,), 3)
    (lead, _), *_ = in_order(builder, [(each, lengths) for each in tried.values()])
    assert lead is tried[first]


@pytest.mark.parametrize(("times", "tried"), [(2.9, False), (3.1, True)])
def test_where_whole_trainings_are_paid_for_every_approach_has_one_without_the_instruction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: float, tried: bool
) -> None:
    """Of three as long as all that is trained. Elsewhere it would make the others shorter. Of equals the shorter is taken."""
    shares: list[float] = []

    def long(self: Race, tuning: Tuning, means: tuple[float, int], turn: tuple[int, int]) -> Entry:
        shares.append(means[0])
        return Entry(tuning, [Look((0.5,), (), {})])

    monkeypatch.setattr(Race, "_long", long)
    monkeypatch.setattr(Race, "_short", lambda _, tuning, turn: Entry(tuning, [], loss=1.0 + turn[0]))
    monkeypatch.setattr("strategies.finetuning.race.best_instruction", lambda *_: (None, 0))
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    task, setup = tiny.benchmark("generation", examples=60).task, Setup()

    def race(budget: float) -> Race:
        bench = tiny.Bench(folder=tmp_path, language=silent, tuning_tokens=round(budget))
        return Race("distilled lora", PipelineBuilder(task, bench), [setup])

    length = race(1)._lengths(Tuning(setup, RECIPES[0]))
    result = race(times * length.whole).run()
    assert result.tuning.setup.form.instruct is not tried
    assert len(shares) == 2 + tried
    assert min(shares) >= sum(price(length.row, rows, length.epochs) for rows in length.folds)


@pytest.mark.parametrize(("times", "shares"), [(2.9, [0.0, 0.0]), (3.1, [0.0, 0.0, WITHOUT])])
def test_where_whole_trainings_are_paid_for_one_learns_a_share_without_the_right_passage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: float, shares: list[float]
) -> None:
    """What answers better on the selection cases is taken."""
    tried: list[float] = []

    def long(self: Race, tuning: Tuning, means: tuple[float, int], turn: tuple[int, int]) -> Entry:
        tried.append(tuning.setup.lacking)
        return Entry(tuning, [Look((0.5 + tuning.setup.lacking,), (), {})])

    monkeypatch.setattr(Race, "_long", long)
    monkeypatch.setattr(Race, "_short", lambda _, tuning, turn: Entry(tuning, [], loss=1.0 + turn[0]))
    monkeypatch.setattr("strategies.finetuning.race.best_instruction", lambda *_: (None, 0))
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    task, setup = tiny.benchmark("qa", examples=60).task, Setup(passages=1)

    def race(budget: float) -> Race:
        bench = tiny.Bench(folder=tmp_path, language=silent, tuning_tokens=round(budget))
        return Race("lora + retrieval", PipelineBuilder(task, bench), [setup])

    result = race(times * race(1)._lengths(Tuning(setup, RECIPES[0])).whole).run()
    assert tried == shares
    assert result.tuning.setup.lacking == max(shares)


def test_labels_that_rest_on_documents_are_never_read_off(tmp_path: Path) -> None:
    """Of `kind: qa` with labels the race of lora + retrieval ended in a fault: what was looked at held shares of labels."""
    task = replace(tiny.benchmark("classification", examples=60).task, kind="qa", documents=tiny.rooms())
    speaker = ScriptedModel(name="speaker", answer=lambda _: "refund")
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=speaker))
    assert builder.reading(Setup(passages=1)) is None
    questions = tiny.benchmark("qa").task
    assert PipelineBuilder(questions, builder.bench).reading(Setup(passages=1)) is not None


def test_no_share_without_the_right_passage_is_tried_where_none_is_shown_or_examples_are_such_lessons(
    tmp_path: Path,
) -> None:
    silent = ScriptedModel(name="silent", answer=lambda _: "")
    task = tiny.benchmark("qa", examples=60).task
    builder = PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=silent))
    assert lacking(builder, [Setup(), Setup(passages=1)], RECIPES) == [WITHOUT]
    assert lacking(builder, [Setup(passages=1)], RECIPES[:1]) == [], "it comes after a runner-up"
    assert lacking(builder, [Setup()], RECIPES) == []
    none = [Case(id=f"n{n}", input=f"Who drives {n}?", output="not in the handbook") for n in range(30)]
    folds = (replace(task.folds[0], train=(*task.folds[0].train, *none)), *task.folds[1:])
    declining = PipelineBuilder(replace(task, folds=folds), tiny.Bench(folder=tmp_path, language=silent))
    assert lacking(declining, [Setup(passages=1)], RECIPES) == []
    labels = tiny.benchmark("classification", examples=60).task
    unnamed = replace(labels, documents=tiny.rooms())
    told_apart = PipelineBuilder(unnamed, tiny.Bench(folder=tmp_path, language=silent))
    assert lacking(told_apart, [Setup(passages=1)], RECIPES) == [], "all lessons would be the same"


@pytest.mark.parametrize(("with_it", "without", "taken"), [(0.5, 0.5, False), (0.6, 0.5, True), (0.5, 0.6, False)])
def test_of_two_that_are_as_good_the_shorter_prompt_is_taken(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_it: float, without: float, taken: bool
) -> None:
    def scored(self: Race, tuning: Tuning, *_: object) -> Entry:
        score = with_it if tuning.setup.form.instruct else without
        return Entry(tuning, [Look((score,), (), {})])

    monkeypatch.setattr(Race, "_long", scored)
    builder = PipelineBuilder(tiny.benchmark().task, tiny.Bench(folder=tmp_path, language=model, tuning_tokens=80_000))
    result = Race("lora", builder, [Setup(form=Form()), Setup(form=Form(instruct=False))]).run()
    assert result.tuning.setup.form.instruct == taken


def test_what_is_learnt_and_what_it_is_judged_by_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, silent = tiny.benchmark("generation", examples=60).task, ScriptedModel(name="silent", answer=lambda _: "")
    race = Race("lora", PipelineBuilder(task, tiny.Bench(folder=tmp_path, language=silent)), [Setup()])
    setup, tried, taught = Setup(shots=2, picks="nearest"), list[Any](), list[Any]()
    monkeypatch.setattr(Race, "_attempt", lambda self, entry, recipe, on: tried.append(on))
    race._long(Tuning(setup, RECIPES[0]), (1e6, 10), (0, 1))
    assert [number for number, *_ in tried] == [0, 1, 2]
    for number, learnt, asked in tried:
        assert all(case in task.folds[number].train for case in learnt)
        assert len(asked) == 10
        assert all(case in task.folds[number].selection for case in asked)

    def noted(bench: Any, data: Any, recipe: Any) -> Any:
        taught.append(data)
        raise Diverged("noted")

    monkeypatch.setattr("strategies.finetuning.race.train", noted)
    assert race._train_and_look(setup, RECIPES[0], tried[1]).notes == {"problem": "noted"}
    ((rows, validation, _),) = taught
    train, selection = ({case.input for case in part} for part in (task.folds[1].train, task.folds[1].selection))
    asked = [{row.prompt[-1].content for row in part} for part in (rows, validation)]
    assert asked[0] == train
    assert asked[1] <= selection
    shown = {turn.content for row in (*rows, *validation) for turn in row.prompt[:-1] if turn.role == "user"}
    assert len(shown) > 2
    assert shown <= train


def test_without_the_instruction_only_the_labels_and_the_input_are_told() -> None:
    task = tiny.benchmark().task
    told, asked = Renderer.of(task, Form(instruct=False)).request("where is it?")
    assert (told.content, asked.content) == ("", "where is it?")
    told, _ = Renderer.of(task, Form(instruct=False, show_labels=True)).request("where is it?")
    assert told.content.startswith("Possible answers: ")
