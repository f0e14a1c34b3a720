"""What is asked of an approach, in words: to meet a target, or to come within a margin of the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from advisor.wording import plain_percent, plain_points
from benchmarks.contract import Benchmark


@dataclass(frozen=True)
class Goal:
    """Phrases in the third person (`meets`) or as an infinitive (`meet`); `it` stands where the goal was named before."""

    noun: str
    """`target`, `margin`; empty where nothing is asked."""
    meet: str = ""
    meets: str = ""
    miss: str = ""
    meets_plainly: str = ""
    meet_plainly: str = ""
    meet_it: str = ""
    meets_it: str = ""
    misses_it: str = ""
    either: str = ""
    """What may be true of an undecided one."""

    @classmethod
    def of(cls, benchmark: Benchmark) -> Self:
        if benchmark.target is not None:
            return cls._target(plain_percent(benchmark.target))
        if benchmark.margin is not None:
            return cls._margin(plain_points(benchmark.margin))
        return cls("")

    @classmethod
    def _target(cls, stated: str) -> Self:
        return cls(
            noun="target",
            meet=f"meet the target of {stated}",
            meets=f"meets the target of {stated}",
            miss=f"miss the target of {stated}",
            meets_plainly="meets the target",
            meet_plainly="meet the target",
            meet_it="meet it",
            meets_it="meets it",
            misses_it="misses it",
            either="may lie on either side of the target",
        )

    @classmethod
    def _margin(cls, stated: str) -> Self:
        return cls(
            noun="margin",
            meet=f"come within {stated} of the best",
            meets=f"comes within {stated} of the best",
            miss=f"lie more than {stated} below the best",
            meets_plainly=f"comes within {stated} of the best",
            meet_plainly=f"come within {stated} of the best",
            meet_it="come that close",
            meets_it="comes that close",
            misses_it="lies further below",
            either=f"may come within {stated} of the best or not",
        )
