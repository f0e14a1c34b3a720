"""Cross-entropy behind a frozen head: loss and gradient in one go, a few positions at a time.

Automatic differentiation passes over the float32 logits of all positions six times, and these fit into no cache. Here a
slice of the logits becomes its own gradient before the next one is looked at, and what is kept is the states' gradient.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from strategies.finetuning.smoothed import Targets
from strategies.models.parts import Parts


def summed_loss(parts: Parts, states: Any, targets: Targets) -> Any:
    """Cross-entropy of the targets after `states` (n, width), summed, in float32."""
    import torch

    head = parts.model.get_output_embeddings()
    if type(head) is torch.nn.Linear and head.bias is None and not head.weight.requires_grad and parts.plain_head:
        return _function()(states.contiguous(), head.weight, *targets, parts.at_once)
    return loss_of(parts.logits(states), targets)


def loss_of(logits: Any, targets: Targets) -> Any:
    """The same from float32 logits (n, vocabulary)."""
    return -(logits.log_softmax(-1).gather(1, targets.tokens) * targets.shares).sum()


@cache
def _function() -> Any:
    """(states, weight, tokens, shares, positions at once) -> loss, made at first use."""
    import torch

    class HeadLoss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, states: Any, weight: Any, tokens: Any, shares: Any, at_once: int) -> Any:
            logits = torch.mm(states, weight.t())
            loss = states.new_zeros((), dtype=torch.float32)
            for part, wanted, share in zip(
                *(torch.split(each, at_once) for each in (logits, tokens, shares)), strict=True
            ):
                found = torch.log_softmax(part, -1, dtype=torch.float32)
                loss -= (found.gather(1, wanted) * share).sum()
                if ctx.needs_input_grad[0]:
                    part.copy_(found.exp_().scatter_add_(1, wanted, -share))
            if ctx.needs_input_grad[0]:
                ctx.save_for_backward(torch.mm(logits, weight))
            return loss

        @staticmethod
        def backward(ctx: Any, pull: Any) -> Any:
            (to_states,) = ctx.saved_tensors
            return to_states * pull.to(to_states.dtype), None, None, None, None

    return HeadLoss.apply
