"""Writes answers with `flat.py`: a finished answer's place goes to the next request, and what the grammar forces is read
along with the next token instead of being asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strategies.models.batching import DecodingOptions, Ids, Written
from strategies.models.beginnings import Lead
from strategies.models.flat import FlatCache, Span
from strategies.models.parts import Parts

if TYPE_CHECKING:
    from strategies.standalone.held import Following

MOST_ROWS = 256
"""Rows in flight; from about this many on, a CPU's matrix products are at their full rate."""


@dataclass
class _Row:
    """One answer on its way: `fresh` tokens are not read yet, `size` are, the beginning that it shares apart."""

    index: int
    lead: int
    fresh: list[int]
    dice: Any
    follow: Following | None
    size: int = 0
    answer: list[int] = field(default_factory=list)
    odds: list[float] = field(default_factory=list)


def write(
    parts: Parts, prompts: Sequence[Ids], leads: Sequence[Lead], decoding: DecodingOptions, tokens: int
) -> Iterator[tuple[int, Written]]:
    """Yields (index, what was written) of prompts, each of which goes on behind one of the `leads`.

    At most `tokens` of prompts are read in one pass. Who stands beside whom depends on prompts and answers alone.
    """
    rests = {row: (number, prompts[row][lead.size :]) for number, lead in enumerate(leads) for row in lead.rows}
    room = max(len(rest) for _, rest in rests.values()) + decoding.max_tokens
    height = max(1, min(len(rests), MOST_ROWS, parts.positions // room))
    yield from _Writing(parts, leads, decoding, height).run(rests, tokens)


class _Writing:
    """Rows in flight by their place in the buffers; None where a place is free."""

    def __init__(self, parts: Parts, leads: Sequence[Lead], decoding: DecodingOptions, height: int) -> None:
        self.parts, self.leads, self.decoding = parts, leads, decoding
        self.cache = FlatCache(height)
        self.places: list[_Row | None] = [None] * height

    def run(self, rests: Mapping[int, tuple[int, Ids]], tokens: int) -> Iterator[tuple[int, Written]]:
        """`rests` has for each request the number of its lead, and what comes behind it."""
        waiting = deque(sorted(rests, key=lambda index: (len(rests[index][1]), index)))
        while waiting or any(self.places):
            self._admit(waiting, rests, tokens)
            running = [(place, row) for place, row in enumerate(self.places) if row is not None]
            for (place, row), drawn in zip(running, self._asked(running), strict=True):
                if self._take(row, *drawn):
                    self.places[place] = None
                    yield row.index, Written(row.answer, row.odds)
            if not waiting:
                self._close_up()

    def _admit(self, waiting: deque[int], rests: Mapping[int, tuple[int, Ids]], tokens: int) -> None:
        """Free places are taken when a quarter of them is free, so that prompts are read together."""
        free = [place for place, row in enumerate(self.places) if row is None]
        if not waiting or 4 * len(free) < len(self.places):
            return
        for place in free:
            if not waiting or (tokens < len(rests[waiting[0]][1]) and place != free[0]):
                break
            index = waiting.popleft()
            tokens -= len(rests[index][1])
            self.places[place] = self._row(index, *rests[index])

    def _row(self, index: int, lead: int, rest: Ids) -> _Row:
        import torch

        dice = torch.Generator().manual_seed(hash((self.decoding.seed, index)) & 0x7FFFFFFF)
        return _Row(index, lead, list(rest), dice, self.decoding.follow(index) if self.decoding.follow else None)

    def _asked(self, running: Sequence[tuple[int, _Row]]) -> list[tuple[int, float]]:
        """Reads what is fresh and draws the next token of each row, with its log-probability."""
        import torch

        spans = [Span(place, row.size, len(row.fresh), row.lead) for place, row in running]
        before = [self.leads[row.lead].size + row.size for _, row in running]
        device = self.parts.device
        ids = torch.tensor([[token for _, row in running for token in row.fresh]], device=device)
        where = torch.tensor(
            [[first + place for first, span in zip(before, spans, strict=True) for place in range(span.size)]],
            device=device,
        )
        given = self.cache.begin(spans, [lead.cache for lead in self.leads], (self.parts.model.dtype, device))
        hidden = self.parts.decoder(input_ids=ids, position_ids=where, **given).last_hidden_state[0]
        last = torch.tensor([span.size for span in spans]).cumsum(0) - 1
        for _, row in running:
            row.size += len(row.fresh)
        return self._drawn(self.parts.logits(hidden[last]), [row for _, row in running])

    def _drawn(self, logits: Any, rows: Sequence[_Row]) -> list[tuple[int, float]]:
        for row, given in zip(rows, logits, strict=True):
            if row.follow is not None:
                row.follow.forbid(given)
        picked = pick(logits, self.decoding.temperature, [row.dice for row in rows])
        odds = self.parts.odds(logits, picked)
        return list(zip(picked.tolist(), odds.tolist(), strict=True))

    def _take(self, row: _Row, token: int, odds: float) -> bool:
        """Writes the token and what is forced behind it, which is certain; whether the answer is at its end."""
        row.odds.append(odds)
        if token in self.decoding.stop_ids:
            return True
        row.fresh = [token, *(row.follow.take(token) if row.follow is not None else ())]
        row.odds = [*row.odds, *[0.0] * (len(row.fresh) - 1)][: self.decoding.most]
        row.answer = (row.answer + row.fresh)[: self.decoding.most]
        whole = row.follow is not None and row.follow.whole
        return whole or len(row.answer) >= self.decoding.most

    def _close_up(self) -> None:
        """Moves the rows together once half of the places are empty and nobody waits for them."""
        running = [place for place, row in enumerate(self.places) if row is not None]
        if running and 2 * len(running) <= len(self.places):
            self.cache.keep(running)
            self.places = [self.places[place] for place in running]


def pick(logits: Any, temperature: float, dice: Sequence[Any]) -> Any:
    """The next token (n) of each row of logits (n, vocabulary): the likeliest, or above a temperature of 0 one that is drawn."""
    import torch

    if temperature <= 0:
        return logits.argmax(-1)
    shares = (logits / temperature).softmax(-1).cpu()
    drawn = [int(torch.multinomial(row, 1, generator=each)) for row, each in zip(shares, dice, strict=True)]
    return torch.tensor(drawn, device=logits.device)
