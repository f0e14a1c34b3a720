"""Attention for CPUs, block after block, so that the scores of a block stay in the processor's cache.

It stands behind transformers' own attention interface and serves answering and training alike. PyTorch's fused kernel
for CPUs takes longer than the matrix products of a whole layer at the lengths that matter here (LOG.md).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

from strategies.models import blockgrad

NAME = "blockwise"
QUERIES = 64
"""Query positions of a block."""
SCORES = 1_000_000
"""Attention scores that are in flight at once, over rows and heads: about two megabytes."""


def attend(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None, **given: Any
) -> tuple[Any, None]:
    """(rows, queries, heads, width) from query (rows, heads, queries, width) and key, value (rows, key heads, keys, width).

    `attention_mask` is additive, (rows or 1, 1, queries, keys). Queries are the last of the keys, so that a causal layer
    never has to look beyond its own block; keys behind the mask's end are spare room and are not seen. `shared` in
    `given` is a cache of one row that stands before the keys of every row; `pack` says how long the shared beginning of a
    pack is and where the row of each position starts. Raises `NotImplementedError` for what is not done here.
    """
    import torch

    if given.get("softcap") is not None or given.get("s_aux") is not None or attention_mask is None:
        raise NotImplementedError("soft caps, attention sinks and missing masks")
    rows, heads, asked, width = query.shape
    kinds, seen = key.shape[1], key.shape[2]
    queries = (query * (width**-0.5 if scaling is None else scaling)).view(rows, kinds, heads // kinds, asked, width)
    mask = attention_mask.expand(rows, -1, -1, -1)[:, :, None]
    if mask.shape[-1] < seen:
        mask = torch.nn.functional.pad(mask, (0, seen - mask.shape[-1]), value=torch.finfo(mask.dtype).min)
    if given.get("shared") is not None:
        layer = given["shared"].layers[module.layer_idx]
        if asked == 1:
            return _beside(queries, (layer.keys[0], layer.values[0]), (key, value, mask)), None
        key, value = (
            torch.cat([part.expand(rows, -1, -1, -1), own], 2)
            for part, own in ((layer.keys, key), (layer.values, value))
        )
        mask = torch.nn.functional.pad(mask, (layer.keys.shape[2], 0))
        seen = key.shape[2]
    causal = getattr(module, "is_causal", True) and asked > 1
    dropout = given.get("dropout") or 0.0
    if torch.is_grad_enabled() and causal and not dropout:
        plan = blockgrad.plan(asked, seen, QUERIES, given.get("pack"))
        return blockgrad.attention()(queries, key, value, mask, plan), None
    blocks = []
    for first in range(0, asked, QUERIES):
        last = min(asked, first + QUERIES)
        upto = seen - asked + last if causal else seen
        parts = (queries[:, :, :, first:last], key[:, :, :upto], value[:, :, :upto], mask[..., first:last, :upto])
        step = max(1, SCORES // (heads * (last - first) * upto))
        done = [_block(*_rows(parts, row, step), dropout=dropout) for row in range(0, rows, step)]
        blocks.append(done[0] if len(done) == 1 else torch.cat(done))
    return (blocks[0] if len(blocks) == 1 else torch.cat(blocks, 1)), None


def _rows(parts: tuple[Any, Any, Any, Any], first: int, step: int) -> tuple[Any, Any, Any, Any]:
    query, key, value, mask = (part[first : first + step] for part in parts)
    return query, key, value, mask


def _block(query: Any, key: Any, value: Any, mask: Any, *, dropout: float) -> Any:
    import torch

    shares = _scores(query, key, mask).softmax(-1)
    if dropout:
        shares = torch.nn.functional.dropout(shares, dropout)
    return _by_position(torch.bmm(shares, value.flatten(0, 1)).view(query.shape))


def _scores(query: Any, key: Any, mask: Any) -> Any:
    """(rows * key heads, group * queries, keys)."""
    import torch

    rows, kinds, group, asked, width = query.shape
    scores = torch.bmm(query.reshape(rows * kinds, group * asked, width), key.flatten(0, 1).transpose(1, 2))
    scores.view(rows, kinds, group, asked, key.shape[2]).add_(mask)
    return scores


def _by_position(found: Any) -> Any:
    rows, kinds, group, asked, width = found.shape
    return found.permute(0, 3, 1, 2, 4).reshape(rows, asked, kinds * group, width)


def _beside(query: Any, shared: tuple[Any, Any], own: tuple[Any, Any, Any]) -> Any:
    """Attention to a shared beginning, read once for all rows, and to each row's own keys, joined by their weights.

    (The idea of Hydragen, arXiv 2402.05099.)
    """
    import torch

    rows, kinds, group, asked, width = query.shape
    key, value, mask = own
    together = query.transpose(0, 1).reshape(kinds, rows * group * asked, width)
    ahead = _weighed(torch.bmm(together, shared[0].transpose(1, 2)), shared[1])
    first = [part.view(kinds, rows, group, asked, -1).transpose(0, 1) for part in ahead]
    second = [
        part.view(rows, kinds, group, asked, -1) for part in _weighed(_scores(query, key, mask), value.flatten(0, 1))
    ]
    top = torch.maximum(first[1], second[1])
    scales = [(part[1] - top).exp() for part in (first, second)]
    mixed = first[0] * scales[0] + second[0] * scales[1]
    return _by_position((mixed / (first[2] * scales[0] + second[2] * scales[1])).to(query.dtype))


def _weighed(scores: Any, value: Any) -> tuple[Any, Any, Any]:
    """Sum of the values by weight, the largest score, and the sum of the weights, each for every query, in float32."""
    import torch

    top = scores.amax(-1, keepdim=True)
    weights = scores.sub_(top).exp_()
    return torch.bmm(weights, value).float(), top.float(), weights.sum(-1, keepdim=True, dtype=torch.float32)


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
        asking = places[:, 3:]
        mask = attention.mask(asking[:, :, None] >= asking[:, None, :], asking, asking, first.dtype)
        given = {"attention_mask": mask, "position_ids": asking, "use_cache": False, "shared": cache}
        yield torch.cat([first, model(input_ids=ids[:, 3:], **given).logits], 1)
