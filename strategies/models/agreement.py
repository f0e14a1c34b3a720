"""Whether our way of asking a model gives the logits of its own forward pass: found out by trying, before it is used."""

from __future__ import annotations

import logging
from typing import Any

from strategies.models.beginnings import prefix_cache
from strategies.models.parts import Parts
from strategies.models.trees import LabelTree, TreeReader

AGREES = {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest difference to the model's own logits that is rounding, as a share of the largest logit."""


def unfit(model: Any) -> str:
    """Empty, or why this model is asked in transformers' own way; that is logged. In float32 rounding is told from a
    difference surely."""
    parts = Parts(model)
    kinds = ", ".join(sorted(parts.attention.kinds))
    reason = disagreement(parts) if parts.attention.known else f"its layers are {kinds}"
    if reason:
        name = type(model).__name__
        logging.getLogger(__name__).warning("%s is asked the slow way, by whole passes: %s", name, reason)
    return reason


def disagreement(parts: Parts) -> str:
    """Empty when masks, shared beginnings and the head give what the model's own forward pass gives on a few tokens."""
    import torch

    ids = [place % parts.model.config.get_text_config().vocab_size for place in (5, 6, 7, 8)]
    try:
        with torch.inference_mode():
            own = parts.model(input_ids=torch.tensor([ids], device=parts.device), use_cache=False).logits[0, -1].float()
            tree = LabelTree(tokens=(ids[3],), parents=(0,), depths=(1,), steps=())
            read = TreeReader(parts, [ids[1:3], ids[2:3]], (prefix_cache(parts, ids[:1]), 1)).read([tree, tree])
            same = close(parts.logits(read[0, -1:])[0], own, parts.model.dtype)
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if same else "the quick way changes its logits"


def close(found: Any, own: Any, dtype: Any) -> bool:
    """Whether logits differ by no more than rounding in that dtype does."""
    allowed = AGREES.get(str(dtype).removeprefix("torch."), 1e-3)
    return float((found - own).abs().max()) <= allowed * max(float(own.abs().max()), 1e-6)
