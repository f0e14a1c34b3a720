"""What the report's panel computes with: the status of each candidate at every goal, and its costs at any volume and price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = tuple[float, float, float]
"""A sum of money, or seconds: its value, and the low and the high of its range."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One candidate when something else is asked. Terms come twice: with a machine that costs nothing, and with one at 1 an
    hour; where costs are in machine seconds both are the same. Prices that can be changed are nothing in both."""

    name: str
    simplicity: int
    states: str
    """A letter for each goal: `m` meets, `x` misses, `?` undecided."""
    fixed: tuple[Part, Part]
    """A month, at any volume."""
    each: tuple[Part, Part]
    """A request."""
    at_least: tuple[float, float]
    """What answering on a machine that is kept on for it costs a month at any volume."""
    beside: tuple[Part, Part] = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    """What of `each` comes on top of that: where the machine is kept on for the first part of a cascade only."""
    tokens: tuple[tuple[Part, Part], ...] = ()
    """What a month and a request cost more for 1 of each of the prices that can be changed."""


@dataclass(frozen=True, kw_only=True)
class AskedPrice:
    """A price that can be changed: money for a million `prompt tokens of gpt-4.1-mini`, say, which is its label."""

    label: str
    value: float


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """All that it takes to say what another target, volume or price would change, without any statistics."""

    noun: Literal["target", "margin"]
    goals: tuple[str, ...]
    """As they are shown: `80 %`."""
    own: int | None
    """The goal that was stated before the run, as an index."""
    candidates: tuple[Terms, ...]
    unit: str
    machine_hour: float | None
    volume: int
    prices: tuple[AskedPrice, ...] = ()
    limit: float | None = None
    """A month may cost no more: what does beyond doubt is out, whatever its state."""
