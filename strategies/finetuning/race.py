"""Chooses how to tune: a race of recipes on part of the examples, then the leaders at length, within a token budget."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from strategies.contract import (
    Case,
    DeadAdapter,
    Diverged,
    Query,
    Recipe,
    Training,
    TrainingRow,
    Trains,
    Trial,
    Usage,
    Workbench,
)
from strategies.pipeline import Setup
from strategies.search import Look, content_key, journalled
from strategies.selection import Kitchen, evidence_of

RECIPES = (
    Recipe(learning_rate=1e-3, batch_size=8),
    Recipe(learning_rate=2e-3, batch_size=8),
    Recipe(learning_rate=5e-4, batch_size=8),
    Recipe(learning_rate=2e-3, batch_size=16),
    Recipe(learning_rate=1e-3, batch_size=16),
    Recipe(learning_rate=1e-3, batch_size=8, rank=32, alpha=64),
)
"""Learning rates in LoRA's own range; small batches; all linear layers (LoRA Without Regret, 2025)."""
SHORT_ROWS, LONG_ROWS = 32, 64
"""Examples of a short training and of a long one, at least: with fewer there is nothing to tell apart."""
SHORT_LOOK, LONG_LOOK, VALIDATION = 32, 96, 64
"""Selection cases scored after a short training and after a long one; at most that many rows of the validation loss."""
SHORT_SHARE = 0.35
"""Share of the budget for the short trainings; the rest is for the long ones."""


@dataclass(frozen=True)
class Tuning:
    """One configuration: how requests look, and how the adapter is trained."""

    setup: Setup
    recipe: Recipe


@dataclass
class Entry:
    """How one configuration did."""

    tuning: Tuning
    looks: list[Look]
    cases: int = 0
    epochs: int = 0
    """The best epoch by validation loss in the longest training; 0 while it learnt nothing."""
    problem: str = ""
    notes: list[Mapping[str, Any]] | None = None

    @property
    def score(self) -> float:
        scores = [score for look in self.looks for score in look.scores]
        return sum(scores) / len(scores) if scores else -1.0

    @property
    def tokens(self) -> int:
        return sum(look.tokens for look in self.looks)


@dataclass(frozen=True)
class Finish:
    """The race's end: the winner, how many epochs its refit takes, and what it knew."""

    tuning: Tuning
    entry: Entry
    entries: tuple[Entry, ...]
    rising: bool


class Race:
    """Races recipes on the first setup, then the best recipe on every setup and the runner-up on the first."""

    def __init__(self, approach: str, kitchen: Kitchen, setups: Sequence[Setup]) -> None:
        self.approach, self.kitchen, self.setups = approach, kitchen, tuple(setups)
        self.task, self.bench = kitchen.task, kitchen.bench

    def run(self) -> Finish:
        short = [self._short(Tuning(self.setups[0], recipe), place) for place, recipe in enumerate(RECIPES)]
        short.sort(key=lambda entry: -entry.score)
        if short[0].score < 0:
            raise Diverged(short[0].problem)
        leaders = [Tuning(setup, short[0].tuning.recipe) for setup in self.setups]
        if len(self.setups) == 1:
            leaders.append(short[1].tuning)
        share = self.bench.tuning_tokens * (1 - SHORT_SHARE) / len(leaders)
        long = [self._long(tuning, share, place, len(leaders)) for place, tuning in enumerate(leaders)]
        long.sort(key=lambda entry: -entry.score)
        for entry in (*long, *short):
            self._tell(entry)
        best = long[0]
        if best.score < 0:
            raise DeadAdapter(best.problem or "no training improved the selection loss")
        recipe = replace(best.tuning.recipe, epochs=max(1, best.epochs))
        rising = best.epochs >= best.tuning.recipe.epochs
        setup = self._read_instead(best) or best.tuning.setup
        return Finish(Tuning(setup, recipe), best, (*long, *short), rising)

    def _read_instead(self, entry: Entry) -> Setup | None:
        """The setup that reads answers off, where that was right more often than writing them on the same cases."""
        reading = self.kitchen.reading(entry.tuning.setup)
        notes = [note["read"] for note in entry.notes or [] if "read" in note]
        if reading is None or not notes:
            return None
        setup = replace(entry.tuning.setup, reading=reading)
        looks = [self.kitchen.settled(setup, Look((), (), {"evidence": evidence_of(notes)}))]
        read = replace(entry, looks=looks)
        if read.score <= entry.score:
            return None
        entry.looks, entry.notes = looks, [look.notes for look in looks]
        return setup

    # ------------------------------------------------------------ the two lengths

    def _short(self, tuning: Tuning, place: int) -> Entry:
        """At most one pass over as many examples as an equal part of the share pays for."""
        self.bench.progress(place, len(RECIPES), f"{self.approach}: short trainings")
        fold = self.task.folds[0]
        share = self.bench.tuning_tokens * SHORT_SHARE / len(RECIPES)
        cases = self._paid_for(tuning.setup, fold.train, (share, SHORT_ROWS))
        look_at = _sample(fold.selection, SHORT_LOOK, self.bench.seed)
        entry = Entry(tuning, [])
        self._attempt(entry, replace(tuning.recipe, epochs=1), (0, cases, look_at))
        return entry

    def _long(self, tuning: Tuning, share: float, place: int, total: int) -> Entry:
        """Up to the recipe's epochs on the first fold, on further folds while the share of the budget lasts."""
        entry = Entry(tuning, [])
        spent = 0.0
        for number, fold in enumerate(self.task.folds):
            self.bench.progress(place, total, f"{self.approach}: long trainings")
            cases = self._paid_for(tuning.setup, fold.train, (share, LONG_ROWS))
            epoch_price = 2.0 * self._row_tokens(tuning.setup, fold.train) * len(cases)
            epochs = min(tuning.recipe.epochs, max(1, math.floor((share - spent) / epoch_price)))
            if number and spent + epochs * epoch_price > share:
                break
            look_at = _sample(fold.selection, LONG_LOOK, self.bench.seed)
            self._attempt(entry, replace(tuning.recipe, epochs=epochs), (number, cases, look_at))
            if entry.problem:
                break
            spent += epochs * epoch_price
        return entry

    def _paid_for(self, setup: Setup, cases: Sequence[Case], means: tuple[float, int]) -> list[Case]:
        """The seeded sample that (tokens, least number of examples) pay for once; all cases in their order where it can."""
        tokens, least = means
        rows = max(least, int(tokens / (2 * self._row_tokens(setup, cases))))
        return list(cases) if rows >= len(cases) else _sample(cases, rows, self.bench.seed)

    def _attempt(self, entry: Entry, recipe: Recipe, on: tuple[int, Sequence[Case], Sequence[Case]]) -> None:
        fold, cases, look_at = on
        parts = (
            "tuned look",
            asdict(entry.tuning.setup),
            asdict(recipe),
            fold,
            [case.id for case in cases],
            [case.id for case in look_at],
        )
        look = journalled(self.bench, parts, lambda: self._train_and_look(entry.tuning.setup, recipe, on))
        look = self.kitchen.settled(entry.tuning.setup, look)
        for usage in look.usage:
            self.bench.record(usage)
        entry.problem = str(look.notes.get("problem", ""))
        if entry.problem:
            return
        entry.looks.append(look)
        entry.cases += len(look.scores)
        entry.notes = [*(entry.notes or []), look.notes]
        learnt = int(look.notes["best_epoch"])
        unfinished = learnt == recipe.epochs < entry.tuning.recipe.epochs
        entry.epochs = max(entry.epochs, entry.tuning.recipe.epochs if unfinished else learnt)

    def _train_and_look(self, setup: Setup, recipe: Recipe, on: tuple[int, Sequence[Case], Sequence[Case]]) -> Look:
        """Trains on the cases, validates on the fold's selection rows, scores; the trial's adapter is then removed."""
        fold, cases, look_at = on
        rows = min(VALIDATION, max(16, len(cases) // 2))
        validation = _sample(self.task.folds[fold].selection, rows, self.bench.seed)
        pipeline = self.kitchen.build(setup, self.task.folds[fold].train)
        try:
            training = train(self.bench, (rows_of(pipeline, cases), rows_of(pipeline, validation)), recipe)
        except Diverged as error:
            return Look((), (), {"problem": str(error)})
        if training.best_epoch == 0:
            shutil.rmtree(training.folder, ignore_errors=True)
            return Look((), (training.usage,), {"problem": "the selection loss did not improve"})
        tuned = replace(pipeline, adapter=training.folder)
        look = self.kitchen.examine(tuned, look_at)
        usage = (training.usage, *look.usage)
        notes = {**look.notes, "best_epoch": training.best_epoch, "losses": list(training.validation_losses)}
        long = len(look_at) >= min(LONG_LOOK, len(self.task.folds[fold].selection))
        if long and (reading := self.kitchen.reading(setup)) is not None:
            read = self.kitchen.examine(replace(tuned, setup=replace(setup, reading=reading)), look_at)
            usage, notes = (*usage, *read.usage), {**notes, "read": read.notes}
        shutil.rmtree(training.folder, ignore_errors=True)
        return Look(look.scores, usage, notes)

    def _row_tokens(self, setup: Setup, cases: Sequence[Case]) -> float:
        """Tokens that a row costs in training, about: what all prompts begin with is read once a batch."""
        sample = _sample(cases, 24, self.bench.seed)
        rows = rows_of(self.kitchen.build(setup, cases), sample)
        model = self.bench.model
        lead = [turns[0] for turns in zip(*(row.prompt for row in rows), strict=False) if len(set(turns)) == 1]
        saved = model.count(tuple(lead)) * (1 - 1 / RECIPES[0].batch_size) if lead else 0.0
        return max(1.0, sum(model.count(row.prompt) + len(row.answer) / 3 for row in rows) / len(rows) - saved)

    def _tell(self, entry: Entry) -> None:
        self.bench.tried(
            Trial(
                approach=self.approach,
                configuration=asdict(entry.tuning),
                score=max(0.0, entry.score),
                cases=entry.cases,
                tokens=entry.tokens,
            )
        )


def rows_of(pipeline: Any, cases: Sequence[Case]) -> list[TrainingRow]:
    """Training rows in the very form that answering uses; an example is never its own demonstration."""
    requests = pipeline.requests([Query.of(case.input) for case in cases], cases)
    return [
        TrainingRow(prompt=request.prompt, answer=pipeline.renderer.answer(case))
        for request, case in zip(requests, cases, strict=True)
    ]


def train(
    bench: Workbench, data: tuple[Sequence[TrainingRow], Sequence[TrainingRow]], recipe: Recipe, keep: bool = False
) -> Training:
    """Trains into the run's folder by content. With `keep`, a finished training is taken from the journal."""
    text = [[[(turn.role, turn.content) for turn in row.prompt], row.answer] for part in data for row in part]
    key = content_key(["training", text, len(data[0]), asdict(recipe), bench.seed])
    folder = bench.folder / "adapters" / key[:24]
    known = bench.journal.get(key) if keep else None
    if known is not None and folder.is_dir():
        return Training(
            folder=folder,
            losses=tuple(known["losses"]),
            validation_losses=(),
            best_epoch=known["best_epoch"],
            truncated_rows=known["truncated_rows"],
            usage=Usage(**known["usage"]),
        )
    shutil.rmtree(folder, ignore_errors=True)
    training = cast(Trains, bench.model).train(data[0], data[1], recipe, folder, bench.seed)
    if keep:
        bench.journal.put(
            key,
            {
                "losses": list(training.losses),
                "best_epoch": training.best_epoch,
                "truncated_rows": training.truncated_rows,
                "usage": asdict(training.usage),
            },
        )
    return training


def _sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    order = sorted(cases, key=lambda case: case.id)
    random.Random(seed).shuffle(order)
    return order[:size]
