"""The few words that stand above the headline of a verdict."""

from __future__ import annotations

from advisor.goal import Goal
from advisor.material import Material
from benchmarks.contract import State

_TITLES = {
    "target": {
        "choose": "Target met",
        "safe but cheaper undecided": "Target met",
        "undecided": "Not decided yet",
        "nothing meets": "Target not met",
    },
    "margin": {
        "choose": "Close to the best",
        "safe but cheaper undecided": "Close to the best",
        "undecided": "Not decided yet",
        "nothing meets": "Nothing to choose from",
    },
}


def title(material: Material) -> str:
    """The few words above the headline."""
    goal = Goal.of(material.benchmark)
    told = _TITLES[goal.noun][material.recommendation.verdict] if goal.noun else "Compared without a target"
    told += _what_is_open(material)
    return f"{told} (development figures)" if material.benchmark.look.shown else told


def _what_is_open(material: Material) -> str:
    """What keeps the safe one from being the choice, with a comma before it; empty where nothing does."""
    named, rivals = material.recommendation.safe, material.recommendation.cheaper_undecided
    if named is None or not rivals:
        return ""
    states = {status.candidate: status.state for status in material.statuses}
    if all(states[rival] is State.MEETS for rival in rivals):
        return ", but not all costs can be compared"
    rival = next(each for each in rivals if states[each] is not State.MEETS)
    if not material.ranking.comparable(rival, named):
        return ", an approach that may be cheaper is undecided"
    return f", a {'simpler' if material.ranking.tie(rival, named) else 'cheaper'} approach is undecided"
