"""What many prompts begin with, read once: its key-value states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strategies.models.batching import Ids
from strategies.models.blockwise import is_blockwise

if TYPE_CHECKING:
    from strategies.models.engine import Parts


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
