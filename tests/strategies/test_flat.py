"""Attention over unpadded rows against PyTorch's own, and answers that are written in few places one after the other."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from strategies.models import beginnings, engine, flat, writing
from strategies.models.batching import DecodingOptions
from strategies.models.blockwise import attend
from strategies.models.caches import roomy_cache
from strategies.models.flat import FlatCache, Span
from tests import tiny

HEADS, KINDS, WIDTH = 6, 2, 8
MODULE = SimpleNamespace(is_causal=True, layer_idx=0)
LIKE = (torch.float32, torch.device("cpu"))


def states(heads: int, length: int, seed: int) -> torch.Tensor:
    return torch.randn(1, heads, length, WIDTH, generator=torch.Generator().manual_seed(seed))


class Rows:
    """Rows of which every state is known, so that attention to the whole of each can be computed by PyTorch."""

    def __init__(self, height: int, *shared: int) -> None:
        """`shared`: lengths of the beginnings."""
        self.cache = FlatCache(height)
        self.shared = [
            [states(KINDS, size, 100 + 2 * lead + place) for place in range(2)] for lead, size in enumerate(shared)
        ]
        self.beginnings: list[Any] = [None if not size else roomy_cache() for size in shared]
        for cache, held in zip(self.beginnings, self.shared, strict=True):
            if cache is not None:
                cache.update(*held, 0)
        self.seen: list[Any] = [None] * height

    def step(self, spans: list[Span], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Ours and PyTorch's, both (tokens, heads, width)."""
        total = sum(span.size for span in spans)
        query, key, value = states(HEADS, total, seed), states(KINDS, total, seed + 1), states(KINDS, total, seed + 2)
        given = self.cache.begin(spans, self.beginnings, LIKE)
        keys, values = self.cache.states.update(key, value, 0)
        ours, _ = attend(MODULE, query, keys, values, given["attention_mask"], flat=given["flat"])
        theirs, start = [], 0
        for span in spans:
            part = slice(start, start + span.size)
            start += span.size
            known = self.seen[span.row] or self.shared[span.lead]
            assert known[0].shape[2] == self.shared[span.lead][0].shape[2] + span.before
            self.seen[span.row] = [
                torch.cat([held, fresh[:, :, part]], 2) for held, fresh in zip(known, (key, value), strict=True)
            ]
            theirs.append(self.reference(query[:, :, part], *self.seen[span.row]))
        return ours[0], torch.cat(theirs)

    def reference(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        asked, seen = query.shape[2], key.shape[2]
        sees = torch.ones(asked, seen, dtype=torch.bool).tril(seen - asked)
        found = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=sees, enable_gqa=True)
        return found.transpose(1, 2)[0]


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("shared", [0, 9])
def test_every_kind_of_step_sees_the_beginning_and_its_own_row(
    shared: int, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh rows, single tokens for all rows and for a few, several at once, and all of them mixed."""
    if small:
        monkeypatch.setattr(flat, "SCORES", 1)
    rows = Rows(4, shared)
    steps = [
        [Span(0, 0, 70), Span(1, 0, 3), Span(2, 0, 130)],
        [Span(0, 70, 1), Span(1, 3, 1), Span(2, 130, 1)],
        [Span(0, 71, 1), Span(1, 4, 4), Span(2, 131, 2), Span(3, 0, 5)],
        [Span(0, 72, 1), Span(1, 8, 1), Span(2, 133, 1), Span(3, 5, 1)],
        [Span(1, 9, 1)],
    ]
    for number, spans in enumerate(steps):
        ours, theirs = rows.step(spans, 10 * number)
        assert torch.allclose(ours, theirs, atol=1e-5), number


@pytest.mark.parametrize("shared", [(9, 40, 70), (0, 40, 9)])
def test_rows_behind_several_beginnings_each_see_their_own(shared: tuple[int, ...]) -> None:
    rows = Rows(5, *shared)
    leads = (0, 1, 2, 1, 0)
    steps = [
        [(0, 0, 4), (1, 0, 3), (2, 0, 70), (3, 0, 5)],
        [(0, 4, 1), (1, 3, 1), (2, 70, 1), (3, 5, 1)],
        [(0, 5, 1), (1, 4, 4), (2, 71, 2), (3, 6, 1), (4, 0, 6)],
        [(0, 6, 1), (1, 8, 1), (2, 73, 1), (3, 7, 1), (4, 6, 1)],
        [(1, 9, 1), (4, 7, 2)],
    ]
    for number, spans in enumerate(steps):
        ours, theirs = rows.step([Span(*span, leads[span[0]]) for span in spans], 10 * number)
        assert torch.allclose(ours, theirs, atol=1e-5), number


def test_rows_that_are_kept_go_on_where_they_were() -> None:
    rows = Rows(4, 5)
    rows.step([Span(place, 0, 3 + place) for place in range(4)], 0)
    rows.cache.keep([3, 1])
    rows.seen = [rows.seen[3], rows.seen[1]]
    ours, theirs = rows.step([Span(0, 6, 1), Span(1, 4, 2)], 10)
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("places", [1, 3])
def test_finished_answers_hand_their_place_on(places: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.local_model(tiny.model_folder(tmp_path, "llama"))
    ids = [model.chat.encode_label("say " + f"word {number} " * (1 + number % 4)) for number in range(11)]
    stop = frozenset({*model.chat.stop_ids, *range(0, 400, 9)})
    decoding = DecodingOptions(stop, 12)
    together = {row: written.ids for row, written, _ in engine.generate(model.parts, ids, decoding, 4096)}
    heights: list[int] = []
    begin = FlatCache.begin

    def watched(self: FlatCache, spans: Any, *given: Any) -> Any:
        heights.append(len(spans))
        return begin(self, spans, *given)

    monkeypatch.setattr(writing, "MOST_ROWS", places)
    monkeypatch.setattr(FlatCache, "begin", watched)
    assert {row: written.ids for row, written, _ in engine.generate(model.parts, ids, decoding, 4096)} == together
    assert max(heights) == places
    assert len({len(answer) for answer in together.values()}) > 1


def asked_in_parts(model: Any) -> list[list[int]]:
    """Thirty prompts: some begin with one set of examples, some with another, some with the instruction only."""
    encode = model.chat.encode_label
    first, second = ("".join(f"{word} {number} " for number in range(25)) for word in ("red", "blue"))
    lengths = [1 + number % 4 for number in range(30)]
    texts = [("say so ", first, second)[number % 3] + f"word {number} " * size for number, size in enumerate(lengths)]
    return [encode("say so " + text) for text in texts]


@pytest.mark.parametrize("architecture", ["llama", "qwen", "neox"])
def test_prompts_behind_beginnings_of_their_own_get_the_same_answers(architecture: str, tmp_path: Path) -> None:
    model = tiny.local_model(tiny.model_folder(tmp_path, architecture))
    prompts, decoding = asked_in_parts(model), DecodingOptions(model.chat.stop_ids, 12)
    found = {
        row: (written.ids, shared) for row, written, shared in engine.generate(model.parts, prompts, decoding, 4096)
    }
    for row, prompt in enumerate(prompts):
        assert [written.ids for _, written, _ in engine.generate(model.parts, [prompt], decoding, 4096)] == [
            found[row][0]
        ]
    sizes = {shared for _, shared in found.values()}
    assert len(sizes) == 3
    assert len({len(set(answer)) for answer, _ in found.values()}) > 1


def test_beginnings_of_a_part_are_found_and_held_within_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.local_model(tiny.model_folder(tmp_path))
    prompts = asked_in_parts(model)
    found = beginnings.leads(model.parts, prompts)
    assert sorted(row for lead in found for row in lead.rows) == list(range(30))
    assert [len(lead.rows) for lead in found] == [10, 10, 10]
    for lead in found:
        assert len({tuple(prompts[row][: lead.size]) for row in lead.rows}) == 1
        assert all(lead.size < len(prompts[row]) for row in lead.rows)
    assert min(lead.size for lead in found[1:]) >= found[0].size + beginnings.LEAST
    few = beginnings.leads(model.parts, prompts[:15])
    assert [len(lead.rows) for lead in few] == [15], "five prompts are too few for a beginning of their own"
    monkeypatch.setattr(beginnings, "STATES", (model.parts.bytes_a_token + 1) * found[1].size)
    assert len(beginnings.leads(model.parts, prompts)) == 2


def test_the_buffers_are_freed_with_their_cache() -> None:
    cache = FlatCache(2)
    states = weakref.ref(cache.states)
    gc.disable()
    try:
        del cache
        assert states() is None
    finally:
        gc.enable()
