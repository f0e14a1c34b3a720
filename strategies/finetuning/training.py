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
from strategies.finetuning.headloss import summed_loss
from strategies.finetuning.masters import Masters
from strategies.models.agreement import close
from strategies.models.batching import common_prefix
from strategies.models.blockwise import is_blockwise
from strategies.models.chat import Chat
from strategies.models.parts import Parts

if TYPE_CHECKING:
    from strategies.models.local import LocalModel

PACK_TOKENS = 768
"""Positions of a pass over a pack on a CPU: enough to keep the matrix products busy, few enough for one attention."""
PATIENCE = 1
"""Epochs without a better validation loss after which training stops."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of prompt and answer, and where the answer begins."""

    ids: tuple[int, ...]
    answer_start: int
    truncated: bool = False


def encode(chat: Chat, row: TrainingRow, limit: int) -> Encoded:
    """The very tokens that answering sees, then the answer and the end of the turn; an over-long prompt loses its head."""
    prompt, answer = chat.encode(row.prompt), chat.encode_answer(row.answer)
    cut = len(prompt) + len(answer) > limit
    answer = answer[: limit - 1]
    prompt = prompt[-(limit - len(answer)) :]
    return Encoded(tuple(prompt + answer), len(prompt), cut)


def batches(rows: Sequence[Encoded], size: int, dice: random.Random) -> list[list[Encoded]]:
    """One epoch: shuffled, then sorted by length inside windows of eight batches, so that little is padded."""
    order = list(rows)
    dice.shuffle(order)
    window = size * 8
    cut: list[list[Encoded]] = []
    for start in range(0, len(order), window):
        part = sorted(order[start : start + window], key=lambda row: len(row.ids))
        cut += [part[first : first + size] for first in range(0, len(part), size)]
    dice.shuffle(cut)
    return cut


def packs(batch: Sequence[Encoded], tokens: int) -> list[tuple[int, list[Encoded]]]:
    """(length of the shared beginning, rows) of the passes that a batch is read in, about `tokens` positions each."""
    shared = min(common_prefix([row.ids for row in batch]), min(row.answer_start for row in batch) - 1)
    found: list[tuple[int, list[Encoded]]] = []
    room = 0
    for row in batch:
        size = len(row.ids) - shared
        if not found or size > room:
            found.append((shared, []))
            room = tokens - shared
        found[-1][1].append(row)
        room -= size
    return [(skip if len(rows) > 1 else 0, rows) for skip, rows in found]


def answer_loss(model: Any, batch: Sequence[Encoded], whole: bool = False) -> tuple[Any, int]:
    """Summed cross-entropy over the answer tokens of a batch, and how many there are.

    The rows of a pack stand in one sequence behind what their prompts begin with, which is read once, and do not see each
    other. The head runs on the answers' positions only. With `whole` every row is read as the model itself does.
    """
    return sum(_losses(model, batch, whole)), answer_tokens(batch)


def answer_tokens(batch: Sequence[Encoded]) -> int:
    """How many tokens the loss falls on."""
    return sum(len(row.ids) - row.answer_start for row in batch)


def _losses(model: Any, batch: Sequence[Encoded], whole: bool) -> Iterator[Any]:
    """The summed cross-entropy of one pass after the other, so that the states of one need be held at a time."""
    import torch

    parts = Parts(model.get_base_model() if hasattr(model, "get_base_model") else model)
    if whole:
        for row in batch:
            logits, wanted = _read_whole(parts, row)
            targets = torch.tensor(wanted, device=parts.device)
            yield torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
        return
    for pack in _packed(parts, batch):
        states, wanted = _read_pack(parts, *pack)
        yield summed_loss(parts, states, torch.tensor(wanted, device=parts.device))


def _packed(parts: Parts, batch: Sequence[Encoded]) -> list[tuple[int, list[Encoded]]]:
    return packs(batch, PACK_TOKENS if parts.device.type == "cpu" else 4 * PACK_TOKENS)


def _read_whole(parts: Parts, row: Encoded) -> tuple[Any, list[int]]:
    """float32 logits before each answer token of one row, and these tokens."""
    import torch

    logits = parts.model(input_ids=torch.tensor([row.ids], device=parts.device), use_cache=False).logits[0]
    return logits[row.answer_start - 1 : -1].float(), list(row.ids[row.answer_start :])


def _read_pack(parts: Parts, shared: int, rows: Sequence[Encoded]) -> tuple[Any, list[int]]:
    """Hidden states before each answer token of the rows of a pack, read in one pass, and these tokens."""
    import torch

    ids, places, owners = list(rows[0].ids[:shared]), list(range(shared)), [-1] * shared
    starts = [0] * shared
    asked: list[int] = []
    wanted: list[int] = []
    for number, row in enumerate(rows):
        start = len(ids) - shared
        asked += range(start + row.answer_start - 1, start + len(row.ids) - 1)
        wanted += row.ids[row.answer_start :]
        starts += [len(ids)] * (len(row.ids) - shared)
        ids += row.ids[shared:]
        places += range(shared, len(row.ids))
        owners += [number] * (len(row.ids) - shared)
    device = parts.device
    owner, place = torch.tensor(owners, device=device), torch.tensor([places], device=device)
    sees = ((owner[None, :] == owner[:, None]) | (owner[None, :] < 0)).tril()[None]
    mask = parts.attention.mask(sees, place, place, parts.model.dtype)
    given = {"input_ids": torch.tensor([ids], device=device), "position_ids": place, "attention_mask": mask}
    if is_blockwise(parts.model):
        given["pack"] = (shared, starts)
    hidden = parts.decoder(**given, use_cache=False).last_hidden_state[0]
    return hidden[torch.tensor(asked, device=device)], wanted


def packs_agree(parts: Parts) -> bool:
    """Whether two short rows in a pack get the logits that the model's own forward pass gives each of them."""
    import torch

    size = parts.model.config.get_text_config().vocab_size
    rows = [Encoded(tuple(token % size for token in ids), 3) for ids in ((5, 6, 7, 8, 9), (5, 6, 8, 7))]
    with torch.no_grad():
        own = torch.cat([_read_whole(parts, row)[0] for row in rows])
        try:
            return parts.attention.known and close(parts.logits(_read_pack(parts, 2, rows)[0]), own, parts.model.dtype)
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
            return False


def train_adapter(
    model: LocalModel,
    data: tuple[Sequence[TrainingRow], Sequence[TrainingRow]],
    recipe: Recipe,
    folder: Path,
    seed: int,
) -> Training:
    """Trains on `data[0]`; with validation rows in `data[1]` keeps the epoch of lowest validation loss.

    The same training, cut off before, goes on where its last checkpoint is. `checkpoints.discard` removes these.
    Raises `Diverged` when a loss is not a finite number.
    """
    import torch

    start = time.perf_counter()
    rows, held = ([encode(model.chat, row, recipe.max_tokens) for row in part] for part in data)
    checkpoints = Checkpoints.beside(folder, _identity(model, (rows, held), recipe, seed))
    base = model.base().to(device=model.placement.device, dtype=getattr(torch, model.placement.dtype))
    module = adapters.attach(base, recipe, seed)
    lowrank.fold(module)
    run = _Run(module, recipe, seed, start)
    try:
        run.train(rows, held, checkpoints)
        run.restore_best()
    except Diverged:
        discard(folder)
        raise
    module.float()
    run.masters.hand_over()
    adapters.save(module, folder, (model.name, model.weights_fingerprint))
    spent = [run.trained.usage(model.name, "training", run.elapsed - run.validated.seconds)]
    if held:
        spent.append(run.validated.usage(model.name, "search", run.validated.seconds))
    return Training(
        folder=folder,
        losses=tuple(run.losses),
        validation_losses=tuple(run.validation_losses),
        best_epoch=run.best_epoch,
        truncated_rows=sum(row.truncated for row in rows),
        usage=tuple(spent),
    )


def _identity(model: LocalModel, data: Sequence[Sequence[Encoded]], recipe: Recipe, seed: int) -> str:
    """A hash of all that a training depends on."""
    rows = [[[row.ids, row.answer_start] for row in part] for part in data]
    parts = [model.fingerprint, model.attention, asdict(recipe), seed, rows]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass
class _Tally:
    """What was read: tokens of prompts and answers, those of beginnings that were read before, and how long it took."""

    tokens: int = 0
    shared: int = 0
    answers: int = 0
    seconds: float = 0.0

    def add(self, module: Any, batch: Sequence[Encoded], whole: bool) -> None:
        self.tokens += sum(len(row.ids) for row in batch)
        self.answers += answer_tokens(batch)
        if not whole:
            self.shared += sum(
                (len(rows) - 1) * shared for shared, rows in _packed(Parts(module.get_base_model()), batch)
            )

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
        self.whole = not packs_agree(Parts(module.get_base_model()))
        self.masters = Masters.of(module)
        self.optimizer = torch.optim.AdamW([self.masters.vector], lr=recipe.learning_rate, weight_decay=0.0)
        self.dice = random.Random(seed)
        self.losses: list[float] = []
        self.validation_losses: list[float] = []
        self.best: Any = None
        self.best_epoch = 0
        self.trained, self.validated = _Tally(), _Tally()
        self.sums = (0.0, 0)
        """Loss and answer tokens of the batches of this epoch so far."""
        self.done, self.batch = 0, 0
        """Batches in all, and in this epoch."""

    def train(self, rows: Sequence[Encoded], held: Sequence[Encoded], checkpoints: Checkpoints) -> None:
        steps = math.ceil(len(rows) / self.recipe.batch_size) * self.recipe.epochs
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

    def _epoch(self, rows: Sequence[Encoded], steps: int, checkpoints: Checkpoints) -> None:
        """What is left of it."""
        self.module.train()
        before = self.dice.getstate()
        for batch in batches(rows, self.recipe.batch_size, self.dice)[self.batch :]:
            loss, answers = self._step(batch, self._rate(self.done, steps))
            self.done, self.batch = self.done + 1, self.batch + 1
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
            tensors["random of the device"] = torch.cuda.get_rng_state()
        if self.best is not None:
            tensors["best"] = self.best
        plain = ("losses", "validation_losses", "best_epoch", "sums", "done", "batch", "elapsed")
        facts = {name: getattr(self, name) for name in plain}
        return State(tensors, {**facts, "dice": dice, "tallies": [asdict(self.trained), asdict(self.validated)]})

    def _go_on_from(self, state: State) -> None:
        import torch

        tensors, facts = dict(state.tensors), dict(state.facts)
        torch.set_rng_state(tensors.pop("random"))
        if (device := tensors.pop("random of the device", None)) is not None:
            torch.cuda.set_rng_state(device)
        place = self.masters.vector.device
        with torch.no_grad():
            self.masters.vector.copy_(tensors.pop("weights"))
        best = tensors.pop("best", None)
        self.best = None if best is None else best.to(place)
        self.optimizer.state[self.masters.vector] = {
            name: value if name == "step" else value.to(place) for name, value in tensors.items()
        }
        self.masters.publish()
        version, numbers, gauss = facts.pop("dice")
        self.dice.setstate((version, tuple(numbers), gauss))
        self.trained, self.validated = (_Tally(**tally) for tally in facts.pop("tallies"))
        self.sums, self.start = tuple(facts.pop("sums")), self.start - facts.pop("elapsed")
        for name, value in facts.items():
            setattr(self, name, value)

    def restore_best(self) -> None:
        if self.best is not None:
            self.masters.vector.copy_(self.best)
        if not self.masters.finite:
            raise Diverged(f"the adapter's weights are not finite at a learning rate of {self.recipe.learning_rate:g}")
        self.masters.publish()

    def _rate(self, done: int, steps: int) -> float:
        """Linear warm-up, then linear to zero."""
        warm = max(1, round(steps * self.recipe.warmup_share))
        share = (done + 1) / warm if done < warm else (steps - done) / max(1, steps - warm)
        return self.recipe.learning_rate * share

    def _step(self, batch: Sequence[Encoded], rate: float) -> tuple[float, int]:
        import torch

        answers, value = answer_tokens(batch), 0.0
        self.masters.vector.grad.zero_()
        for loss in _losses(self.module, batch, self.whole):
            value += float(loss.detach())
            if not math.isfinite(value):
                raise Diverged(f"the training loss became {value} at a learning rate of {self.recipe.learning_rate:g}")
            (loss / answers).backward()
            self.masters.take_gradients()
        torch.nn.utils.clip_grad_norm_([self.masters.vector], 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.masters.publish()
        self.trained.add(self.module, batch, self.whole)
        return value, answers

    def _validated(self, held: Sequence[Encoded]) -> None:
        """Notes the validation loss, and keeps the weights when it is the lowest so far."""
        import torch

        start = time.perf_counter()
        self.module.eval()
        total = count = 0.0
        ordered = sorted(held, key=lambda row: len(row.ids))
        with torch.inference_mode():
            for first in range(0, len(ordered), 16):
                batch = ordered[first : first + 16]
                loss, answers = answer_loss(self.module, batch, self.whole)
                self.validated.add(self.module, batch, self.whole)
                total, count = total + float(loss), count + answers
        value = total / count
        if not math.isfinite(value):
            raise Diverged(f"the validation loss became {value}")
        if self.best is None or value < min(self.validation_losses):
            self.best = self.masters.vector.clone()
        self.validation_losses.append(value)
        self.validated.seconds += time.perf_counter() - start
