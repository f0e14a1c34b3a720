"""LoRA's linear layers with the low-rank path folded into the products of the layer itself, while training.

peft multiplies, scales and adds in passes of their own, each over all positions. Here the low-rank product is added by the
product itself, and one node of the graph stands for the whole layer. What is trained and saved are peft's own weights.
"""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import Any
from weakref import proxy


def fold(module: Any) -> str:
    """Lets every adapted layer of a peft model compute this way; returns why a layer keeps peft's own, empty if none does."""
    from peft.tuners.lora import LoraLayer

    reasons = set()
    layers: list[Any] = [layer for layer in module.modules() if isinstance(layer, LoraLayer)]
    for layer in layers:
        reason = _obstacle(layer)
        if reason:
            reasons.add(reason)
        else:
            layer.forward = partial(_forward, proxy(layer))  # A layer that holds itself is not freed with its model.
    found = "; ".join(sorted(reasons))
    if found:
        logging.getLogger(__name__).warning("some layers are trained in peft's own way: %s", found)
    return found


def _obstacle(layer: Any) -> str:
    """Empty where the layer is a plain linear one with one plain adapter."""
    import torch

    name = layer.active_adapters[0] if len(layer.active_adapters) == 1 else ""
    if type(layer.get_base_layer()) is not torch.nn.Linear:
        return f"a layer of kind {type(layer.get_base_layer()).__name__}"
    if not name or layer.merged:
        return "several adapters, or one that is merged"
    if not isinstance(layer.lora_dropout[name], torch.nn.Identity):
        return "dropout"
    plain = name not in layer.lora_variant and layer.lora_A[name].bias is None and layer.lora_B[name].bias is None
    return "" if plain else "another kind of adapter"


def _forward(layer: Any, states: Any) -> Any:
    name, base = layer.active_adapters[0], layer.get_base_layer()
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    flat = states.reshape(-1, states.shape[-1])
    found = _function()(flat, base.weight, down, up, layer.scaling[name])
    # Given its shape out here, since what a function returns as a view may not be changed in place, as some models do.
    found = found.view(*states.shape[:-1], base.weight.shape[0])
    return found if base.bias is None else found + base.bias


@cache
def _function() -> Any:
    """(states (n, width), weight, down, up, scale) -> states @ weight' + scale * states @ down' @ up', made at first use."""
    import torch

    class LowRank(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, states: Any, weight: Any, down: Any, up: Any, scale: float) -> Any:
            narrow = torch.mm(states, down.t())
            ctx.save_for_backward(states, narrow, weight, down, up)
            ctx.scale = scale
            return torch.mm(states, weight.t()).addmm_(narrow, up.t(), alpha=scale)

        @staticmethod
        def backward(ctx: Any, pull: Any) -> Any:
            states, narrow, weight, down, up = ctx.saved_tensors
            pulled = torch.mm(pull, up).mul_(ctx.scale)
            to_states = torch.mm(pull, weight).addmm_(pulled, down) if ctx.needs_input_grad[0] else None
            to_up = torch.mm(narrow.t(), pull).mul_(ctx.scale).t()
            return to_states, None, torch.mm(pulled.t(), states), to_up, None

    return LowRank.apply
