"""How many tokens a model reads at once: tried on one layer's products at its shape, for a moment at first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from strategies.models import measured
from strategies.models.batching import asked_tokens
from strategies.models.device import Placement, wait_for
from strategies.models.measured import quickest

USUAL = 4096
SIZES = {"cuda": (USUAL, 8192, 16384, 32768), "cpu": (USUAL, 2048, 8192), "mps": (USUAL, 2048, 8192)}
"""What is tried on which kind of device. Beyond these a batch takes memory and gains nothing."""
WORTH = 1.1
"""How many times as quick another size has to be, token for token, to be taken."""


def batch_tokens(config: Any, placement: Placement) -> int:
    """Padded tokens of a batch for a transformers configuration; `ADVISOR_BATCH_TOKENS` decides it instead.

    On a machine that is busy it is the usual size, so that a run does not depend on what else went on. Raises
    `ValueError` where the variable is no whole number from 1 on.
    """
    if asked := asked_tokens():
        return asked
    question, tried = ways(config, placement)
    if not measured.known(question) and measured.busy():
        return USUAL
    return int(quickest(question, tried, WORTH).choice)


def ways(config: Any, placement: Placement) -> tuple[str, Mapping[str, Callable[[], Any]]]:
    """The question, and the same tokens through one layer's feed-forward products in batches of each size."""
    text = config.get_text_config()
    hidden = text.hidden_size
    inner = getattr(text, "intermediate_size", None) or 4 * hidden
    inner = inner if isinstance(inner, int) else max(inner)  # Layers of one model may have several sizes.
    sizes = SIZES[placement.device.partition(":")[0]]
    question = f"tokens in a batch, {hidden} x {inner} in {placement.dtype} on {placement.device}"
    layer = _Layer(hidden, inner, placement)
    return question, {str(size): lambda size=size: layer.read(size, max(sizes)) for size in sizes}


class _Layer:
    """Two random matrices, made when they are first needed."""

    def __init__(self, hidden: int, inner: int, placement: Placement) -> None:
        self.shape, self.placement = (hidden, inner), placement
        self.matrices: tuple[Any, ...] = ()

    def read(self, size: int, tokens: int) -> None:
        """Sends that many tokens through, `size` at a time."""
        import torch

        if not self.matrices:
            shapes = ((tokens, self.shape[0]), self.shape, self.shape[::-1])
            dtype, device = getattr(torch, self.placement.dtype), self.placement.device
            self.matrices = tuple(torch.randn(*shape, device=device).to(dtype) for shape in shapes)
        states, up, down = self.matrices
        with torch.inference_mode():
            for first in range(0, tokens, size):
                torch.nn.functional.silu(states[first : first + size] @ up) @ down
        wait_for(self.placement.device)
