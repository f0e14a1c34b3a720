"""Cuts requests into batches, and says how free answers are drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strategies.standalone.held import ENDING, Following

Ids = Sequence[int]
VARIABLE = "ADVISOR_BATCH_TOKENS"


@dataclass(frozen=True)
class Written:
    """The ids of an answer without the stop token. `odds`: the natural log-probability of each, at temperature 1 and of what
    its form allows, and of the stop token where it came; empty where nobody can say."""

    ids: list[int]
    odds: list[float]


@dataclass(frozen=True)
class DecodingOptions:
    """How tokens are chosen and when an answer ends."""

    stop_ids: frozenset[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    follow: Callable[[int], Following] | None = None
    """Index of a prompt -> the beginning of what its answer has to satisfy."""

    @property
    def most(self) -> int:
        """Tokens at which an answer is cut off; one that has to satisfy something has some for its end besides."""
        return self.max_tokens * (ENDING if self.follow else 1)


def common_prefix(sequences: Sequence[Ids]) -> int:
    """Length of the longest common prefix that leaves at least one token of each sequence."""
    if len(sequences) < 2:
        return 0
    low, high = min(map(tuple, sequences)), max(map(tuple, sequences))
    limit = min(map(len, sequences)) - 1
    shared = 0
    while shared < limit and low[shared] == high[shared]:
        shared += 1
    return shared


@dataclass(frozen=True)
class Held:
    """How many positions a batch may hold states of, and how many each of its rows is given before its own: a beginning that
    is read once and then copied for every row takes no time, and room all the same."""

    positions: int
    copied: int


def plan_batches(lengths: Sequence[int], extra: int, tokens: int, held: Held | None = None) -> list[tuple[int, ...]]:
    """Cuts the requests, shortest first, into batches of at most `tokens` padded tokens; `extra` comes on top of each row.

    Gives the indexes of the requests. A function of the lengths alone, so that the same cases always meet the same
    neighbours. A request that is longer than `tokens`, or needs more than what may be `held`, is a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    batches: list[tuple[int, ...]] = []
    rows: list[int] = []
    for index in order:
        more, width = len(rows) + 1, lengths[index] + extra
        if rows and (more * width > tokens or (held and more * (held.copied + width) > held.positions)):
            batches.append(tuple(rows))
            rows = []
        rows.append(index)
    return [*batches, tuple(rows)] if rows else batches


def asked_tokens() -> int:
    """What the variable says, 0 where it says nothing. Raises `ValueError` where that is no whole number from 1 on."""
    asked = os.environ.get(VARIABLE, "")
    if asked and not (asked.isdecimal() and int(asked) > 0):
        raise ValueError(f"{VARIABLE} is {asked!r}; it is a whole number from 1 on.")
    return int(asked or 0)
