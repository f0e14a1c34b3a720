"""Where each candidate stands to the best of all, as statuses, when a margin is asked for in place of a target."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.contract import Status
from advisor.decision.bounds import LIMIT, POWER
from advisor.wording import about, ceil_percent, floor_percent, plain_points, start
from benchmarks.contract import Evaluation, State
from benchmarks.statistics.best import Below, Deciding, below_best, figures_below_best
from benchmarks.statistics.grouping import as_scores
from benchmarks.statistics.looks import SHARE


def margin_statuses(family: Sequence[Evaluation], margin: float, alpha: float) -> tuple[Status, ...]:
    """Status of each candidate with usable scores on the same cases. The bounds are shares below the best, from -1 to 0,
    and hold for all candidates and every margin together."""
    if not family:
        return ()
    if any(each.over_rows for each in family):
        found = figures_below_best({each.candidate: each.resampled for each in family}, margin, alpha)
    else:
        scores = {each.candidate: each.scores for each in family}
        found = below_best(scores, family[0].groups or None, margin, alpha)
    aim = (margin, alpha * (1 - SHARE) / max(1, len(family) - 1), POWER)
    deciding = Deciding(
        scores={each.candidate: each.scores for each in family}, groups=family[0].groups or None, aim=aim
    )
    return tuple(_status(name, below, deciding) for name, below in found.items())


def how_far(lower: float, upper: float, margin: float) -> tuple[str, str]:
    """The least and the most that a candidate lies below the best, in points, each rounded to the safe side."""
    return floor_percent(-upper, margin), ceil_percent(-lower, margin)


def _status(name: str, below: Below, deciding: Deciding) -> Status:
    margin = deciding.aim[0]
    least, most = how_far(below.lower, below.upper, margin)
    goal, more = plain_points(margin), None
    if below.state is State.MEETS:
        reason = f"At most {most} points below the best with 95 % confidence, and the margin is {goal}."
    elif below.state is State.MISSES:
        reason = f"At least {least} points below the best with 95 % confidence, and the margin is {goal}."
    else:
        more = _more(name, below.rivals, deciding)
        reason = (
            f"It lies {least} to {most} points below the best, and the margin of {goal} is in between. {_told(more)}"
        )
    return Status(
        candidate=name,
        state=below.state,
        reason=reason,
        lower=below.lower,
        upper=below.upper,
        more_cases=more,
        hopeless=below.state is State.UNDECIDED and more is None,
    )


def _more(name: str, rivals: Sequence[str], deciding: Deciding) -> int | None:
    """Further cases that show on which side of the margin it lies, whichever of its rivals is the best."""
    needed = deciding.cases(name, rivals)
    further = max(1, needed - len(as_scores(deciding.scores[name])))
    return further if needed and further <= LIMIT else None


def _told(more: int | None) -> str:
    if more is None:
        return "No realistic number of cases would decide it."
    return f"{start(about(more, 'more held-out case'))} would probably decide (4 times in 5, if the figures hold)."
