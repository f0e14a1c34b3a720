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
    """Empty when masks, shared beginnings and the head give what the model's own forward pass gives on a few tokens.

    Behind one beginning stand a prompt and a shorter one, which is padded, each with two answers beside each other: a model
    that goes by slots and not by positions gives other logits there.
    """
    import torch

    start, near, far, *answers = (place % parts.model.config.get_text_config().vocab_size for place in (5, 6, 7, 8, 9))
    texts = [[start, near, far, answer] for answer in answers] + [[start, far, answer, start] for answer in answers]
    try:
        with torch.inference_mode():
            own = parts.model(input_ids=torch.tensor(texts, device=parts.device), use_cache=False).logits
            tree = LabelTree(tokens=tuple(answers), parents=(0, 0), depths=(1, 1), steps=())
            read = TreeReader(parts, [[near, far], [far]], (prefix_cache(parts, [start]), 1)).read([tree, tree])
            found = parts.logits(read[:, 1:].flatten(0, 1))
            same = close(found, own[range(4), (3, 3, 2, 2)].float(), parts.model.dtype)
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if same else "the quick way changes its logits"


def close(found: Any, own: Any, dtype: Any) -> bool:
    """Whether logits differ by no more than rounding in that dtype does."""
    allowed = AGREES.get(str(dtype).removeprefix("torch."), 1e-3)
    return float((found - own).abs().max()) <= allowed * max(float(own.abs().max()), 1e-6)
