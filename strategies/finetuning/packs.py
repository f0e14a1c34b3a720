"""Rows to train on as tokens, in batches and in packs that are read in one pass, and the loss on their answers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from strategies.contract import Prompt, TrainingRow
from strategies.finetuning.headloss import loss_of, summed_loss
from strategies.finetuning.smoothed import Targets
from strategies.models.agreement import close
from strategies.models.batching import common_prefix
from strategies.models.blockwise import is_blockwise
from strategies.models.chat import Chat
from strategies.models.parts import Parts

PACK_TOKENS = 768
"""Positions of a pass over a pack on a CPU: enough to keep the matrix products busy, few enough for one attention."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of prompt and answer, where the answer begins, and where (from, to) earlier answers stand that are learnt."""

    ids: tuple[int, ...]
    answer_start: int
    truncated: bool = False
    earlier: tuple[tuple[int, int], ...] = ()
    others: tuple[tuple[int, ...], ...] = ()
    """Of each token that is learnt those with which other answers go on there; empty where nothing is smoothed."""

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where (from, to) answers stand that are learnt."""
        return (*self.earlier, (self.answer_start, len(self.ids)))

    @property
    def learnt(self) -> list[int]:
        """Places of the tokens that the loss falls on."""
        return [place for span in self.spans for place in range(*span)]

    @property
    def wanted(self) -> list[int]:
        """The tokens that the loss falls on."""
        return [self.ids[place] for place in self.learnt]


def encode(chat: Chat, row: TrainingRow, limit: int, every_answer: bool = False) -> Encoded:
    """The very tokens that answering sees, then the answer and the end of the turn; an over-long prompt loses its head."""
    prompt, answer = chat.encode(row.prompt), chat.encode_answer(row.answer)
    earlier = _earlier_answers(chat, row.prompt, prompt) if every_answer else []
    cut = max(0, len(prompt) + min(len(answer), limit - 1) - limit)
    truncated = row.cut or len(prompt) + len(answer) > limit
    answer = answer[: limit - 1]
    spans = tuple((first - cut, last - cut) for first, last in earlier if first > cut)
    return Encoded((*prompt[cut:], *answer), len(prompt) - cut, truncated, spans)


def _earlier_answers(chat: Chat, turns: Prompt, ids: Sequence[int]) -> list[tuple[int, int]]:
    """Where in the prompt's tokens its earlier answers stand, with the ends of their turns where the template has such; none
    that the template writes in other tokens."""
    found = []
    for place, turn in enumerate(turns):
        if turn.role == "assistant":
            before = chat.encode_text(chat.text_before(turns, place).removesuffix(chat.frame.space))
            offered = (
                [*before, *answer] for answer in (chat.encode_answer(turn.content), chat.encode_label(turn.content))
            )
            found += [(len(before), len(whole)) for whole in offered if whole == [*ids[: len(whole)]]][:1]
    return found


Pack = tuple[int, list[Encoded]]
"""Length of the beginning that the rows share, and the rows of one pass."""


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


def packs(batch: Sequence[Encoded], tokens: int) -> list[Pack]:
    """(length of the shared beginning, rows) of the passes that a batch is read in, about `tokens` positions each."""
    shared = min(common_prefix([row.ids for row in batch]), min(row.learnt[0] for row in batch) - 1)
    found: list[Pack] = []
    room = 0
    for row in batch:
        size = len(row.ids) - shared
        if not found or size > room:
            found.append((shared, []))
            room = tokens - shared
        found[-1][1].append(row)
        room -= size
    return [(skip if len(rows) > 1 else 0, rows) for skip, rows in found]


def answer_loss(model: Any, batch: Sequence[Encoded], whole: bool = False, smoothing: float = 0.0) -> tuple[Any, int]:
    """Summed cross-entropy over the answer tokens of a batch, and how many there are.

    The rows of a pack stand in one sequence behind what their prompts begin with, which is read once, and do not see each
    other. The head runs on the answers' positions only. With `whole` every row is read as the model itself does.
    """
    return sum(losses(model, packed(parts_of(model), batch, whole), whole, smoothing)), answer_tokens(batch)


def answer_tokens(batch: Sequence[Encoded]) -> int:
    """How many tokens the loss falls on."""
    return sum(len(row.learnt) for row in batch)


def parts_of(model: Any) -> Parts:
    """Those of the model that a peft model wraps, or of the model itself."""
    return Parts(model.get_base_model() if hasattr(model, "get_base_model") else model)


def losses(model: Any, passes: Sequence[Pack], whole: bool, smoothing: float = 0.0) -> Iterator[Any]:
    """The summed cross-entropy of one pass after the other, so that the states of one need be held at a time; a share `smoothing`
    of each target lies on all tokens that answers have there."""
    parts = parts_of(model)
    for shared, rows in passes:
        targets = Targets.of(rows, smoothing, parts.device)
        if whole:
            yield loss_of(read_whole(parts, rows[0]), targets)
        else:
            yield summed_loss(parts, read_pack(parts, shared, rows), targets)


def packed(parts: Parts, batch: Sequence[Encoded], whole: bool = False, room: int = 0) -> list[Pack]:
    """The passes that a batch is read in: packs of `room` positions or as many as suit the device, or with `whole` one row
    each."""
    if whole:
        return [(0, [row]) for row in batch]
    return packs(batch, room or room_of(parts))


def room_of(parts: Parts) -> int:
    """Positions of a pass over a pack, about."""
    return PACK_TOKENS if parts.device.type == "cpu" else 4 * PACK_TOKENS


def portions(batch: Sequence[Encoded], number: int) -> list[list[Encoded]]:
    """The rows in so many parts with about the same number of tokens, or each row alone where there are fewer rows."""
    parts: list[list[Encoded]] = [[] for _ in range(min(number, len(batch)))]
    for row in sorted(batch, key=lambda row: -len(row.ids)):
        min(parts, key=lambda part: sum(len(known.ids) for known in part)).append(row)
    return parts


def cached(passes: Sequence[Pack]) -> int:
    """Tokens of beginnings that were read for another row of the same pass."""
    return sum((len(rows) - 1) * shared for shared, rows in passes)


def positions(passes: Sequence[Pack]) -> int:
    """Tokens that are read."""
    return sum(len(row.ids) for _, rows in passes for row in rows) - cached(passes)


def read_whole(parts: Parts, row: Encoded) -> Any:
    """float32 logits before each token that is learnt of one row."""
    import torch

    logits = parts.model(input_ids=torch.tensor([row.ids], device=parts.device), use_cache=False).logits[0]
    return logits[[place - 1 for place in row.learnt]].float()


def read_pack(parts: Parts, shared: int, rows: Sequence[Encoded]) -> Any:
    """Hidden states before each token that is learnt of the rows of a pack, read in one pass."""
    import torch

    ids, places, owners = list(rows[0].ids[:shared]), list(range(shared)), [-1] * shared
    starts = [0] * shared
    asked: list[int] = []
    for number, row in enumerate(rows):
        start = len(ids) - shared
        asked += [start + place - 1 for place in row.learnt]
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
    return hidden[torch.tensor(asked, device=device)]


def packs_agree(parts: Parts) -> bool:
    """Whether two short rows in a pack get the logits that the model's own forward pass gives each of them."""
    import torch

    size = parts.model.config.get_text_config().vocab_size
    rows = [Encoded(tuple(token % size for token in ids), 3) for ids in ((5, 6, 7, 8, 9), (5, 6, 8, 7))]
    with torch.no_grad():
        own = torch.cat([read_whole(parts, row) for row in rows])
        try:
            return parts.attention.known and close(parts.logits(read_pack(parts, 2, rows)), own, parts.model.dtype)
        except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
            return False
