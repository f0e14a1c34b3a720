"""Whether what the nature of a task suggested, before anything ran, came out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from advisor.decision.decided import Decided
from advisor.wording import percent
from benchmarks.contract import Evaluation, State
from benchmarks.evaluation.cascade import APPROACH as CASCADE

FAMILY_NAMES = {
    "reference": "an approach without a language model",
    "prompting": "prompting",
    "retrieval": "retrieval",
    "finetuning": "fine-tuning",
    "combined": "fine-tuning and retrieval together",
    "recorded": "recorded answers",
}
_RECOMMENDED = {"choose": "The recommendation", "safe but cheaper undecided": "What is proven so far"}
_IS = {"choose": "recommended is", "safe but cheaper undecided": "proven so far is"}
_UNUSED = (State.INVALID, State.CANNOT_RUN, State.SKIPPED, State.OPEN)


def as_expected(decided: Decided, named: str) -> Iterator[str]:
    """Whether what the verdict is about is of the family that the task suggested, as a sentence; none where that says nothing.

    "In front" is said of the highest figure alone: what is recommended need not have it.
    """
    measured = [each for each in decided.evaluations.values() if math.isfinite(each.figure)]
    best, mine = suggested(decided), decided.evaluations[named]
    if best is None or mine.family not in FAMILY_NAMES or len({each.family for each in measured} - {"recorded"}) < 2:
        return
    alike = mine.family == best.family
    if best.figure == mine.figure and not (alike and any(each.figure != mine.figure for each in measured)):
        return
    higher = sorted((each for each in measured if each.figure > mine.figure), key=lambda each: -each.figure)
    if any(decided.statuses[each.candidate].state in _UNUSED for each in higher):
        return
    yield _agrees(decided, best, higher) if alike else _disagrees(decided, (best, mine), higher)


def _agrees(decided: Decided, best: Evaluation, higher: Sequence[Evaluation]) -> str:
    """`higher`: those with a higher figure than what the verdict is about, the highest first."""
    expected, who = FAMILY_NAMES[best.family], _RECOMMENDED.get(decided.verdict)
    if higher and who:
        top = f"{higher[0].candidate} with {percent(higher[0].figure)}"
        return f"{who} agrees with what the task suggested, {expected}; the highest is {top}."
    where = f"of those within the limits {expected}" if higher else expected
    return f"The measurement agrees with what the task suggested: {where} comes out highest."


def _disagrees(decided: Decided, pair: tuple[Evaluation, Evaluation], higher: Sequence[Evaluation]) -> str:
    """`pair`: the best of the family that was expected, and what the verdict is about."""
    best, mine = pair
    said = (
        "The task suggested otherwise" if best in higher else "The measurement disagrees with what the task suggested"
    )
    short = " (its search was cut short)" if best.rising and best not in higher else ""
    out = " and is ruled out" if decided.statuses[best.candidate].state is State.RULED_OUT else ""
    reached = (
        f"{FAMILY_NAMES[best.family]} was expected to be highest{',' if out else ' and'} reached "
        f"{percent(best.figure)}{short}{out}"
    )
    told = "the highest within the limits is" if higher else "the highest is"
    if higher and decided.verdict in _IS:
        told = _IS[decided.verdict]
    which = f"{mine.candidate} with {percent(mine.figure)}{_why(decided, pair) if best in higher else ''}"
    return f"{said}: {reached}; {told} {which}."


def _why(decided: Decided, pair: tuple[Evaluation, Evaluation]) -> str:
    """Why the one that is recommended is preferred to one with a higher figure, where costs are the reason."""
    dearer, cheaper = (each.candidate for each in pair)
    if decided.statuses[dearer].state is not State.MEETS:
        return ""
    if decided.saved(dearer, cheaper) is not None:
        return ", which costs less"
    return ", which costs about as much and is simpler" if decided.ranking.tie(dearer, cheaper) else ""


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
