"""Whether fine-tuning was better in the bake-offs: the strongest approach with it beside the strongest without, task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.wording import counted, digits, percent
from benchmarks.contract import Evaluation
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.statistics.confidence import paired_difference
from benchmarks.studies.bakeoff_claims import told
from benchmarks.studies.bakeoff_rows import BakeOff, below, turned
from benchmarks.studies.markdown import table
from benchmarks.studies.settings import NOT_RUN, SETTINGS
from strategies.contract import TUNED

YES, NOT_SHOWN, BEHIND, NO = "yes", "not shown", "behind", "no"
OPEN = {
    (False, True): ", with not saturated",
    (True, False): ", without not saturated",
    (True, True): ", neither saturated",
    (False, False): "",
}
"""(without, with): whether an approach of that side ran out of budget before everything was tried."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """The strongest approach of those with a trained language model, or of those without."""

    best: Evaluation
    rising: bool
    """Whether the budget of any of its approaches ended before everything was tried: then that one might be the strongest."""


@dataclass(frozen=True, kw_only=True)
class Both:
    """One task."""

    without: Side
    trained: Side

    @property
    def answer(self) -> str:
        """Whether training was better, and which side may have become better with a longer search where that could turn it."""
        difference = paired_difference(
            self.trained.best.scores, self.without.best.scores, self.without.best.groups or None
        )
        if below(turned(difference)):
            return YES + OPEN[self.without.rising, False]
        if not below(difference):
            return NOT_SHOWN + OPEN[self.without.rising, self.trained.rising]
        return BEHIND + OPEN[False, True] if self.trained.rising else NO


def sides(bakeoff: BakeOff) -> Both | None:
    """The strongest without and with training; of equal ones the simpler. None where there is none of either kind."""
    usable = [
        each
        for each in bakeoff.verdict.evaluations
        if each.scores and each.state is None and each.approach != CASCADE and each.family != "recorded"
    ]
    untrained = [each for each in usable if each.family not in TUNED]
    trained = [each for each in usable if each.family in TUNED and each.selection_score is not None]
    if not untrained or not trained:
        return None
    plain = max(untrained, key=lambda each: (each.figure, -each.simplicity))
    tuned = max(trained, key=lambda each: (each.selection_score or 0.0, -each.simplicity))
    return Both(without=_side(plain, untrained), trained=_side(tuned, trained))


def _side(best: Evaluation, all_of_it: Sequence[Evaluation]) -> Side:
    return Side(best=best, rising=any(each.rising for each in all_of_it))


def paid_off(found: Mapping[str, BakeOff]) -> str:
    """For each task, what training a language model brought over doing without, and at how many times the cost."""
    rows: list[tuple[str, ...]] = []
    for each in SETTINGS:
        bakeoff = found.get(each.task)
        both = sides(bakeoff) if bakeoff else None
        if bakeoff is None or both is None:
            rows.append((each.task, NOT_RUN, "", "", "", ""))
            continue
        plain, tuned = both.without.best, both.trained.best
        difference = paired_difference(tuned.scores, plain.scores, plain.groups or None)
        costs = {cost.candidate: cost.monthly.value for cost in bakeoff.verdict.costs}
        one, other = costs[plain.candidate], costs[tuned.candidate]
        times = f"{digits(other / one)} times" if one and other else "-"
        figures = [f"{side.candidate} ({percent(side.figure)})" for side in (plain, tuned)]
        rows.append((each.task, *figures, told(difference), times, both.answer))
    head = ("task", "without", "with", "difference", "cost of a month, with", "was it better?")
    return table(head, rows)


def better_in(found: Mapping[str, BakeOff]) -> str:
    """In how many tasks fine-tuning was better, and where a search that was cut short leaves that open."""
    said = [both.answer for bakeoff in found.values() if (both := sides(bakeoff))]
    better, alike, cut = ([each for each in said if each.startswith(answer)] for answer in (YES, NOT_SHOWN, BEHIND))
    behind = len(cut) + said.count(NO)
    why = _cut_short(len(cut), behind)
    open_still = sum(each != YES for each in better)
    those = "all" if open_still == len(better) else f"{open_still} of the"
    turning = (
        f" In {those} {len(better)} where it was better an approach without it ran out of search budget, so a longer search "
        "could narrow the lead."
        if open_still
        else ""
    )
    return (
        f"Fine-tuning was better in {len(better)} of {counted(len(said), 'task')}, not shown to differ in {len(alike)}, and "
        f"behind in {behind or 'none'}{why}.{turning}"
    )


def _cut_short(cut: int, behind: int) -> str:
    if not cut:
        return ""
    return ", where its search was cut short" if cut == behind else f", where its search was cut short in {cut}"
