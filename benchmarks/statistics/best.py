"""How far each candidate lies below the best of them, with bounds that hold for all together, whichever is the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.contract import State
from benchmarks.statistics.confidence import decide
from benchmarks.statistics.grouping import as_scores
from benchmarks.statistics.leads import cases_to_show, lead_at_least
from benchmarks.statistics.resampling import figure_above, figure_below

_Lead = Callable[[int, int, float], float]
"""(one, other, level) -> one-sided lower bound on the figure of the one minus that of the other."""


@dataclass(frozen=True, kw_only=True)
class Below:
    """One candidate against the best of all, itself included. Units of the bounds: of the score, from -1 to 0."""

    state: State
    """Whether it is shown to lie within the margin."""
    lower: float
    upper: float
    rivals: tuple[str, ...]
    """The other candidates that may be the best, in order of their means: each leaves open on which side of the margin this
    one lies, until it is compared with it or shown not to be the best."""


def below_best(
    scores_by_candidate: Mapping[str, ArrayLike], groups: Sequence[Any] | None, margin: float, alpha: float = 0.05
) -> dict[str, Below]:
    """Where each candidate stands to the best of them, from scores in [0, 1] of the same cases in the same order.

    The chance that any is falsely shown to lie within `margin` of the best is at most `alpha`, that any is falsely shown
    to lie further below likewise; for every margin at once. Pairs are compared case by case (`leads.lead_at_least`).
    """
    names = list(scores_by_candidate)
    scores = [as_scores(scores_by_candidate[name]) for name in names]

    def lead(one: int, other: int, level: float) -> float:
        return lead_at_least(scores[one], scores[other], groups, level)

    return _bounded(names, lead, [float(given.mean()) for given in scores], (margin, alpha))


def figures_below_best(
    figures_by_candidate: Mapping[str, ArrayLike], margin: float, alpha: float = 0.05
) -> dict[str, Below]:
    """As `below_best`, from sorted bootstrap figures of a metric over rows. These are not paired, so that each of two
    figures gets half the level, which is on the safe side."""
    names = list(figures_by_candidate)
    figures = [np.asarray(figures_by_candidate[name], dtype=np.float64) for name in names]

    def lead(one: int, other: int, level: float) -> float:
        return figure_above(figures[one], level / 2) - figure_below(figures[other], level / 2)

    return _bounded(names, lead, [float(np.median(drawn)) for drawn in figures], (margin, alpha))


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """How many cases it takes to decide on which side of the margin candidates lie: each pair is reckoned once."""

    scores: Mapping[str, ArrayLike]
    groups: Sequence[Any] | None
    aim: tuple[float, float, float]
    """Margin, level of one bound, and power."""
    _known: dict[tuple[str, str, float, float], int] = field(default_factory=dict)

    def cases(self, one: str, rivals: Sequence[str]) -> int:
        """About how many, those at hand included; 0 for never.

        As many as it takes for that of the `rivals` that asks for most: each has to be shown not to be the best, or to be so
        far ahead of `one`, or no further. The scores are taken as they were seen.
        """
        margin, level, _ = self.aim
        means = {name: float(as_scores(self.scores[name]).mean()) for name in (one, *rivals)}
        best = max(means, key=lambda name: means[name])
        within = means[one] >= means[best] - margin
        level = level if within else level / 2
        most = 0
        for rival in sorted(rivals, key=lambda name: -means[name]):
            least = self._shown(best, rival, 0.0, level) if rival != best else 0
            if not 0 < least <= most and (means[one] >= means[rival] - margin) is within:
                gap = self._shown(one, rival, -margin, level)
                least = min(least or gap, gap or least)
            if not least:
                return 0
            most = max(most, least)
        return most

    def _shown(self, one: str, other: str, lead: float, level: float) -> int:
        if (key := (one, other, lead, level)) not in self._known:
            aim = (lead, level, self.aim[2])
            self._known[key] = cases_to_show(self.scores[one], self.scores[other], self.groups, aim)
        return self._known[key]


def _bounded(names: list[str], lead: _Lead, means: list[float], asked: tuple[float, float]) -> dict[str, Below]:
    """Hsu's multiple comparisons with the best (Annals of Statistics 12, 1984), with any bounds of pairs.

    Whichever candidate is the best, its comparisons with the others, one level shared by these, bound how far it leads;
    only candidates that may be the best have to be reckoned with. A miss needs both that and a bound from the other side,
    each at half the level.
    """
    margin, alpha = asked
    level = alpha / max(1, len(names) - 1)
    front = sorted(range(len(names)), key=lambda place: -means[place])
    known = cache(lead)
    near, far = _may_be_best(front, known, level), _may_be_best(front, known, level / 2)
    found = {}
    for place, name in enumerate(names):
        behind = {other: known(place, other, level) for other in near if other != place}
        lower = min(0.0, *behind.values()) if behind else 0.0
        upper = 0.0 if place in far else min(0.0, -min(known(other, place, level / 2) for other in far))
        state = decide(lower >= -margin, upper < -margin)
        best = near if means[place] >= means[front[0]] - margin else far
        rivals = tuple(names[other] for other in best if other != place)
        found[name] = Below(state=state, lower=lower, upper=upper, rivals=rivals)
    return found


def _may_be_best(front: list[int], lead: _Lead, level: float) -> list[int]:
    """Candidates that no other is shown to be above; of those in `front`, in order of their means, always the first."""
    return [
        place for rank, place in enumerate(front) if not any(lead(other, place, level) > 0 for other in front[:rank])
    ]
