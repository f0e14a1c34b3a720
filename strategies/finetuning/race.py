"""Chooses how to tune: a race of recipes on part of the examples, then the leaders at length, within a token budget."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, cast

from strategies.answers import Request
from strategies.contract import (
    Case,
    DeadAdapter,
    Diverged,
    Message,
    Query,
    Recipe,
    Training,
    TrainingRow,
    Trains,
    Usage,
    Workbench,
)
from strategies.finetuning import lengths
from strategies.finetuning.besides import best_instruction, lacking, without_instruction
from strategies.finetuning.checkpoints import discard
from strategies.finetuning.lengths import Lengths
from strategies.finetuning.ordered import UNMOVED, by_loss, in_order, trial_of
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.rendering import Form
from strategies.search import Look, content_key, journalled, total, used
from strategies.selection import PipelineBuilder, evidence_of

RECIPES = (
    Recipe(learning_rate=1e-3, batch_size=8),
    Recipe(learning_rate=2e-3, batch_size=8),
    Recipe(learning_rate=2e-3, batch_size=8, alpha=128),
    Recipe(learning_rate=1e-3, batch_size=8, rank=32, alpha=64),
    Recipe(learning_rate=2e-3, batch_size=16),
    Recipe(learning_rate=5e-4, batch_size=8),
)
"""Learning rates in LoRA's own range; small batches; all linear layers (LoRA Without Regret, 2025). The likeliest first. The
scale of an adapter is alpha over rank; what takes many steps is learnt better with a larger one (LOG.md)."""
SMOOTHING = 0.1
"""Of targets that are labels: there it pays with several hundred examples (LOG.md)."""
KEPT = ("best_epoch", "averaged", "truncated_rows")
"""Of a training that is done, what the journal has besides its losses and what it took."""


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
    """How many made what was kept of the longest training, by validation loss; 0 while it learnt nothing."""
    best: int = 0
    """The best of these by itself; all are made where their mean is kept."""
    averaged: bool = False
    """The mean of the weights over the last half of its steps had a lower validation loss than any of them."""
    cut_off: bool = False
    """The last epoch that the budget paid for was the best one, and the recipe has more."""
    loss: float = math.inf
    """Mean validation loss of what its trainings kept, by which the short ones are ranked: an answer token."""
    tokens: int = 0
    problem: str = ""
    notes: list[Mapping[str, Any]] | None = None

    @property
    def score(self) -> float:
        scores = [score for look in self.looks for score in look.scores]
        return sum(scores) / len(scores) if scores else -1.0


@dataclass(frozen=True)
class RaceResult:
    """The race's end: the winner and what it knew."""

    tuning: Tuning
    entry: Entry
    entries: tuple[Entry, ...]
    narrow: bool
    """The budget did not pay for a short training of every recipe, or for a long one of every setup and of the runner-up."""


class Race:
    """Races recipes by validation loss, then trains the best on every setup that the budget pays for, and scores answers.

    The race is run on prompts without examples and passages: they are the shortest, and a learning rate that suits the
    model and the task there does with more before the question (LOG.md). So short a race prefers what learns quickly: where
    the budget pays for it the runner-up is trained at length too, on the better setup, and its answers decide, or where they
    do not tell the two apart the validation loss. Where it pays for whole trainings so are the others, and the best on the
    instruction with which the model answers best untuned, and on none.
    """

    def __init__(self, approach: str, builder: PipelineBuilder, setups: Sequence[Setup]) -> None:
        self.approach, self.builder, self.setups = approach, builder, tuple(setups)
        self.task, self.bench = builder.task, builder.bench
        self.recipes = tuple(replace(each, smoothing=SMOOTHING) for each in RECIPES) if self.task.labels else RECIPES
        self._rows: dict[tuple[Setup, int], float] = {}

    def run(self) -> RaceResult:
        entered = self.recipes[: self._entrants()]
        raced = Setup(form=self.setups[0].form)
        short = [self._short(Tuning(raced, recipe), (place, len(entered))) for place, recipe in enumerate(entered)]
        spent = sum(entry.tokens for entry in short)
        short, recipes = by_loss(short)
        long, narrow = self._lengthen(recipes or [self.recipes[0]], self.bench.tuning_tokens - spent)
        for entry in (*long, *short):
            self._tell(entry)
        best = long[0]
        if best.score < 0:
            raise DeadAdapter(best.problem or "no training improved the selection loss")
        setup = self._read_instead(best) or best.tuning.setup
        narrow |= len(entered) < len(self.recipes)
        return RaceResult(replace(best.tuning, setup=setup), best, (*long, *short), narrow)

    def _entrants(self) -> int:
        """How many recipes the budget pays a short training for."""
        setup = Setup(form=self.setups[0].form)
        short = lengths.price(self._row(setup, 0), len(self._paid_for(setup, 0, self._short_means)))
        return lengths.entrants(len(RECIPES), short, self._means)

    def _row(self, setup: Setup, fold: int) -> float:
        """Tokens of a row in training on the fold."""
        if (setup, fold) not in self._rows:
            self._rows[setup, fold] = row_tokens(self.builder, setup, self.task.folds[fold].train)
        return self._rows[setup, fold]

    def _lengths(self, tuning: Tuning, fold: int = 0) -> Lengths:
        row = self._row(tuning.setup, fold)
        look = row * (2 if self.builder.reading(tuning.setup) else 1)
        return Lengths(row, look, tuple(len(each.train) for each in self.task.folds), tuning.recipe.epochs)

    def _lengthen(self, recipes: Sequence[Recipe], budget: float) -> tuple[list[Entry], bool]:
        """What is trained at length, best first; and whether the budget was too small for every setup and the runner-up."""
        leading = [Tuning(setup, suited(recipes[0], setup)) for setup in self.setups]
        sizes = [self._lengths(tuning) for tuning in leading]
        told, spent = self._told() if lengths.shared_out(sizes, len(recipes), budget).further > 1 else (None, 0)
        budget -= spent
        forms = [form for form in (told, without_instruction(self.setups, recipes)) if form is not None]
        shares = lacking(self.builder, self.setups, recipes)
        parts = lengths.shared_out(sizes, len(recipes) + len(shares) + len(forms), budget)
        share = budget / sum(parts)
        cases = min(each.looked_at(share) for each in sizes[: parts.setups])
        tried: list[tuple[Entry, Lengths]] = []

        def train(tuning: Tuning, length: Lengths) -> None:
            means = (share - cases * length.look, cases)
            tried.append((self._long(tuning, means, (len(tried), sum(parts))), length))
            tried[:] = in_order(self.builder, tried)

        for tuning, length in zip(leading[: parts.setups], sizes, strict=False):
            train(tuning, length)
        better = tried[0][0].tuning.setup
        others = [Tuning(better, suited(recipe, better)) for recipe in recipes[1:]]
        varied = [replace(better, lacking=share) for share in shares if better.passages]
        varied += [replace(better, form=form) for form in forms]
        others[1:1] = [Tuning(setup, suited(recipes[0], better)) for setup in varied]
        for tuning in others[: parts.further]:
            train(tuning, self._lengths(tuning))
        narrow = parts.setups < len(leading) or (len(recipes) > 1 and not parts.further)
        return [entry for entry, _ in tried], narrow

    def _told(self) -> tuple[Form | None, int]:
        """The form with which the untuned model answers best of those of the library, and the tokens of finding it."""
        looked_at = _sample(self.task.folds[0].selection, lengths.LOOK, self.bench.seed)
        return best_instruction(self.builder, self.setups[0], looked_at)

    def _read_instead(self, entry: Entry) -> Setup | None:
        """The setup that reads answers off, where that was right more often than writing them on the same cases."""
        reading = self.builder.reading(entry.tuning.setup)
        notes = [note["read"] for note in entry.notes or [] if "read" in note]
        if reading is None or not notes:
            return None
        setup = replace(entry.tuning.setup, reading=reading)
        looks = [self.builder.settled(setup, Look((), (), {"evidence": evidence_of(notes)}))]
        read = replace(entry, looks=looks)
        if read.score <= entry.score:
            return None
        entry.looks, entry.notes = looks, [look.notes for look in looks]
        return setup

    # ------------------------------------------------------------ the two lengths

    @property
    def _short_means(self) -> tuple[float, int]:
        """Tokens of one short training, and its least number of examples."""
        row = self._row(Setup(form=self.setups[0].form), 0)
        return lengths.short_tokens(len(RECIPES), row, self._means), lengths.FEWEST_ROWS

    @property
    def _means(self) -> tuple[float, float]:
        """The budget, and what of it the one training at length takes that is always made."""
        return self.bench.tuning_tokens, lengths.least_search(self._row(self.setups[0], 0))

    def _short(self, tuning: Tuning, turn: tuple[int, int]) -> Entry:
        """At most one pass over as many examples as an equal part of the share pays for."""
        self.bench.progress(*turn, f"{self.approach}: short trainings")
        cases = self._paid_for(tuning.setup, 0, self._short_means)
        entry = Entry(tuning, [])
        self._attempt(entry, replace(tuning.recipe, epochs=1), (0, cases, ()))
        return entry

    def _long(self, tuning: Tuning, means: tuple[float, int], turn: tuple[int, int]) -> Entry:
        """Up to the recipe's epochs on the first fold, on further folds while the share of the budget lasts.

        `means`: tokens for the training, and how many answers are scored; those of the first fold are paid for. `turn`: which
        training of how many this is.
        """
        share, size = means
        entry = Entry(tuning, [])
        for number, fold in enumerate(self.task.folds):
            self.bench.progress(*turn, f"{self.approach}: long trainings")
            cases = self._paid_for(tuning.setup, number, (means[0], lengths.ONLY_ROWS))
            look_at = _sample(fold.selection, size, self.bench.seed)
            length = self._lengths(tuning, number)
            share -= len(look_at) * length.look if number else 0.0
            epochs = min(tuning.recipe.epochs, max(1, lengths.epochs_for(share, length.row, len(cases))))
            share -= lengths.price(length.row, len(cases), epochs)
            if number and share < 0:
                break
            self._attempt(entry, replace(tuning.recipe, epochs=epochs), (number, cases, look_at))
            if entry.problem:
                break
        return entry

    def _paid_for(self, setup: Setup, fold: int, means: tuple[float, int]) -> list[Case]:
        """The seeded sample of the fold's examples that (tokens, least number of examples) pay for once; all in their order where
        they can."""
        cases, rows = self.task.folds[fold].train, lengths.rows_for(means[0], self._row(setup, fold), means[1])
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
        (look,) = journalled(
            self.bench,
            [parts],
            lambda _: [self._train_and_look(entry.tuning.setup, recipe, on)],
            self.bench.model.name,
        )
        look = self.builder.settled(entry.tuning.setup, look)
        for usage in look.usage:
            self.bench.record(usage)
        entry.tokens += look.tokens(self.bench.model)
        entry.problem = str(look.notes.get("problem", ""))
        if entry.problem:
            return
        entry.looks.append(look)
        entry.cases += len(look.scores)
        entry.notes = [*(entry.notes or []), look.notes]
        entry.loss = sum(note["loss"] for note in entry.notes) / len(entry.notes)
        entry.cut_off |= look.notes["best_epoch"] == recipe.epochs < entry.tuning.recipe.epochs
        entry.best = max(entry.best, int(look.notes["best_epoch"]))
        entry.epochs = max(entry.epochs, int(look.notes["epochs"]))
        entry.averaged |= bool(look.notes["averaged"])

    def _train_and_look(self, setup: Setup, recipe: Recipe, on: tuple[int, Sequence[Case], Sequence[Case]]) -> Look:
        """Trains on the cases, validates on the fold's selection rows, scores; the trial's adapter is then removed."""
        fold, cases, look_at = on
        validation = _sample(self.task.folds[fold].selection, lengths.validated(len(cases)), self.bench.seed)
        pipeline = self.builder.build(setup, self.task.folds[fold].train)
        data = TrainingData.of(pipeline, cases, validation)
        try:
            training = train(self.bench, data, recipe)
        except Diverged as error:
            return Look((), error.usage, {"problem": str(error)})
        try:
            look = self._look(replace(pipeline, adapter=training.folder), training, look_at)
        finally:
            shutil.rmtree(training.folder, ignore_errors=True)
        discard(training.folder)
        return look

    def _look(self, tuned: Pipeline, training: Training, look_at: Sequence[Case]) -> Look:
        """What the trained adapter answers on the cases, written and, where that can be done, read off the passages."""
        if training.best_epoch == 0:
            return Look((), training.usage, {"problem": UNMOVED})
        notes: dict[str, Any] = {name: getattr(training, name) for name in ("best_epoch", "epochs", "averaged")}
        notes["loss"] = training.kept_loss
        if not look_at:
            return Look((), training.usage, notes)
        look = self.builder.examine(tuned, look_at)
        usage, notes = (*training.usage, *look.usage), {**look.notes, **notes}
        if (reading := self.builder.reading(tuned.setup)) is not None:
            read = self.builder.examine(replace(tuned, setup=replace(tuned.setup, reading=reading)), look_at)
            usage, notes = (*usage, *read.usage), {**notes, "read": read.notes}
        return Look(look.scores, usage, notes)

    def _tell(self, entry: Entry) -> None:
        self.bench.tried(trial_of(self.builder, self.approach, entry))


def suited(recipe: Recipe, setup: Setup) -> Recipe:
    """Where prompts show examples, their answers are learnt too: so half of the passes teach as much, with half of the rows
    a step (LOG.md)."""
    if not setup.shots:
        return recipe
    epochs, rows = (math.ceil(number / 2) for number in (recipe.epochs, recipe.batch_size))
    return replace(recipe, every_answer=True, epochs=epochs, batch_size=rows)


def row_tokens(builder: PipelineBuilder, setup: Setup, cases: Sequence[Case]) -> float:
    """Tokens that a row costs in training, about: what all prompts begin with is read once a batch."""
    sample = _sample(cases, 24, builder.bench.seed)
    rows = rows_of(builder.build(setup, cases), sample)
    model = builder.bench.model
    lead = [turns[0] for turns in zip(*(row.prompt for row in rows), strict=False) if len(set(turns)) == 1]
    saved = model.count(tuple(lead)) * (1 - 1 / RECIPES[0].batch_size) if lead else 0.0
    whole = sum(model.count((*row.prompt, Message("assistant", row.answer))) for row in rows)
    return max(1.0, whole / len(rows) - saved)


def rows_of(pipeline: Any, cases: Sequence[Case]) -> list[TrainingRow]:
    """Training rows in the very form that answering uses; an example is never its own demonstration, nor is one of its group."""
    return _rows(pipeline, pipeline.requests([Query.of(case.input) for case in cases], cases, misses=True), cases)


def _rows(pipeline: Any, requests: Sequence[Request], cases: Sequence[Case]) -> list[TrainingRow]:
    rows = []
    for request, case in zip(requests, cases, strict=True):
        cut = len(request.prompt[-1].asked) < len(case.input)
        rows.append(TrainingRow(prompt=request.prompt, answer=pipeline.renderer.answer(case), cut=cut))
    return rows


class TrainingData(NamedTuple):
    """What is trained on and what is validated on, and what was used to look up what their prompts show."""

    rows: Sequence[TrainingRow]
    validation: Sequence[TrainingRow]
    looked_up: tuple[Usage, ...] = ()

    @classmethod
    def of(cls, pipeline: Any, cases: Sequence[Case], validation: Sequence[Case]) -> TrainingData:
        taught, judged = ([Query.of(case.input) for case in part] for part in (cases, validation))
        parts = [pipeline.requests(taught, cases, misses=True), pipeline.requests(judged, validation)]
        used = [
            replace(each.looked_up, step="training") for part in parts for each in part if each.looked_up is not None
        ]
        return cls(_rows(pipeline, parts[0], cases), _rows(pipeline, parts[1], validation), total(used))


def train(bench: Workbench, data: TrainingData, recipe: Recipe, keep: bool = False) -> Training:
    """Trains into the run's folder by content, and goes on with a training that was cut off. With `keep`, a finished one
    is taken from the journal; without, the caller discards its checkpoints once it needs the training no more."""
    text = [[[(turn.role, turn.content) for turn in row.prompt], row.answer] for part in data[:2] for row in part]
    key = content_key(["training", bench.model.fingerprint, text, len(data.rows), asdict(recipe), bench.seed])
    folder = bench.folder / "adapters" / key[:24]
    known = bench.journal.get(key) if keep else None
    if known is not None and folder.is_dir():
        return Training(
            folder=folder,
            losses=tuple(known["losses"]),
            validation_losses=(),
            usage=used(known, bench.model.name),
            **{name: known[name] for name in KEPT},
        )
    shutil.rmtree(folder, ignore_errors=True)
    training = cast(Trains, bench.model).train(data.rows, data.validation, recipe, folder, bench.seed)
    training = replace(training, usage=(*training.usage, *data.looked_up))
    if keep:
        bench.journal.put(
            key,
            {
                "losses": list(training.losses),
                **{name: getattr(training, name) for name in KEPT},
                "usage": [asdict(row) for row in training.usage],
                "model": bench.model.name,
            },
        )
        discard(folder)
    return training


def _sample(cases: Sequence[Case], size: int, seed: int) -> list[Case]:
    order = sorted(cases, key=lambda case: case.id)
    random.Random(seed).shuffle(order)
    return order[:size]
