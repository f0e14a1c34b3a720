"""The types of a learning curve: what an approach reaches when it is built from fewer examples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """The chosen configuration built from so many examples, asked some of the held-out cases, the same at every number."""

    examples: int
    scores: tuple[tuple[float, ...], ...]
    """One row for each sample of so many examples, one score a case."""
    of_rows: tuple[float, ...] = ()
    """Figure of each sample by a metric over rows; empty where the figure is the mean of the scores."""
    groups: tuple[str, ...] = ()
    """Of the cases that were asked; empty: each stands alone."""

    @property
    def figures(self) -> tuple[float, ...]:
        """One for each sample, by the metric of the task, in [0, 1]."""
        return self.of_rows or tuple(sum(row) / len(row) for row in self.scores)

    @property
    def figure(self) -> float:
        """Mean over the samples; every sample was asked the same cases."""
        if self.of_rows:
            return sum(self.of_rows) / len(self.of_rows)
        return sum(map(sum, self.scores)) / sum(map(len, self.scores))


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What an approach reaches with fewer examples."""

    keys: tuple[str, ...]
    """Of the held-out cases that were asked."""
    points: tuple[CurvePoint, ...]
    """From few examples to all of them."""
