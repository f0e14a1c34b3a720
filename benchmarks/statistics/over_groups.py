"""What is shown of a mean difference whose cases come in groups: Student's t over the totals of the groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.statistics.grouping import Floats, totals

UNSEEN = 2
FEWEST_GROUPS = 10
"""With fewer groups nothing is concluded from how far they differ: those that are missing may differ wholly."""
_ROUNDS = 30


@dataclass(frozen=True, kw_only=True)
class OverGroups:
    """The sums of the differences of each group, and its cases; (groups,) each.

    The variance of the total is that of the sums around their common mean, and of groups that the sample may lack by luck:
    two of the largest size that differ in all of their cases, by as much as the groups that are there agree, and one that
    differs as far as any of these, by as much as they do not. A group counts as differing where its sum is one case or
    more. The degrees of freedom are those of sums whose variances grow with the squared sizes (Satterthwaite, 1946).

    In simulation false alarms stay below 5 % in equal and unequal groups, rare and graded differences, and a few larger groups
    among single cases (7 to 12 % where these go wholly one way or the other at random). Where each of 10 to 20 groups has a
    chance of 1 in 20 to 1 in 5 to lose all of its cases while all others gain, none may be drawn that does: 7 to 12 % then in
    groups of 10 to 15 cases, up to 35 % in larger ones.
    """

    sums: Floats
    sizes: Floats

    @cached_property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided, at 95 %."""
        half = self._reach(self.sums) * self._error(self.sums)
        return max(-1.0, self.mean - half), min(1.0, self.mean + half)

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference: at most 0.05 where the interval does not hold 0."""
        return min(1.0, 2 * float(special.stdtr(self._freedom(self.sums), -abs(self.mean) / self._error(self.sums))))

    def showable(self) -> float:
        """The mean difference that as many groups, which vary like these, show with 80 % power; 0 where there is none.

        Found with this very test on the sums, moved until it shows them although the mean falls short by luck.
        """
        short = float(special.ndtri(0.8)) * math.sqrt(self._spread) / float(self.sizes.sum())
        towards = self.sums if self.mean >= 0 else -self.sums
        found = 0.0
        for _ in range(_ROUNDS):
            moved = towards + self.sizes * (found - abs(self.mean))
            found = short + self._reach(moved) * self._error(moved)
            if found >= 1:
                return 0.0
        return found

    def _freedom(self, sums: Floats) -> float:
        """Of the spread alone, which is estimated: what may be unseen is set. No more than groups of one size that would weigh
        as much together (Kish, 1965), since of few large ones more may be missing."""
        squares = np.square(self.sizes)
        estimated = max(0.0, float(squares.sum() ** 2 / np.square(squares).sum()) - 1)
        alike = float(self.sizes.sum() ** 2 / squares.sum()) - 1
        whole = (self._error(sums) * float(self.sizes.sum())) ** 2
        return max(1.0, min(alike, estimated * (whole / self._spread) ** 2 if self._spread else alike))

    def _reach(self, sums: Floats) -> float:
        return float(special.stdtrit(self._freedom(sums), 0.975))

    @cached_property
    def _spread(self) -> float:
        groups = len(self.sums)
        return float(np.square(self.sums - self.mean * self.sizes).sum()) * groups / max(1, groups - 1)

    def _error(self, sums: Floats) -> float:
        """Standard error of the mean, were the sums those."""
        few = len(sums) < FEWEST_GROUPS
        differ = 0.0 if few else min(float(np.minimum(1, np.abs(each)).mean()) for each in (sums, self.sums))
        wholly, seen = float(self.sizes.max()) ** 2, float(np.square(sums).max())
        unseen = (1 - differ) * UNSEEN * wholly + differ * seen
        return math.sqrt(self._spread + unseen) / float(self.sizes.sum())


def over_groups(differences: Floats, codes: NDArray[np.intp]) -> OverGroups:
    """`differences` of single cases, in [-1, 1], and the numbers of their groups (`grouping.group_codes`)."""
    sums, sizes = totals(differences, codes)
    return OverGroups(sums=sums, sizes=sizes)
