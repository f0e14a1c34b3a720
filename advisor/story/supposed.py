"""What the stated chance of a wrong claim supposes, told where these cases give reason to doubt it."""

from __future__ import annotations

import numpy as np

from advisor.material import Material
from benchmarks.contract import State
from benchmarks.statistics.families import MANY, opposed
from benchmarks.statistics.grouping import Floats


def supposed(material: Material) -> str:
    """A sentence, or nothing where the way in which the approaches share the error supposes nothing or is met."""
    procedure = material.recommendation.procedure
    if procedure == "max-t" and len(material.benchmark.heldout) < MANY:
        return (
            f" By resampling (max-T) that holds for {MANY} cases and more, about; of fewer it may be several times as much "
            "where approaches are alike."
        )
    if procedure != "cheapest first" or material.benchmark.exploratory:
        return ""
    names = [status.candidate for status in material.statuses if _tested(material, status.candidate, status.state)]
    pair = opposed([np.asarray(material.evaluations[name].scores, dtype=np.float64) for name in names])
    if pair is None:
        return ""
    one, other = (names[place] for place in pair)
    return (
        f" That supposes approaches that are not right exactly where others are wrong; {one} and {other} mostly are, so it may "
        "be a little more (`procedure: holm` supposes nothing)."
    )


def _tested(material: Material, name: str, state: State) -> bool:
    scores: Floats | tuple[float, ...] = material.evaluations[name].scores if name in material.evaluations else ()
    return state in (State.MEETS, State.MISSES, State.UNDECIDED) and len(scores) == len(material.benchmark.heldout)
