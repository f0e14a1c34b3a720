"""Which of two language models a request costs more on, as far as that is known before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.costs.prices import MachinePrices

if TYPE_CHECKING:
    from benchmarks.running.models import Models

Price = tuple[str, tuple[float, ...]]
"""What asking a model takes: of which sort its numbers are, and these. Only those of one sort are compared."""


@dataclass(frozen=True, kw_only=True)
class Dearer:
    """What is known of the models of a run."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    """As `prices_of` gives them; without the models of which nothing is known."""
    by_tokens: frozenset[str] = frozenset()
    """Models that are billed by their tokens, those of an unknown price too."""

    def than(self, one: str, other: str) -> bool:
        """Whether a request costs more on `one`. A model whose weights lie on this machine comes before one that is billed by
        tokens: each request that it answers alone saves these. Of all else that cannot be compared nothing is said."""
        if one in self.by_tokens and other in self.prices and other not in self.by_tokens:
            return True
        return costs_more(self.prices, one, other)

    def place(self, model: str) -> int:
        """How many models a request is known to cost less on: a key for sorting."""
        return sum(self.than(model, other) for other in {*self.prices, *self.by_tokens})


def costs_more(prices: Mapping[str, Price], one: str, other: str) -> bool:
    """Whether no number of the first is lower, and they differ; False where they are of two sorts."""
    mine, its = prices.get(one), prices.get(other)
    if mine is None or its is None or mine[0] != its[0] or mine == its:
        return False
    return all(a >= b for a, b in zip(mine[1], its[1], strict=True))


def prices_of(models: Models, names: Iterable[str], prices: MachinePrices) -> dict[str, Price]:
    """Of a model on this disk its bytes and the price of an hour of its machine, of one that is billed by tokens their prices."""
    from strategies.models.sizes import bytes_as_float32

    found: dict[str, Price] = {}
    for name in names:
        price, folder = prices.tokens.get(name), getattr(models.language(name), "folder", None)
        if price is not None:
            found[name] = (price.currency, (price.input, price.cached, price.output))
        elif folder is not None and name not in prices.tokens:
            size, hour = float(bytes_as_float32(folder)), prices.hour(name)
            found[name] = ("bytes", (size,)) if hour is None else ("bytes and an hour", (size, hour))
    return found


def dearer_of(models: Models, names: Iterable[str], prices: MachinePrices) -> Dearer:
    """Of these models."""
    known = list(names)
    return Dearer(prices=prices_of(models, known, prices), by_tokens=frozenset(known).intersection(prices.tokens))
