"""How long the trainings of a search may be: what each takes in tokens, and how many of them a budget pays for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from strategies.search import FIRST

FEWEST_ROWS, SHORT_ROWS, ONLY_ROWS, LONG_ROWS = 16, 16, 24, 64
"""Examples of a short training, at least and where all of them are so many at least; of a long one that is the only one, and of
long ones that are compared, at least."""
LOOK, LEAST_LOOK, VALIDATION = 96, 32, (8, 64)
"""Selection cases scored after a long training, at most and, where there are several, at least; rows of the validation loss,
at least and at most."""
SHORT_SHARE, LOOK_SHARE = 0.35, 0.3
"""Share of the budget for the short trainings, and of a long one's part for the answers that are scored after it."""


def price(row: float, rows: int, epochs: int = 1) -> float:
    """Tokens of a training on so many rows of `row` tokens as the budget counts them: trained ones are worth two, and those of
    the validation loss, which is measured before the first epoch, after each, and of several once of their mean, one."""
    return row * (2 * rows * epochs + validated(rows) * (epochs + 1 + (epochs > 1)))


def rows_for(tokens: float, row: float, least: int) -> int:
    """How many rows the tokens pay for once, and at least so many: half as many are validated before and after."""
    return max(least, int(min(tokens / (3 * row), tokens / (2 * row) - VALIDATION[0])))


def epochs_for(tokens: float, row: float, rows: int) -> int:
    """How many epochs on so many rows the tokens pay for; 0 also where they pay for one and hardly more."""
    return int((tokens / row - 2 * validated(rows)) / (2 * rows + validated(rows)))


def validated(rows: int) -> int:
    """How many rows the loss of a training on so many is measured on."""
    least, most = VALIDATION
    return min(most, max(least, rows // 2))


def least_search(row: float) -> float:
    """Tokens of the shortest search that there is: one recipe is trained and answers, whatever the budget."""
    return price(row, ONLY_ROWS) + FIRST * row


@dataclass(frozen=True)
class Lengths:
    """What one configuration takes at length."""

    row: float
    """Tokens of a row in training."""
    look: float
    """Tokens of a selection case that is answered."""
    folds: tuple[int, ...]
    """Examples that each fold trains on."""
    epochs: int

    @property
    def least(self) -> float:
        """Tokens of the shortest training that is worth comparing with another."""
        return price(self.row, min(LONG_ROWS, self.folds[0])) + LEAST_LOOK * self.look

    @property
    def whole(self) -> float:
        """Tokens of all epochs on all examples of each fold."""
        return sum(price(self.row, rows, self.epochs) + LOOK * self.look for rows in self.folds)

    def looked_at(self, share: float) -> int:
        """Selection cases that are scored after a training for which, these included, so many tokens are there."""
        usual = share - price(self.row, min(LONG_ROWS, self.folds[0]))
        spare = usual if share >= self.least else share - price(self.row, ONLY_ROWS)
        return min(LOOK, max(FIRST, int(min(LOOK_SHARE * share, spare) / self.look)))


class Parts(NamedTuple):
    """Into what a budget is shared out, all parts of one size."""

    setups: int
    """How many are trained at length with the leading recipe, in their order."""
    further: int
    """How many further trainings are made on the best of these: of the runner-up first."""


def shared_out(setups: Sequence[Lengths], ways: int, budget: float) -> Parts:
    """All setups first, then the second of so many ways to train one; the others only where each training is made whole.

    One setup is trained with one recipe whatever the budget.
    """
    count = len(setups)
    while count > 1 and budget / count < max(setup.least for setup in setups[:count]):
        count -= 1
    further, dearest = 0, max(setup.least for setup in setups)
    while count == len(setups) and further < ways - 1 and budget / (count + further + 1) >= dearest:
        further += 1
        dearest = max(setup.whole for setup in setups)
    return Parts(count, further)


def short_tokens(recipes: int, row: float, means: tuple[float, float]) -> float:
    """Of a short training where all recipes have one: their share of the budget, or what a few steps take where the budget pays
    for these besides the one training at length that is always made. `means`: the budget, and tokens of that one."""
    budget, kept = means
    return max(SHORT_SHARE * budget / recipes, min(price(row, SHORT_ROWS), (budget - kept) / recipes))


def entrants(recipes: int, short: float, means: tuple[float, float]) -> int:
    """How many recipes get a short training of so many tokens each, the likeliest first; none where that is no race. `means`: as
    above."""
    budget, kept = means
    paid = int((budget - kept) / short + 1e-9)
    return min(recipes, paid) if paid > 1 else 0
