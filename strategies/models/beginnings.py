"""What many prompts begin with, read once: its key-value states, kept from one call to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strategies.models.batching import Ids, common_prefix
from strategies.models.blockwise import is_blockwise
from strategies.models.parts import Parts

LEAST = 32
"""Tokens from which on a beginning is kept for later calls, and from which on a longer one is worth reading for a part."""
FEWEST = 8
"""Prompts that share a longer beginning than all do, from which on it is read once for them: each beginning that stands
apart costs a product of its own in every layer of every step."""
STATES = 500_000_000
"""Bytes of the states of such beginnings that are held at once, about."""


def beginning(parts: Parts, prompts: Sequence[Ids]) -> tuple[Any, int]:
    """(states, length) of what all the prompts begin with; (None, 0) where that is nothing.

    A prompt that comes alone begins with what is kept, or with what it has in common with the one before it: whoever
    asks one request after the other pays for the instruction once.
    """
    memory = parts.memory
    single = tuple(prompts[0]) if len(prompts) == 1 else ()
    shared = common_prefix([memory.alone, single]) if single and memory.alone else common_prefix(prompts)
    if single:
        memory.alone, shared = single, shared if shared >= LEAST else 0
    kept = len(memory.ids)
    if kept and (single or kept == shared) and all(_begins(prompt, memory.ids) for prompt in prompts):
        return memory.cache, kept
    cache = prefix_cache(parts, prompts[0][:shared])
    if shared >= LEAST:
        memory.ids, memory.cache = tuple(prompts[0][:shared]), cache
    return cache, shared


@dataclass(frozen=True)
class Lead:
    """What some of the prompts begin with: its states (None: nothing), its length, and which prompts."""

    cache: Any
    size: int
    rows: tuple[int, ...]


def leads(parts: Parts, prompts: Sequence[Ids]) -> list[Lead]:
    """Every prompt behind the longest beginning that is read once for several: that of all, or one of many prompts.

    A function of the prompts alone. Where the states would take too much room the shortest are left out.
    """
    root, shared = beginning(parts, prompts)
    order = sorted(range(len(prompts)), key=lambda row: tuple(prompts[row]))
    longer = [found for found in _alike(prompts, order, shared) if found[0] >= shared + LEAST]
    room = STATES
    found: list[Lead] = []
    for size, rows in sorted(longer, key=lambda item: -item[0]):
        room -= size * parts.bytes_a_token
        if room > 0:
            found.append(Lead(prefix_cache(parts, prompts[rows[0]][:size]), size, tuple(rows)))
    placed = {row for lead in found for row in lead.rows}
    rest = tuple(row for row in range(len(prompts)) if row not in placed)
    return [Lead(root, shared, rest), *found] if rest else found


def _alike(prompts: Sequence[Ids], order: Sequence[int], depth: int) -> list[tuple[int, list[int]]]:
    """(length of what they begin with, prompts) of the largest parts of sorted prompts that share more than `depth`."""
    parts: list[tuple[int, list[int]]] = []
    first = 0
    while first < len(order):
        start = prompts[order[first]][: depth + 1]
        last = first
        while last < len(order) and list(prompts[order[last]][: depth + 1]) == list(start):
            last += 1
        rows = list(order[first:last])
        if len(rows) >= FEWEST:
            size = common_prefix([prompts[row] for row in rows])
            deeper = [part for part in _alike(prompts, rows, size) if part[0] >= size + LEAST] if size > depth else []
            taken = {row for _, part in deeper for row in part}
            left = [row for row in rows if row not in taken]
            parts += deeper
            if len(left) >= FEWEST:
                parts.append((size, left))
        first = last
    return parts


def _begins(prompt: Ids, ids: tuple[int, ...]) -> bool:
    return len(prompt) > len(ids) and tuple(prompt[: len(ids)]) == ids


def empty_cache(parts: Parts) -> Any:
    """A cache that keeps every position: what a sliding window hides is masked, since shared beginnings may lie behind it."""
    from transformers import DynamicCache

    from strategies.models.caches import roomy_cache

    if is_blockwise(parts.model):
        return roomy_cache()
    return DynamicCache() if parts.attention.window else DynamicCache(config=parts.model.config)


def prefix_cache(parts: Parts, prefix: Ids) -> Any:
    """Key-value states of one prefix, batch of one; None for an empty prefix."""
    import torch

    if not prefix:
        return None
    cache = empty_cache(parts)
    parts.decoder(input_ids=torch.tensor([list(prefix)], device=parts.device), cache=cache, use_cache=True)
    return cache


def widen(parts: Parts, cache: Any, rows: int) -> Any:
    """A fresh cache for `rows` sequences that all begin with the states of `cache`."""
    wide = empty_cache(parts)
    if cache is not None:
        for index, layer in enumerate(cache.layers):
            wide.update(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1), index)
    return wide


def shares_beginnings(parts: Parts) -> bool:
    """Whether answers are written with `flat.py`: a shared beginning stands apart from the keys of the rows then."""
    return is_blockwise(parts.model) and parts.attention.window is None
