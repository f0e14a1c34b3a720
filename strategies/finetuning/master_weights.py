"""float32 copies of an adapter's weights, which the optimizer moves while the model computes in its own number format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class MasterWeights:
    """float32 copies of the adapter's weights, which the optimizer moves; the model computes in its own dtype.

    They lie behind each other in one vector, so that a step of the optimizer is a handful of passes over it.
    """

    live: list[Any]
    vector: Any
    copies: list[Any]
    """The part of the vector that belongs to each weight, in its shape."""
    gradients: list[Any]

    @classmethod
    def of(cls, model: Any) -> MasterWeights:
        import torch

        live = [weight for weight in model.parameters() if weight.requires_grad]
        vector = torch.cat([weight.detach().float().flatten() for weight in live])
        vector.grad = torch.zeros_like(vector)
        return cls(live, vector, split_like(vector, live), split_like(vector.grad, live))

    def take_gradients(self) -> None:
        """Adds the model's gradients to those in float32, and takes them away."""
        for gradient, weight in zip(self.gradients, self.live, strict=True):
            if weight.grad is not None:
                gradient.add_(weight.grad)
                weight.grad = None

    def drop_gradients(self) -> None:
        """Takes the model's gradients away."""
        for weight in self.live:
            weight.grad = None

    def put(self, vector: Any) -> None:
        """Other weights in place of these, for the model too."""
        import torch

        with torch.no_grad():
            self.vector.copy_(vector)
        self.publish()

    def publish(self) -> None:
        import torch

        with torch.no_grad():
            torch._foreach_copy_(self.live, self.copies)

    def hand_over(self) -> None:
        """The model's weights become the masters, in float32."""
        for copy, weight in zip(self.copies, self.live, strict=True):
            weight.data = copy.detach().clone()

    @property
    def finite(self) -> bool:
        return bool(self.vector.isfinite().all())


def split_like(vector: Any, like: Sequence[Any]) -> list[Any]:
    """The parts of a vector that belong to each weight, in its shape; they share its memory."""
    parts = vector.split([weight.numel() for weight in like])
    return [part.view(weight.shape) for part, weight in zip(parts, like, strict=True)]
