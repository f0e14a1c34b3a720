"""The mean of an adapter's weights over the last half of a training: it often answers better than where that happens to end.

While the rate is high the weights move about what they tend to; their mean lies nearer to it (Izmailov et al., arXiv 1803.05407).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass
class WeightAverage:
    """The weights that were passed, added up, once half of the planned steps are made."""

    steps: float = math.inf
    """Planned; without a number nothing is added up."""
    total: Any = None
    """The sum, as long as the weights; None before the first that counts."""
    count: int = 0

    def update(self, done: int, weights: Any) -> None:
        """Takes in the weights after so many steps; those of the first half do not count."""
        if 2 * done <= self.steps:
            return
        if self.total is None:
            self.total = weights.detach().clone()
        else:
            self.total.add_(weights.detach())
        self.count += 1

    @property
    def mean(self) -> Any:
        """None where the training ended before the half, or where it would be the last weights alone."""
        return self.total / self.count if self.count > 1 else None
