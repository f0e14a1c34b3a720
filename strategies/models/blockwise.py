"""Attention for CPUs, block after block, so that the scores of a block stay in the processor's cache.

It stands behind transformers' own attention interface and serves answering and training alike. PyTorch's fused kernel
for CPUs takes longer than the matrix products of a whole layer at the lengths that matter here (LOG.md).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from strategies.models import blockgrad, flat

NAME = "blockwise"
WAYS = (NAME, "own")
"""This attention, or what the model comes with. Beginnings that are read once and answers without padding go with the first, and
are worth more than a kernel that is quicker by itself (LOG.md), so nothing is measured here."""


def attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None, **given: Any
) -> tuple[Any, None]:
    """(rows, queries, heads, width) from query (rows, heads, queries, width) and key, value (rows, key heads, keys, width).

    `attention_mask` is additive, (rows or 1, 1, queries, keys). Queries are the last of the keys, so that a causal layer
    never has to look beyond its own block; keys behind the mask's end are spare room and are not seen. In `given` `pack`
    says how long the shared beginning of a pack is and where the row of each position starts, and `flat` is a step of
    `flat.py`, which has masks of its own. Raises `NotImplementedError` for what is not done here.
    """
    import torch

    if given.get("softcap") is not None or given.get("s_aux") is not None or attention_mask is None:
        raise NotImplementedError("soft caps, attention sinks and missing masks")
    rows, heads, asked, width = query.shape
    kinds, seen = key.shape[1], key.shape[2]
    query = query * (width**-0.5 if scaling is None else scaling)
    if given.get("flat") is not None:
        return flat.attend(query, (key, value), given["flat"], module.layer_idx), None
    queries = query.view(rows, kinds, heads // kinds, asked, width)
    mask = attention_mask.expand(rows, -1, -1, -1)[:, :, None]
    if mask.shape[-1] < seen:
        mask = torch.nn.functional.pad(mask, (0, seen - mask.shape[-1]), value=torch.finfo(mask.dtype).min)
    causal = getattr(module, "is_causal", True) and asked > 1
    dropout = given.get("dropout") or 0.0
    if torch.is_grad_enabled() and causal and not dropout:
        plan = blockgrad.plan(asked, seen, flat.QUERIES, given.get("pack"))
        return blockgrad.attention()(queries, key, value, mask, plan), None
    blocks = []
    for first in range(0, asked, flat.QUERIES):
        last = min(asked, first + flat.QUERIES)
        upto = seen - asked + last if causal else seen
        parts = (queries[:, :, :, first:last], key[:, :, :upto], value[:, :, :upto], mask[..., first:last, :upto])
        step = max(1, flat.SCORES // (heads * (last - first) * upto))
        done = [_block(*_rows(parts, row, step), dropout=dropout) for row in range(0, rows, step)]
        blocks.append(done[0] if len(done) == 1 else torch.cat(done))
    return (blocks[0] if len(blocks) == 1 else torch.cat(blocks, 1)), None


def _rows(parts: tuple[Any, Any, Any, Any], first: int, step: int) -> tuple[Any, Any, Any, Any]:
    query, key, value, mask = (part[first : first + step] for part in parts)
    return query, key, value, mask


def _block(query: Any, key: Any, value: Any, mask: Any, *, dropout: float) -> Any:
    import torch

    shares = flat.scores(query, key, mask).softmax(-1)
    if dropout:
        shares = torch.nn.functional.dropout(shares, dropout)
    return _by_position(torch.bmm(shares, value.flatten(0, 1)).view(query.shape))


def _by_position(found: Any) -> Any:
    rows, kinds, group, asked, width = found.shape
    return found.permute(0, 3, 1, 2, 4).reshape(rows, asked, kinds * group, width)


@cache
def _registered() -> str:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, eager_mask)
    return NAME


def is_blockwise(model: Any) -> bool:
    return bool(model.config._attn_implementation == NAME)


def use_blockwise(model: Any) -> bool:
    """Switches a float32 model on the CPU over to this attention, where it then gives the logits that it gave before.

    That is tried once for each architecture: it does not depend on the weights.
    """
    before, kind = model.config._attn_implementation, (type(model).__name__, model.config.to_json_string())
    if kind not in _tried:
        _tried[kind] = _agrees(model)
    if _tried[kind]:
        model.set_attn_implementation(_registered())
    else:
        model.set_attn_implementation(before)
        logging.getLogger(__name__).debug("%s keeps its own attention", type(model).__name__)
    return _tried[kind]


_tried: dict[tuple[str, str], bool] = {}


def chosen() -> str:
    """The one of `WAYS` that is taken on the CPU: the first, or what `ADVISOR_ATTENTION` says. Raises `ValueError` where that is
    neither."""
    asked = os.environ.get("ADVISOR_ATTENTION") or WAYS[0]
    if asked not in WAYS:
        raise ValueError(f"ADVISOR_ATTENTION is {asked!r}; it is one of {', '.join(WAYS)}.")
    return asked


def _agrees(model: Any) -> bool:
    """Leaves the model with this attention."""
    import torch

    ids = torch.arange(5, 12)[None] % model.config.get_text_config().vocab_size
    with torch.inference_mode():
        own = model(input_ids=ids, use_cache=False).logits
        try:
            model.set_attn_implementation(_registered())
            return all(torch.allclose(logits, own, rtol=1e-3, atol=1e-3) for logits in _both_ways(model, ids))
        except (AttributeError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError):
            return False


def _both_ways(model: Any, ids: Any) -> Iterator[Any]:
    """Logits by one pass, and where no window hides anything by two, the first tokens as a shared beginning."""
    import torch

    from strategies.models.attention import Attention
    from strategies.models.caches import roomy_cache

    yield model(input_ids=ids, use_cache=False).logits
    attention = Attention.of(model.config)
    if attention.known and attention.window is None:
        cache, places = roomy_cache(), torch.arange(ids.shape[1])[None]
        first = model(input_ids=ids[:, :3], cache=cache, use_cache=True).logits
        given = flat.FlatCache(1).begin([flat.Span(0, 0, ids.shape[1] - 3)], [cache], (first.dtype, first.device))
        yield torch.cat([first, model(input_ids=ids[:, 3:], position_ids=places[:, 3:], **given).logits], 1)
