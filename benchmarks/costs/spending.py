"""Counts what a run pays to servers, below a limit where there is one: each try is reserved at its worst, then settled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, cast, overload

from benchmarks.contract import BadInput
from benchmarks.costs.prices import TokenPrices
from benchmarks.running.wrapped import Wrapped
from strategies.contract import Completion, Generates, LanguageModel, Prompt, Sampling, Step, Usage, thoughts

UNCERTAIN = 2
"""A server may count so many times the tokens that were estimated for a prompt."""
SPENT = "spent"
"""Key in the store's facts: what may have been paid so far, requests under way at their worst, whatever became of the work."""


class LimitReached(BadInput):
    """The next request might cost more than is left."""


def _nowhere(at_most: float) -> None: ...


@dataclass(kw_only=True)
class SpendingBudget:
    """What may be spent, what was, and what requests under way may still cost; in one currency."""

    limit: float
    """`math.inf`: none, and what is paid is counted for a limit that is given later."""
    currency: str
    prices: Mapping[str, TokenPrices | None]
    """Models that cost money, by name. None: their price is not known."""
    spent: float = 0.0
    reserved: float = 0.0
    write_down: Callable[[float], None] = field(default=_nowhere, repr=False)
    """Takes what may have been paid so far, before a request is sent and after it was answered."""

    def __post_init__(self) -> None:
        for name, price in self.prices.items():
            if price is None:
                raise BadInput(
                    f"--max-cost cannot be kept: the price of the model {name} is not known. State input_per_million and "
                    "output_per_million in the task spec."
                )
            if price.currency != self.currency:
                raise BadInput(
                    f"--max-cost is in {self.currency}, and the price of the model {name} in {price.currency}. State it in "
                    f"{self.currency}, or write `prices: {{currency: {price.currency}}}`."
                )

    @classmethod
    def without_limit(cls, currency: str, prices: Mapping[str, TokenPrices | None]) -> Self | None:
        """Counts and refuses nothing. None where there is nothing to count, or not all prices are known in one currency."""
        if not prices or any(price is None or price.currency != currency for price in prices.values()):
            return None
        return cls(limit=math.inf, currency=currency, prices=prices)

    def open(self, spent: float | None, ledger: Iterable[Usage]) -> None:
        """Goes on from what was written down, or where nothing was, from what the ledger of the run holds."""
        prices = {name: price for name, price in self.prices.items() if price is not None}
        self.spent = (
            spent if spent is not None else sum(_money(prices[use.model], use) for use in ledger if use.model in prices)
        )

    def close(self) -> None:
        """Nothing more is written down: what is still under way stands there at its worst, and settles when it is thrown away."""
        self.write_down = _nowhere

    def unopened(self) -> SpendingBudget:
        """The limit alone: what another process has to know."""
        return replace(self, spent=0.0, reserved=0.0, write_down=_nowhere)

    def guarding(self, model: LanguageModel) -> LanguageModel:
        """The model, asked only what can be paid; one that costs nothing as it is."""
        price = self.prices.get(model.name)
        return model if price is None else BudgetedModel(inner=model, spending=self, price=price)

    def reserve(self, worst: float) -> bool:
        if worst and self.spent + self.reserved + worst > self.limit:
            return False
        self.reserved += worst
        self.write_down(self.spent + self.reserved)
        return True

    def shared(self, seconds: float) -> float:
        """Of the seconds that fall to an answer those that no other process was waiting in for the same server."""
        return seconds

    def settle(self, worst: float, paid: float) -> None:
        self.reserved -= worst
        self.spent += paid
        self.write_down(self.spent + self.reserved)


@dataclass(frozen=True, kw_only=True)
class BudgetedModel(Wrapped):
    """A model on a server that generates as `inner` does, as long as the budget lasts."""

    spending: SpendingBudget
    price: TokenPrices

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """Yields (index, completion) as they finish. Raises `LimitReached` once the next one might cost too much; those
        under way are waited for first. A try that failed counts as if it had cost its worst, where a server may have
        taken it; so does one after which nothing was answered. An answer is settled once whoever listens has taken it,
        and so has written it down."""
        left = list(range(len(prompts)))
        while left:
            asked = _Reserved(
                [prompts[index] for index in left], lambda prompt: self._worst(prompt, max_tokens), self.spending
            )
            done: set[int] = set()
            try:
                for place, completion in cast(Generates, self.inner).generate(asked, max_tokens, sampling, step):
                    if place not in asked.taken:
                        continue  # There was to be another try, for which there may be money once the others are settled.
                    done.add(left[place])
                    used = completion.usage
                    own = replace(used, seconds=self.spending.shared(used.seconds)) if used.seconds else used
                    try:
                        yield left[place], replace(completion, usage=own)
                    finally:
                        worst = asked.taken.pop(place)
                        self.spending.settle(worst, self._paid(completion, worst))
            finally:  # Whoever stops listening has sent these all the same.
                for worst in asked.taken.values():
                    self.spending.settle(worst, worst)
            left = [index for index in left if index not in done]
            if left and not done:
                self._refuse(asked.refused)

    def _worst(self, prompt: Prompt, max_tokens: int) -> float:
        tokens = UNCERTAIN * self.inner.count(prompt)
        return self.price.at_most(tokens, max_tokens + thoughts(self.inner), tokens)

    def _paid(self, completion: Completion, worst: float) -> float:
        if completion.error:
            return worst if completion.billed else 0.0
        return _money(self.price, completion.usage)

    def _refuse(self, worst: float) -> None:
        spending = self.spending
        raise LimitReached(
            f"--max-cost {spending.limit:g} {spending.currency} is reached: {spending.spent:.4g} were spent, and the next "
            f"request to {self.name} may cost {worst:.2g}. What was answered is kept: the same command with --resume and a "
            "higher limit goes on."
        )


def _money(price: TokenPrices, used: Usage) -> float:
    return price.money(used.prompt_tokens, used.cached_tokens, used.answer_tokens, used.calls)


class _Reserved(Sequence[Prompt]):
    """Prompts of which each is handed out, in order, only once its worst price is reserved (`contract.Metered`)."""

    def __init__(self, prompts: Sequence[Prompt], price: Callable[[Prompt], float], spending: SpendingBudget) -> None:
        self._prompts, self._spending = prompts, spending
        self.worst = [price(prompt) for prompt in prompts]
        self.taken: dict[int, float] = {}
        self.refused = 0.0

    def __len__(self) -> int:
        return len(self._prompts)

    def __iter__(self) -> Iterator[Prompt]:
        for place, prompt in enumerate(self._prompts):
            if not self._spending.reserve(self.worst[place]):
                self.refused = self.worst[place]
                return
            self.taken[place] = self.worst[place]
            yield prompt

    def again(self, index: int, billed: bool) -> bool:
        """The try before counts as paid at its worst where it may be billed, and the worst of another one is reserved."""
        worst = self.taken.pop(index)
        self._spending.settle(worst, worst if billed else 0.0)
        if not self._spending.reserve(worst):
            self.refused = worst
            return False
        self.taken[index] = worst
        return True

    @overload
    def __getitem__(self, place: int) -> Prompt: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Prompt]: ...
    def __getitem__(self, place: int | slice) -> Prompt | Sequence[Prompt]:
        return self._prompts[place]
