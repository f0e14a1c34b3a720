"""Whether anything is shown to beat one answer to every request, which takes no reading of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from advisor.contract import Status
from advisor.decision.bounds import ahead, paired
from advisor.wording import counted, percent
from benchmarks.contract import Benchmark, Evaluation, State
from strategies.approaches.majority import Majority

_MEASURED = (State.MEETS, State.MISSES, State.UNDECIDED, State.COMPARED, State.RULED_OUT)


@dataclass(frozen=True, kw_only=True)
class Unbeaten:
    """What one answer to every request reaches, where nothing else is shown to be ahead, each by itself. The answer is not told:
    who may see a report need not see what examples say."""

    candidate: str
    figure: float
    cases: int
    lead: float | None
    """By how much any of the others would have to lead for these cases to show it 4 times in 5; None where nobody knows."""

    @property
    def says(self) -> str:
        said = (
            f"Nothing is shown to beat {self.candidate}, which gives every request the same answer and reaches "
            f"{percent(self.figure)}."
        )
        if self.lead is None:
            return said
        lead, cases = counted(round(100 * self.lead), "point"), counted(self.cases, "case")
        return f"{said} A true lead of {lead} would show on these {cases} 4 times in 5."


def unbeaten(
    evaluations: Mapping[str, Evaluation], statuses: Iterable[Status], benchmark: Benchmark
) -> Unbeaten | None:
    """None where something is ahead, and where that approach was not asked or stands alone."""
    measured = [evaluations[status.candidate] for status in statuses if status.state in _MEASURED]
    constant = next((each for each in measured if each.approach == Majority.name), None)
    others = [each for each in measured if each is not constant]
    if constant is None or not others or any(ahead(each, constant, benchmark.stops_with) for each in others):
        return None
    return Unbeaten(
        candidate=constant.candidate,
        figure=constant.figure,
        cases=len(constant.scores),
        lead=_lead(constant, others, benchmark.stops_with),
    )


def _lead(constant: Evaluation, others: Sequence[Evaluation], stops_with: int | None) -> float | None:
    """In whole points, rounded up."""
    if constant.over_rows:
        return None
    leads = [each.showable for each in paired(constant.candidate, [constant, *others], stops_with=stops_with)]
    return math.ceil(100 * max(leads)) / 100 if all(leads) else None
