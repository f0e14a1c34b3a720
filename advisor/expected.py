"""Whether what the nature of a task suggested, before anything ran, came out."""

from __future__ import annotations

import math

from advisor.decided import Decided
from benchmarks.cascade import APPROACH as CASCADE
from benchmarks.contract import Evaluation

FAMILY_NAMES = {
    "reference": "an approach without a language model",
    "prompting": "prompting",
    "retrieval": "retrieval",
    "finetuning": "fine-tuning",
    "combined": "fine-tuning and retrieval together",
    "recorded": "recorded answers",
}


def suggested(decided: Decided) -> Evaluation | None:
    """The best of the family that the task suggested first of those that were measured; None where none was.

    A cascade ends in that family and is no sign of it alone.
    """
    measured = [each for each in decided.evaluations.values() if math.isfinite(each.figure)]
    families = {each.family for each in measured}
    expected = next((each for each in decided.expectation.order if each in families), None)
    found = [each for each in measured if each.family == expected]
    alone = [each for each in found if each.approach != CASCADE]
    return max(alone or found, key=lambda each: each.figure, default=None)
