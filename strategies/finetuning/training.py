"""The LoRA training loop: loss on the answer only, batches of similar length, float32 masters of the adapter's weights."""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategies.contract import Diverged, Recipe, Step, Training, TrainingRow, Usage
from strategies.finetuning import adapters, lowrank
from strategies.finetuning.checkpoints import Checkpoints, State, discard
from strategies.finetuning.master_weights import MasterWeights
from strategies.finetuning.packs import (
    Encoded,
    Pack,
    answer_loss,
    answer_tokens,
    batches,
    cached,
    encode,
    losses,
    packed,
    packs_agree,
    parts_of,
    portions,
    positions,
    room_of,
)
from strategies.finetuning.partner import Partner, alongside, threads_shared
from strategies.finetuning.smoothed import with_others
from strategies.finetuning.weight_average import WeightAverage

if TYPE_CHECKING:
    from strategies.models.local import LocalModel

PATIENCE = 2
"""Epochs without a better validation loss after which training stops: one that is worse may be chance while the rate is high."""
BETAS = (0.9, 0.95)
"""Of AdamW: with the usual 0.999 the squares of gradients are still tiny when a training that has learnt nearly all meets a row
that it has not, and the step that follows undoes what was learnt (LOG.md)."""


def train_adapter(
    model: LocalModel,
    data: tuple[Sequence[TrainingRow], Sequence[TrainingRow]],
    recipe: Recipe,
    folder: Path,
    seed: int,
) -> Training:
    """Trains on `data[0]`; with validation rows in `data[1]` keeps the epoch of lowest validation loss, or the mean of the
    weights over the last half where its loss is lower still. Without, `recipe.averaged` says which of the two is kept.

    The same training, cut off before, goes on where its last checkpoint is. `checkpoints.discard` removes these.
    Raises `Diverged` when a loss is not a finite number.
    """
    start = time.perf_counter()
    rows = [encode(model.chat, row, recipe.max_tokens, recipe.every_answer) for row in data[0]]
    held = [encode(model.chat, row, recipe.max_tokens) for row in data[1]]
    if recipe.smoothing:
        held, rows = with_others(held, rows), with_others(rows, rows)
    checkpoints = Checkpoints.beside(folder, _identity(model, (rows, held), recipe, seed))
    with alongside(model, rows, recipe, seed) as partners:
        module = adapters.attach(model.placed(model.base()), recipe, seed)
        if not model.quantised:
            lowrank.fold(module)
        run = _Run(module, recipe, seed, start)
        run.share_with(partners)
        try:
            run.train(rows, held, checkpoints)
            run.restore_best()
        except Diverged as error:
            discard(folder)
            error.usage = run.usage(model.name)
            raise
    run.masters.hand_over()
    adapters.save(module, folder, (model.name, model.weights_fingerprint), model.quantised)
    return Training(
        folder=folder,
        losses=tuple(run.losses),
        validation_losses=tuple(run.validation_losses),
        best_epoch=run.best_epoch,
        averaged=run.averaged,
        kept_loss=run.kept_loss,
        truncated_rows=sum(row.truncated for row in rows),
        usage=run.usage(model.name),
    )


def _identity(model: LocalModel, data: Sequence[Sequence[Encoded]], recipe: Recipe, seed: int) -> str:
    """A hash of all that a training depends on."""
    rows = [[[row.ids, row.answer_start] for row in part] for part in data]
    parts = [model.fingerprint, model.attention, asdict(recipe), BETAS, seed, rows]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass
class _Tally:
    """What was read: tokens of prompts and answers, those of beginnings that were read before, and how long it took."""

    tokens: int = 0
    shared: int = 0
    answers: int = 0
    seconds: float = 0.0

    def add(self, batch: Sequence[Encoded], passes: Sequence[Pack]) -> None:
        self.tokens += sum(len(row.ids) for row in batch)
        self.answers += answer_tokens(batch)
        self.shared += cached(passes)

    def usage(self, model: str, step: Step, seconds: float) -> Usage:
        return Usage(
            model=model,
            step=step,
            prompt_tokens=self.tokens - self.answers,
            cached_tokens=self.shared,
            answer_tokens=self.answers,
            seconds=seconds,
        )


class _Run:
    """One training: the optimizer, the schedule, and what was seen on the way."""

    def __init__(self, module: Any, recipe: Recipe, seed: int, start: float) -> None:
        import torch

        self.module, self.recipe, self.start = module, recipe, start
        self.parts = parts_of(module)
        self.whole = not packs_agree(self.parts)
        self.room = room_of(self.parts)
        """Positions of a pass; fewer once one did not fit the memory of the device."""
        self.partners: list[Partner] = []
        self.masters = MasterWeights.of(module)
        self.optimizer = torch.optim.AdamW(
            [self.masters.vector], lr=recipe.learning_rate, betas=BETAS, weight_decay=0.0
        )
        self.dice = random.Random(seed)
        self.losses: list[float] = []
        self.validation_losses: list[float] = []
        self.best: Any = None
        self.best_epoch = 0
        self.average = WeightAverage()
        self.averaged = False
        self.kept_loss: float | None = None
        self.trained, self.validated = _Tally(), _Tally()
        self.sums = (0.0, 0)
        """Loss and answer tokens of the batches of this epoch so far."""
        self.done, self.batch = 0, 0
        """Batches in all, and in this epoch."""

    def train(self, rows: Sequence[Encoded], held: Sequence[Encoded], checkpoints: Checkpoints) -> None:
        steps = math.ceil(len(rows) / self.recipe.batch_size) * self.recipe.epochs
        if self.recipe.epochs > 1 and (held or self.recipe.averaged):
            self.average = WeightAverage(steps)
        if (state := checkpoints.newest()) is not None:
            self._go_on_from(state)
        elif held:
            self._validated(held)
        while len(self.losses) < self.recipe.epochs and len(self.losses) - self.best_epoch < PATIENCE:
            self._epoch(rows, steps, checkpoints)
            self.best_epoch = len(self.losses)
            if held:
                self._validated(held)
                self.best_epoch = min(range(self.best_epoch + 1), key=self.validation_losses.__getitem__)
        if checkpoints.due:
            checkpoints.write(self._state(self.dice.getstate()))
        self.kept_loss = min(self.validation_losses, default=None)
        self._average(held)

    def _average(self, held: Sequence[Encoded]) -> None:
        """Keeps the mean of the weights over the last half, where there are rows to validate on if it has the lowest loss."""
        mean = self.average.mean
        if mean is None or self.best_epoch == 0:
            return
        self.masters.put(mean)
        if held:
            value = self._loss_of(held)
            if value >= min(self.validation_losses):
                return
            self.kept_loss = value
        self.best, self.averaged = mean, True

    def _epoch(self, rows: Sequence[Encoded], steps: int, checkpoints: Checkpoints) -> None:
        """What is left of it."""
        self.module.train()
        before = self.dice.getstate()
        for batch in batches(rows, self.recipe.batch_size, self.dice)[self.batch :]:
            loss, answers = self._step(batch, self._rate(self.done, steps))
            self.done, self.batch = self.done + 1, self.batch + 1
            self.average.update(self.done, self.masters.vector)
            self.sums = self.sums[0] + loss, self.sums[1] + answers
            if checkpoints.due:
                checkpoints.write(self._state(before))
        self.losses.append(self.sums[0] / self.sums[1])
        self.sums, self.batch = (0.0, 0), 0

    @property
    def elapsed(self) -> float:
        """Seconds of this training, those of earlier processes included."""
        return time.perf_counter() - self.start

    def _state(self, dice: Any) -> State:
        """All that is needed to go on; `dice` as they lay when the epoch began."""
        import torch

        moments = self.optimizer.state[self.masters.vector]
        tensors = {"weights": self.masters.vector.detach(), "random": torch.get_rng_state(), **moments}
        if self.masters.vector.is_cuda:
            tensors["random of the device"] = torch.cuda.get_rng_state(self.masters.vector.device)
        if self.best is not None:
            tensors["best"] = self.best
        if self.average.total is not None:
            tensors["trail"] = self.average.total
        plain = ("losses", "validation_losses", "best_epoch", "sums", "done", "batch", "elapsed")
        facts = {name: getattr(self, name) for name in plain} | {"passed": self.average.count}
        return State(tensors, {**facts, "dice": dice, "tallies": [asdict(self.trained), asdict(self.validated)]})

    def _go_on_from(self, state: State) -> None:
        import torch

        tensors, facts = dict(state.tensors), dict(state.facts)
        torch.set_rng_state(tensors.pop("random"))
        place = self.masters.vector.device
        if (drawn := tensors.pop("random of the device", None)) is not None:
            torch.cuda.set_rng_state(drawn, place)
        best, average = tensors.pop("best", None), tensors.pop("trail", None)
        self.best = None if best is None else best.to(place)
        self.average.total, self.average.count = None if average is None else average.to(place), facts.pop("passed")
        weights = tensors.pop("weights")
        self.optimizer.state[self.masters.vector] = {
            name: value if name == "step" else value.to(place) for name, value in tensors.items()
        }
        self.masters.put(weights)
        version, numbers, gauss = facts.pop("dice")
        self.dice.setstate((version, tuple(numbers), gauss))
        self.trained, self.validated = (_Tally(**tally) for tally in facts.pop("tallies"))
        self.sums, self.start = tuple(facts.pop("sums")), self.start - facts.pop("elapsed")
        for name, value in facts.items():
            setattr(self, name, value)

    def restore_best(self) -> None:
        if self.best is not None:
            self.masters.put(self.best)
        if not self.masters.finite:
            raise Diverged(f"the adapter's weights are not finite at a learning rate of {self.recipe.learning_rate:g}")

    def usage(self, model: str) -> tuple[Usage, ...]:
        """What the model was trained on so far, and what it was validated with."""
        trained = self.trained.usage(model, "training", self.elapsed - self.validated.seconds)
        validated = self.validated.usage(model, "search", self.validated.seconds)
        return (trained, validated) if self.validated.tokens else (trained,)

    def _rate(self, done: int, steps: int) -> float:
        """Linear warm-up, then linear to zero."""
        warm = max(1, round(steps * self.recipe.warmup_share))
        share = (done + 1) / warm if done < warm else (steps - done) / max(1, steps - warm)
        return self.recipe.learning_rate * share

    def share_with(self, partners: Sequence[Partner]) -> None:
        """Waits until the others have loaded; without those that could not, and alone where rows are read one by one."""
        ready = [each for each in partners if each.ready()]
        self.partners = [] if self.whole else ready

    def _shared_out(self, batch: Sequence[Encoded]) -> list[list[Pack]]:
        """The passes of this process, then those of each partner: of this one alone where each would read about all of it."""
        alone = packed(self.parts, batch, self.whole, self.room)
        if not self.partners:
            return [alone]
        shares = [packed(self.parts, part, room=self.room) for part in portions(batch, 1 + len(self.partners))]
        longest = max(map(positions, shares))
        return shares if self.partners[0].slower * longest < positions(alone) else [alone]

    def _step(self, batch: Sequence[Encoded], rate: float) -> tuple[float, int]:
        import torch

        answers, value = answer_tokens(batch), 0.0
        shares = self._shared_out(batch)
        self.masters.vector.grad.zero_()
        for loss in self._losses(shares, answers):
            value += loss
            if not math.isfinite(value):
                raise Diverged(f"the training loss became {value} at a learning rate of {self.recipe.learning_rate:g}")
        torch.nn.utils.clip_grad_norm_([self.masters.vector], 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.masters.publish()
        self.trained.add(batch, [one for passes in shares for one in passes])
        return value, answers

    def _losses(self, shares: Sequence[Sequence[Pack]], answers: int) -> Iterator[float]:
        """The loss of each pass, its gradients added: those of this process first, then each partner's."""
        mine, *theirs = shares
        given = list(zip(list(self.partners), theirs, strict=False))
        asked = [(partner, passes) for partner, passes in given if self._asked(partner, passes, answers)]
        left = [passes for partner, passes in given if partner not in self.partners]
        with threads_shared([partner for partner, _ in asked]):
            yield from self._own_losses(mine, answers)
        for partner, passes in asked:
            try:
                yield from partner.losses(self.masters)
            except (EOFError, OSError):
                self.partners.remove(partner)
                left.append(passes)
        for passes in left:
            yield from self._own_losses(passes, answers)

    def _asked(self, partner: Partner, passes: Sequence[Pack], answers: int) -> bool:
        try:
            partner.ask(passes, answers, self.masters)
        except OSError:
            self.partners.remove(partner)
        return partner in self.partners

    def _own_losses(self, passes: Sequence[Pack], answers: int) -> Iterator[float]:
        waiting = list(passes)
        while waiting:
            one = waiting.pop(0)
            loss = self._own_loss(one, answers)
            if loss is None:
                waiting = [*packed(self.parts, one[1], self.whole, self.room), *waiting]
            else:
                yield loss

    def _own_loss(self, one: Pack, answers: int) -> float | None:
        """The loss of a pass, its gradients added; None where it took more memory than there is and fewer rows may fit."""
        import torch

        try:
            (loss,) = losses(self.module, [one], self.whole, self.recipe.smoothing)
            (loss / answers).backward()
        except torch.OutOfMemoryError:
            self.masters.drop_gradients()
            if len(one[1]) == 1:
                raise
            self.room = max(1, min(self.room, positions([one])) // 2)
        else:
            self.masters.take_gradients()
            return float(loss.detach())
        torch.cuda.empty_cache()
        return None

    def _validated(self, held: Sequence[Encoded]) -> None:
        """Notes the validation loss, and keeps the weights when it is the lowest so far."""
        value = self._loss_of(held)
        if self.best is None or value < min(self.validation_losses):
            self.best = self.masters.vector.detach().clone()
        self.validation_losses.append(value)

    def _loss_of(self, held: Sequence[Encoded]) -> float:
        """Mean loss per answer token of rows that are not trained on; raises `Diverged` where it is no number."""
        import torch

        start = time.perf_counter()
        self.module.eval()
        total = count = 0.0
        ordered = sorted(held, key=lambda row: len(row.ids))
        with torch.inference_mode():
            for first in range(0, len(ordered), 16):
                batch = ordered[first : first + 16]
                loss, answers = answer_loss(self.module, batch, self.whole, self.recipe.smoothing)
                self.validated.add(batch, packed(self.parts, batch, self.whole))
                total, count = total + float(loss), count + answers
        value = total / count
        if not math.isfinite(value):
            raise Diverged(f"the validation loss became {value}")
        self.validated.seconds += time.perf_counter() - start
        return value
