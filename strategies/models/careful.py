"""Asks for less at once where a graphics card has no room for a batch, and finds out whether its number format has room."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

LEAST = 64
"""Padded tokens at once from which on less is no help: a single request has more."""
Ask = Callable[[Sequence[int], int], Iterator[tuple[Any, ...]]]
"""(places that are asked, padded tokens at once) -> (which of these, what came of it), as they are finished."""


def in_smaller_batches(ask: Ask, count: int, tokens: int) -> Iterator[tuple[Any, ...]]:
    """Yields (place, what came of it) of so many places; half as much at once wherever memory did not suffice, for the rest of
    them. Raises `torch.OutOfMemoryError` where a request alone takes too much."""
    import torch

    left = list(range(count))
    while left:
        done, short = set[int](), False
        try:
            for which, *found in ask(left, tokens):
                done.add(which)
                yield (left[which], *found)
        except torch.OutOfMemoryError:
            if tokens <= LEAST:
                raise
            short = True
        if not short:
            return
        left = [place for which, place in enumerate(left) if which not in done]
        tokens //= 2  # Behind the handler: what failed is held by its traceback until then.
        torch.cuda.empty_cache()
        logging.getLogger(__name__).warning("memory did not suffice: at most %d tokens are read at once now", tokens)


def in_half(module: Any, device: str, ids: Sequence[int]) -> Any:
    """The module on its device in float16, or in float32 where its numbers leave the range of that, as those of some models
    do that were trained in bfloat16: their answers would be noise. `ids`: a text to try it with."""
    import torch

    kept = [(held, held.data) for held in module.parameters()]
    beside = [(part, name, held) for part in module.modules() for name, held in part.named_buffers(recurse=False)]
    module = module.to(device=device, dtype=torch.float16)
    if _is_finite(module, ids):
        return module
    for held, before in kept:
        held.data = before.to(device)
    for part, name, whole in beside:  # Others were put in their place.
        setattr(part, name, whole.to(device))
    logging.getLogger(__name__).warning(
        "%s does not compute in float16, its numbers are too large; it is asked in float32, with twice the memory",
        type(module).__name__,
    )
    return module


def _is_finite(module: Any, ids: Sequence[int]) -> bool:
    import torch

    with torch.inference_mode():
        logits = module(input_ids=torch.tensor([list(ids)], device=module.device), use_cache=False).logits
    return bool(logits.isfinite().all())
