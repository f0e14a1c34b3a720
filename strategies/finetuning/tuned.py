"""Fits a tuned pipeline: race the recipes, refit the winner on all examples, prove that the adapter is in effect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from strategies.answers import Prior
from strategies.contract import (
    Case,
    DeadAdapter,
    Diverged,
    Fitted,
    Generates,
    Query,
    Recipe,
    Task,
    Training,
    Trains,
    Workbench,
)
from strategies.finetuning.adapters import prove_effect
from strategies.finetuning.apart import kept_apart
from strategies.finetuning.race import Race, RaceResult, TrainingData, row_tokens, train
from strategies.finetuning.scaled import SHARES, ScoresByShare, scaled, tidied
from strategies.models.served import at_hand, prove_served
from strategies.pipeline import Pipeline, Setup, load_pipeline
from strategies.search import Look, Standing
from strategies.selection import PipelineBuilder, answers_of, evidence_of
from strategies.sources import WITHOUT

REFIT = 4
"""Tokens that the refit on all examples may train on, about, in units of the budget for choosing: one for all approaches."""
LONGER = 2
"""Times the recipe's epochs that a refit may make where examples kept apart end it, and all take no more tokens than choosing."""


class Tuned:
    """An approach that suits every task and is trained again where it is built once more; `Strategy` has the rest."""

    needs: ClassVar[tuple[type, ...]] = (Generates, Trains)

    def unsuitable(self, task: Task) -> str:
        return ""

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return load_pipeline(folder, bench)

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return refit(folder, task, bench)

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return refit(folder, task, bench)


@dataclass(frozen=True)
class RefitPlan:
    """How the winner is trained again: with how many epochs at most, and what is kept apart to tell when it is enough."""

    recipe: Recipe
    apart: tuple[Case, ...]
    saturated: bool
    """Neither the search nor the budget leaves anything open. Where examples are kept apart, they still may say so."""
    paid: int
    """Epochs that its budget pays for, about: those that are tried and those that are made for good."""

    @classmethod
    def of(cls, result: RaceResult, builder: PipelineBuilder) -> RefitPlan:
        """As many epochs as were best, or where the search could not pay for all of them as many as turn out to be; fewer
        where they would take much more than the refit's own budget."""
        recipe, examples, budget = result.tuning.recipe, builder.task.examples, builder.bench.tuning_tokens
        once = len(examples) * row_tokens(builder, result.tuning.setup, examples)
        affordable = round(REFIT * budget / once)
        apart = kept_apart(builder.task, builder.bench.seed) if result.entry.cut_off and affordable > 1 else ()
        wanted = recipe.epochs if result.entry.cut_off else max(1, result.entry.epochs)
        if apart:
            wanted = max(wanted, min(LONGER * recipe.epochs, round(budget / once)))
        epochs = max(1, min(wanted, affordable))
        found = bool(apart) or (not result.entry.cut_off and result.entry.best < recipe.epochs)
        saturated = not result.narrow and epochs == wanted and found
        recipe = replace(recipe, epochs=epochs, averaged=result.entry.averaged)
        return cls(recipe, apart, saturated, affordable)

    def settled(self, training: Training) -> RefitPlan:
        """As many epochs as turned out to be enough, on all examples: what was kept apart is learnt too, and what was stopped
        early settles, whose learning rate had hardly fallen. The same plan where that was not so or would cost too much."""
        enough, tried = training.epochs, len(training.losses)
        if not self.apart or tried + enough > self.paid:
            return self
        saturated = self.saturated and training.best_epoch < self.recipe.epochs
        recipe = replace(self.recipe, epochs=enough, averaged=training.averaged)
        return replace(self, recipe=recipe, apart=(), saturated=saturated)


@dataclass(frozen=True)
class ValidationResult:
    """What is known of the chosen configuration from cases that it did not learn: score, how many, and what came of each."""

    score: float
    cases: int
    notes: Sequence[Mapping[str, Any]]
    share: float = 1.0
    """Of what the adapter learnt, which answers best."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share -> mean score of the same cases; empty where all of it was used without a look."""
    setup: Setup | None = None
    """What answers best, where the refit's answers say so and not the race's."""

    @classmethod
    def by_race(cls, builder: PipelineBuilder, result: RaceResult) -> ValidationResult:
        standing = Standing(result.tuning.setup, notes=[*(result.entry.notes or ())])
        builder.judge(standing)
        score = standing.mean if standing.scores else result.entry.score
        return cls(score, result.entry.cases, standing.notes)

    @classmethod
    def by_refit(cls, builder: PipelineBuilder, refitted: Pipeline, apart: Sequence[Case]) -> ValidationResult:
        """By what was trained on all other examples, which answers these with several shares of its adapter, and where answers
        can be read off what is looked up in both ways. The race could pay for much shorter trainings only, and their answers
        tell little about those that will be given: one that has learnt little reads better than it writes."""
        adapter = refitted.adapter
        assert adapter is not None, "it was trained"
        setups = [refitted.setup, *_other_way(builder, refitted.setup)]
        looks = {
            (place, share): builder.examine(replace(refitted, setup=setup, adapter=scaled(adapter, share)), apart)
            for place, setup in enumerate(setups)
            for share in SHARES
        }
        for usage in (usage for look in looks.values() for usage in look.usage):
            builder.bench.record(usage)
        answered = ScoresByShare(
            {way: look.scores for way, look in looks.items()},
            {way: _worths(builder, setups[way[0]], look) for way, look in looks.items()},
        )
        place, share = answered.best
        tidied(adapter, share)
        means = {way: round(sum(scores) / len(scores), 4) for way, scores in answered.scores.items()}
        told = {f"{each:g}": means[place, each] for each in SHARES}
        return cls(answered.crossed, len(apart), (looks[place, share].notes,), share, told, setups[place])


def _other_way(builder: PipelineBuilder, setup: Setup) -> list[Setup]:
    """The setup that writes answers where this one reads them off, and the other way round where that can be done."""
    reading = builder.reading(setup)
    return [] if reading is None else [replace(setup, reading=reading if setup.reading is None else None)]


def _worths(builder: PipelineBuilder, setup: Setup, look: Look) -> Sequence[float]:
    """What each answer counts for in the choice: its worth to a metric over rows, where that is the task's, the log-share of the
    right label, where there are labels, or its score."""
    standing = Standing(setup, scores=[*look.scores], notes=[look.notes])
    builder.judge(standing)
    return standing.worths or builder.log_shares(setup, look) or look.scores


def fit_tuned(approach: str, builder: PipelineBuilder, setups: Sequence[Setup]) -> Pipeline:
    """Races the recipes, refits the winner on all examples, and proves that the adapter does something."""
    task, bench = builder.task, builder.bench
    result = Race(approach, builder, setups).run()
    again = RefitPlan.of(result, builder)
    plain = builder.build(result.tuning.setup, task.examples)
    bench.progress(0, 1, f"{approach}: refit on all {len(task.examples)} examples")
    training = _trained(plain, bench, again.recipe, again.apart)
    if training.best_epoch == 0:
        raise DeadAdapter("no epoch of the refit lowered the loss on the examples that were kept apart")
    validation = ValidationResult.by_race(builder, result)
    if again.apart:
        refitted = replace(without(plain, again.apart), adapter=training.folder)
        validation = ValidationResult.by_refit(builder, refitted, again.apart)
    planned, again = again, again.settled(training)
    if again is not planned:
        training = _trained(plain, bench, again.recipe, ())
    adapter = scaled(training.folder, validation.share)
    setup = validation.setup or result.tuning.setup
    pipeline = builder.finish(setup, evidence_of(validation.notes), adapter)
    effect = prove(plain, pipeline)
    if len(training.losses) > 1 and not training.losses[-1] < training.losses[0]:
        raise DeadAdapter(f"the training loss did not fall ({training.losses[0]:.3f} to {training.losses[-1]:.3f})")
    proof = {"logit_change": round(effect, 3), "examples": len(task.examples) - len(again.apart)}
    record = _record(validation, len(result.entries), (again, training))
    return replace(pipeline, record=record | proof | builder.noted)


def _trained(plain: Pipeline, bench: Workbench, recipe: Recipe, apart: Sequence[Case]) -> Training:
    """Trains on the pipeline's examples but for those that are kept apart, which end it; what it took is recorded."""
    taught = without(plain, apart)
    try:
        training = train(bench, TrainingData.of(taught, taught.sources.cases, apart), recipe, keep=True)
    except Diverged as error:
        for usage in error.usage:
            bench.record(usage)
        raise
    for usage in training.usage:
        bench.record(usage)
    return training


def without(plain: Pipeline, apart: Sequence[Case]) -> Pipeline:
    """The pipeline with all examples but these, which its prompts do not show either and its search has not learnt: their answers
    would be learnt by that, and their passages be found as those of no new request are."""
    kept = {case.id for case in apart}
    cases = tuple(case for case in plain.sources.cases if case.id not in kept)
    return replace(plain, sources=plain.sources.knowing(cases, plain.task)) if kept else plain


def prove(plain: Pipeline, tuned: Pipeline) -> float:
    """Largest change of the next-token logits that the adapter makes on a few examples; models that hide them give NaN."""
    base, adapted = at_hand(plain.speaker), at_hand(tuned.speaker)
    if base is None or adapted is None:
        return float("nan")
    requests = plain.requests([Query.of(case.input) for case in plain.task.examples[:4]])
    prove_served(plain.speaker, tuned.speaker, [request.prompt for request in requests])
    return prove_effect(base.parts, adapted.parts, [base.chat.encode(request.prompt) for request in requests])


def _record(validation: ValidationResult, tried: int, refit: tuple[RefitPlan, Training]) -> dict[str, Any]:
    again, training = refit
    unended = bool(again.apart) and training.best_epoch == again.recipe.epochs
    return {
        "selection_answers": answers_of(validation.notes),
        "recipe": asdict(again.recipe),
        "share": validation.share,
        "shares": dict(validation.shares),
        "best_epoch": training.epochs,
        "averaged": training.averaged,
        "kept_apart": len(again.apart),
        "selection_score": validation.score,
        "selection_cases": validation.cases,
        "configurations_tried": tried,
        "rising": not again.saturated or unended,
        "training_losses": [round(loss, 4) for loss in training.losses],
        "truncated_training_rows": training.truncated_rows,
    }


def refit(folder: Path, task: Task, bench: Workbench) -> Pipeline:
    """The configuration that was saved in `folder`, trained again with the workbench's seed; nothing is chosen anew.

    What learnt all examples does so again; what others kept apart stopped, for want of means, is stopped so again. Of fewer
    examples than it learnt, more epochs are made, at most twice as many: who has few trains longer. Raises `DeadAdapter` where
    nothing is learnt.
    """
    manifest = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    record = manifest["record"]
    setup = Setup.from_dict({"lacking": WITHOUT, **manifest["setup"]})  # What all had before it was chosen.
    recipe = Recipe(**record["recipe"])
    apart = kept_apart(task, bench.seed) if record.get("kept_apart") else ()
    epochs = recipe.epochs if apart else record.get("best_epoch", recipe.epochs)
    fewer = record.get("examples", 0) / (len(task.examples) - len(apart))
    recipe = replace(recipe, epochs=round(epochs * min(2.0, max(1.0, fewer**0.5))))
    plain = PipelineBuilder(task, bench).build(setup, task.examples)
    training = _trained(plain, bench, recipe, apart)
    if training.best_epoch == 0:
        raise DeadAdapter("no epoch lowered the loss on the examples that were kept apart")
    prior, adapter = manifest["prior"], scaled(training.folder, record.get("share", 1.0))
    return replace(plain, adapter=adapter, prior=None if prior is None else Prior(values=tuple(prior)))
