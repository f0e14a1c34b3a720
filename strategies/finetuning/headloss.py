"""Cross-entropy behind a frozen head: loss and gradient in one go, a few positions at a time.

Automatic differentiation passes over the float32 logits of all positions six times, and these fit into no cache. Here a
slice of the logits becomes its own gradient before the next one is looked at, and what is kept is the states' gradient.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from strategies.models.parts import Parts


def summed_loss(parts: Parts, states: Any, targets: Any, smoothing: float = 0.0) -> Any:
    """Cross-entropy of `targets` (n) after `states` (n, width), summed, in float32; a share `smoothing` of each target is spread
    over the vocabulary."""
    import torch

    head = parts.model.get_output_embeddings()
    if type(head) is torch.nn.Linear and head.bias is None and not head.weight.requires_grad and parts.plain_head:
        return _function()(states.contiguous(), head.weight, targets, (parts.at_once, smoothing))
    return torch.nn.functional.cross_entropy(parts.logits(states), targets, reduction="sum", label_smoothing=smoothing)


@cache
def _function() -> Any:
    """(states, weight, targets, (positions at once, smoothing)) -> loss, made at first use."""
    import torch

    class HeadLoss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, states: Any, weight: Any, targets: Any, how: tuple[int, float]) -> Any:
            at_once, smoothing = how
            logits = torch.mm(states, weight.t())
            loss = states.new_zeros((), dtype=torch.float32)
            parts = zip(torch.split(logits, at_once), torch.split(targets, at_once), strict=True)
            for part, wanted in parts:
                shares = torch.log_softmax(part, -1, dtype=torch.float32)
                loss -= (1 - smoothing) * shares.gather(1, wanted[:, None]).sum()
                if smoothing:
                    loss -= smoothing * shares.mean(-1).sum()
                if ctx.needs_input_grad[0]:
                    pulled = shares.exp_().sub_(smoothing / shares.shape[1])
                    part.copy_(
                        pulled.scatter_add_(1, wanted[:, None], pulled.new_full((len(wanted), 1), smoothing - 1))
                    )
            if ctx.needs_input_grad[0]:
                ctx.save_for_backward(torch.mm(logits, weight))
            return loss

        @staticmethod
        def backward(ctx: Any, pull: Any) -> Any:
            (to_states,) = ctx.saved_tensors
            return to_states * pull.to(to_states.dtype), None, None, None

    return HeadLoss.apply
