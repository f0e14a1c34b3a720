"""What an approach may say of itself beside its protocol: each is optional, and where it is not said nothing is assumed."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from strategies.contract import Strategy, Task

Preference = Literal["best", "cheapest"]


@runtime_checkable
class Explained(Protocol):
    @property
    def says(self) -> str:
        """What it does, as a clause in plain words, by which reports explain its name."""
        ...


@runtime_checkable
class Prefers(Protocol):
    @property
    def prefer(self) -> Preference:
        """Which configuration it takes: the best on the selection cases, or the cheapest that is within noise of it."""
        ...


@runtime_checkable
class Taught(Protocol):
    @property
    def taught(self) -> bool:
        """Whether it learns from answers of the task's teacher."""
        ...


@runtime_checkable
class Advised(Protocol):
    @property
    def advised(self) -> bool:
        """Whether the task's teacher proposes how the model is asked."""
        ...


@runtime_checkable
class TrainsEmbedder(Protocol):
    def trained_characters(self, task: Task, most: float) -> float:
        """Characters that it reads while it trains the embedder, of at most so many, for the forecast."""
        ...


@runtime_checkable
class Foretells(Protocol):
    def foretold(self, task: Task) -> tuple[float, int]:
        """Seconds of one fit on one core, and bytes that it takes at its peak, about, for the forecast."""
        ...


@runtime_checkable
class Quotes(Protocol):
    @property
    def quotes(self) -> bool:
        """Whether it answers with what stands in documents, without a language model that reads them."""
        ...


def says(strategy: Strategy) -> str:
    return strategy.says if isinstance(strategy, Explained) else ""


def prefers_cheapest(strategy: Strategy) -> bool:
    return isinstance(strategy, Prefers) and strategy.prefer == "cheapest"


def takes_teaching(strategy: Strategy) -> bool:
    return isinstance(strategy, Taught) and strategy.taught


def quotes_documents(strategy: Strategy) -> bool:
    return isinstance(strategy, Quotes) and strategy.quotes


def takes_advice(strategy: Strategy) -> bool:
    return isinstance(strategy, Advised) and strategy.advised
