"""What the held-out scores of all candidates prove against the target, as statuses, and case against case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, stdev

from advisor.contract import Difference, Status
from advisor.wording import about, ceil_percent, counted, floor_percent, percent, plain_percent, start
from benchmarks.contract import Evaluation, State
from benchmarks.sample_size import more_cases, showable
from benchmarks.statistics import Decided, paired_difference, statuses, statuses_of_figures

ALPHA = 0.05
POWER = 0.8
_LIMIT = 20_000
"""More further cases than this count as not realistic."""


def family_statuses(family: Sequence[Evaluation], target: float) -> tuple[Status, ...]:
    """Status of each candidate with usable scores on the same cases, corrected by Holm for how many there are.

    Figures that are means are bounded by their scores (exact where they are right or wrong), figures over rows by
    their bootstrap figures. Raises ValueError where a figure over rows has none.
    """
    if not family:
        return ()
    if any(evaluation.over_rows for evaluation in family):
        missing = [evaluation.candidate for evaluation in family if not evaluation.resampled]
        if missing:
            raise ValueError(f"{missing[0]} has a figure over rows and no bootstrap figures, so nothing bounds it.")
        decided = statuses_of_figures({each.candidate: each.resampled for each in family}, target, ALPHA)
    else:
        decided = statuses({each.candidate: each.scores for each in family}, family[0].groups or None, target, ALPHA)
    return tuple(_status(each, decided, target) for each in family)


def paired(named: str | None, family: Sequence[Evaluation]) -> tuple[Difference, ...]:
    """The named candidate against each other one, case by case; empty where it is not in the family."""
    first = next((evaluation for evaluation in family if evaluation.candidate == named), None)
    if first is None:
        return ()
    others = [evaluation for evaluation in family if evaluation.candidate != named]
    return tuple(_difference(first, other) for other in others)


def _difference(first: Evaluation, second: Evaluation) -> Difference:
    found = paired_difference(first.scores, second.scores, first.groups or None, seed=0)
    return Difference(
        first=first.candidate,
        second=second.candidate,
        mean=found.mean,
        lower=found.lower,
        upper=found.upper,
        p_value=found.p_value,
        only_first_right=found.only_first,
        only_second_right=found.only_second,
    )


def _status(evaluation: Evaluation, decided: dict[str, Decided], target: float) -> Status:
    state, lower, upper = decided[evaluation.candidate]
    goal = plain_percent(target)
    more = None
    if state is State.MEETS:
        reason = f"At least {floor_percent(lower, target)} % with 95 % confidence, and the target is {goal}."
    elif state is State.MISSES:
        reason = f"At most {ceil_percent(upper, target)} % with 95 % confidence, and the target is {goal}."
    else:
        more = _more(evaluation, decided, target)
        reason = (
            f"It lies between {floor_percent(lower, target)} and {ceil_percent(upper, target)} %, and the target of "
            f"{goal} is in between. {_what_decides(evaluation, more, len(decided), target)}"
        )
    return Status(candidate=evaluation.candidate, state=state, reason=reason, lower=lower, upper=upper, more_cases=more)


def _more(evaluation: Evaluation, decided: dict[str, Decided], target: float) -> int | None:
    """Further cases at the level at which Holm's walk stopped, on the side of the target where the figure lies."""
    side = State.MEETS if evaluation.figure >= target else State.MISSES
    rejected = sum(state is side for state, _, _ in decided.values())
    level = ALPHA / (len(decided) - rejected)
    if evaluation.over_rows:
        return _more_by_spread(evaluation, target, level)
    return more_cases(evaluation.scores, evaluation.groups or None, target, level, POWER, _LIMIT) or None


def _more_by_spread(evaluation: Evaluation, target: float, level: float) -> int | None:
    """By the normal approximation: the spread of the bootstrap figures shrinks with the root of the cases."""
    away = abs(evaluation.figure - target)
    if away < 1e-9:
        return None
    normal = NormalDist()
    reach = (normal.inv_cdf(1 - level) + normal.inv_cdf(POWER)) * stdev(evaluation.resampled)
    now = len(evaluation.scores)
    further = max(1, math.ceil(now * (reach / away) ** 2) - now)
    return further if further <= _LIMIT else None


def _what_decides(evaluation: Evaluation, more: int | None, candidates: int, target: float) -> str:
    cases = len(evaluation.scores)
    if not evaluation.over_rows and showable(cases, target, candidates, ALPHA) is None:
        enough = f" {start(about(more, 'more case'))} would probably decide." if more is not None else ""
        return f"With {counted(cases, 'held-out case')} not even a perfect score would meet it.{enough}"
    if more is None:
        return (
            f"The figure of {percent(evaluation.figure)} is too close to the target for any realistic number of cases."
        )
    return f"{start(about(more, 'more held-out case'))} would probably decide (4 times in 5, if the figure holds)."
