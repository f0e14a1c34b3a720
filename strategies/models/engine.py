"""Writes answers to many related prompts with one causal model: shared prefixes once, batches by tokens.

Everything goes through the model's own forward and cache. The head runs only at the positions that are wanted, on one
contiguous matrix (a batched head would copy the whole vocabulary matrix once a row).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from strategies.models import plain
from strategies.models.batching import DecodingOptions, Held, Ids, Written, plan_batches
from strategies.models.beginnings import beginning, leads, shares_beginnings, widen
from strategies.models.parts import Parts
from strategies.models.writing import pick, write


def generate(
    parts: Parts, prompts: Sequence[Ids], decoding: DecodingOptions, tokens: int
) -> Iterator[tuple[int, Written, int]]:
    """Yields (index, what was written, reused tokens); at temperature 0 the likeliest token each time.

    An answer that was cut off has exactly `decoding.most` ids.
    """
    import torch

    if parts.unfit:
        yield from plain.generate(parts.model, prompts, decoding, tokens)
        return
    with torch.inference_mode():
        if shares_beginnings(parts):
            begun = leads(parts, prompts)
            sizes = {row: lead.size for lead in begun for row in lead.rows}
            for row, written in write(parts, prompts, begun, decoding, tokens):
                yield row, written, sizes[row]
            return
        prefix, shared = beginning(parts, prompts)
        rest = [list(prompt[shared:]) for prompt in prompts]
        lengths, held = [len(item) for item in rest], Held(parts.positions, shared)
        for batch in plan_batches(lengths, decoding.max_tokens, tokens, held):
            run = _Decoding(parts, decoding, batch)
            run.start([rest[row] for row in batch], prefix, shared)
            for row, written in run.finish():
                yield row, written, shared


class _Decoding:
    """One batch on its way: rows that are finished leave it."""

    def __init__(self, parts: Parts, decoding: DecodingOptions, rows: tuple[int, ...]) -> None:
        import torch

        self.parts, self.decoding = parts, decoding
        self.rows = list(rows)
        self.answers: list[list[int]] = [[] for _ in rows]
        self.odds: list[list[float]] = [[] for _ in rows]
        self.follows = [decoding.follow(row) for row in rows] if decoding.follow else []
        self.dice = [torch.Generator().manual_seed(hash((decoding.seed, row)) & 0x7FFFFFFF) for row in rows]

    def start(self, rests: Sequence[Ids], prefix: Any, shared: int) -> None:
        """Reads the prompts. `filled` and `places` say of each slot of the cache whether it holds text, and which position."""
        import torch

        rows, width = len(rests), max(len(item) for item in rests)
        ids = torch.zeros((rows, width), dtype=torch.long)
        self.filled = torch.zeros((rows, shared + width), dtype=torch.bool)
        self.places = torch.zeros((rows, shared + width), dtype=torch.long)
        self.filled[:, :shared] = True
        self.places[:, :shared] = torch.arange(shared)
        for row, item in enumerate(rests):
            first = width - len(item)
            ids[row, first:] = torch.tensor(item)
            self.places[row, shared + first :] = shared + torch.arange(len(item))
            self.filled[row, shared + first :] = True
        self.cache = widen(self.parts, prefix, rows)
        self.logits = self._forward(ids)

    def finish(self) -> Iterator[tuple[int, Written]]:
        while self.rows:
            stay: list[int] = []
            fresh: list[list[int]] = []
            for slot, (token, odds) in enumerate(self._pick()):
                self.odds[slot].append(odds)
                if token in self.decoding.stop_ids:
                    yield self.rows[slot], Written(self.answers[slot], self.odds[slot])
                    continue
                written = [token, *(self.follows[slot].take(token) if self.follows else ())]
                self.answers[slot] = (self.answers[slot] + written)[: self.decoding.most]
                self.odds[slot] = [*self.odds[slot], *[0.0] * (len(written) - 1)][: self.decoding.most]
                whole = bool(self.follows) and self.follows[slot].whole
                if whole or len(self.answers[slot]) >= self.decoding.most:
                    yield self.rows[slot], Written(self.answers[slot], self.odds[slot])
                    continue
                stay.append(slot)
                fresh.append(written)
            if len(stay) < len(self.rows):
                self._keep(stay)
            if stay:
                self.logits = self._forward(self._append(fresh))

    def _append(self, fresh: Sequence[Sequence[int]]) -> Any:
        """Makes room for what was written, padded on the left; returns its ids."""
        import torch

        width = max(map(len, fresh))
        sizes = torch.tensor([[len(part)] for part in fresh])
        steps = torch.arange(width)[None] - (width - sizes)
        self.filled = torch.cat([self.filled, steps >= 0], 1)
        self.places = torch.cat([self.places, self.places[:, -1:] + 1 + steps.clamp(min=0)], 1)
        return torch.tensor([[0] * (width - len(part)) + list(part) for part in fresh])

    def _keep(self, stay: list[int]) -> None:
        import torch

        index = torch.tensor(stay, dtype=torch.long)
        self.rows = [self.rows[slot] for slot in stay]
        self.answers = [self.answers[slot] for slot in stay]
        self.odds = [self.odds[slot] for slot in stay]
        self.dice = [self.dice[slot] for slot in stay]
        self.follows = [self.follows[slot] for slot in stay] if self.follows else []
        if stay:
            self.filled, self.places = self.filled[index], self.places[index]
            self.cache.batch_select_indices(index.to(self.parts.device))

    def _forward(self, ids: Any) -> Any:
        device = self.parts.device
        hidden = self.parts.decoder(
            input_ids=ids.to(device),
            position_ids=self.places[:, -ids.shape[1] :].to(device),
            attention_mask=self._mask(ids.shape[1]),
            cache=self.cache,
            use_cache=True,
        ).last_hidden_state
        return self.parts.logits(hidden[:, -1])

    def _mask(self, asked: int) -> Any:
        """Without a window the model builds its own mask from what is filled."""
        import torch

        device = self.parts.device
        if self.parts.attention.window is None:
            return self.filled.to(device=device, dtype=torch.long)
        slots = torch.arange(self.filled.shape[1])
        sees = self.filled[:, None] & (slots[None, None] <= slots[-asked:][None, :, None])
        places = self.places.to(device)
        return self.parts.attention.mask(sees.to(device), places[:, -asked:], places, self.parts.model.dtype)

    def _pick(self) -> list[tuple[int, float]]:
        """The next token of each row, with its log-probability."""
        for follow, logits in zip(self.follows, self.logits, strict=False):
            follow.forbid(logits)
        picked = pick(self.logits, self.decoding.temperature, self.dice)
        odds = self.parts.odds(self.logits, picked)
        return list(zip(picked.tolist(), odds.tolist(), strict=True))
