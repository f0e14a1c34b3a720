"""What the held-out scores of all candidates prove against the target, as statuses, and case against case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.contract import Difference, Status
from advisor.wording import about, ceil_percent, counted, floor_percent, percent, plain_percent, start
from benchmarks.checked import Latency
from benchmarks.contract import SPLITTING, Benchmark, Evaluation, Procedure, State
from benchmarks.statistics.confidence import (
    Decided,
    clopper_pearson_lower,
    paired_difference,
    statuses,
    statuses_of_figures,
    which_tests,
)
from benchmarks.statistics.families import REST, Family, gate_level
from benchmarks.statistics.looks import SHARE, level_of
from benchmarks.statistics.resampling import figure_above, figure_below
from benchmarks.statistics.sample_size import more_cases, more_over_rows, more_until_decided, showable

POWER = 0.8
SLOW = 0.05
"""The share of requests that may take longer than the limit on the 95th percentile, and the chance of wrongly saying so."""
BY_CHANCE = 0.05
"""Above this p-value the difference of a pair is not shown."""
LIMIT = 20_000
"""More further cases than this count as not realistic."""


def sharing(
    family: Sequence[Evaluation], benchmark: Benchmark, cheapest_first: Sequence[str], spared: int = 0
) -> Family:
    """How the candidates share one error, in the order of cost or in that of the selection scores. `spared`: how many more
    were not fitted because of what these reached; those count too that earlier looks tested and this one leaves out.

    Of equal scores the less simple comes first. The finalist is the cheapest that reaches the target on the selection
    cases, by the metric itself where that exists over rows only.
    Where a candidate has no selection score there is no order by them, and Holm is taken; likewise where max-T would need
    the scores of the same single cases and there are none, as with a metric over rows, where each candidate was asked until it
    was decided, and at a later look to which other approaches or prices came than to those before: no order is fixed then.
    """
    spared += len(benchmark.look.missing)
    plain = Family(alpha=level_of(benchmark.look.number), stops_with=benchmark.stops_with, spared=spared)
    if benchmark.exploratory:
        count = len(family) + spared
        return replace(plain, any_target=True, alpha=level_for_every_target(benchmark, count) * max(1, count))
    if benchmark.target is None or not benchmark.look.as_before:
        return plain
    if benchmark.procedure in SPLITTING:
        without = benchmark.sequential or spared > 0 or any(each.over_rows for each in family)
        return plain if without else replace(plain, procedure=benchmark.procedure)
    if benchmark.procedure == "cheapest first":
        names = {each.candidate for each in family}
        by_cost = tuple(name for name in cheapest_first if name in names)
        alone = benchmark.sequential or len(by_cost) + spared < 2
        return plain if alone else replace(plain, procedure="cheapest first", order=by_cost)
    known = {each.candidate: each.selection_score for each in family if each.selection_score is not None}
    if len(known) < len(family) + spared:
        return plain
    order = [each.candidate for each in sorted(family, key=lambda each: (-known[each.candidate], -each.simplicity))]
    if benchmark.procedure == "finalist":
        reached = {
            each.candidate: each.selection_figure if each.over_rows else known[each.candidate] for each in family
        }
        figures = {name: figure for name, figure in reached.items() if figure is not None}
        if len(figures) < len(family):
            return plain
        enough = [name for name in cheapest_first if figures.get(name, 0.0) >= (benchmark.target or 0.0)]
        order.sort(key=lambda name: name not in enough[:1])
    return replace(plain, procedure=benchmark.procedure, order=tuple(order))


def family_statuses(family: Sequence[Evaluation], target: float, shared: Family) -> tuple[Status, ...]:
    """Status of each candidate with usable scores on the same cases, with one error for all of them; none for those that are
    ruled out (`Family.ruled_out`).

    Figures that are means are bounded by their scores (exact where they are right or wrong), figures over rows by
    their bootstrap figures. Raises ValueError where a figure over rows has none.
    """
    if not family:
        return ()
    if any(evaluation.over_rows for evaluation in family):
        missing = [evaluation.candidate for evaluation in family if not evaluation.resampled]
        if missing:
            raise ValueError(f"{missing[0]} has a figure over rows and no bootstrap figures, so nothing bounds it.")
        decided = statuses_of_figures({each.candidate: each.resampled for each in family}, target, shared)
    else:
        groups = max((each.groups for each in family), key=len) or None
        decided = statuses({each.candidate: each.scores for each in family}, groups, target, shared)
    gate = _Gate({each.candidate: each for each in family}, decided, shared, target)
    return tuple(gate.status(each.candidate) for each in family if each.candidate not in shared.ruled_out)


def level_for_every_target(benchmark: Benchmark, count: int) -> float:
    """At which each of `count` candidates is tested where the bounds hold for every target at once.

    It is within what the verdict leaves for those that its walk does not come to: no other target can show there what
    the stated one does not.
    """
    walks = benchmark.procedure == "cheapest first" and not benchmark.sequential and count > 1
    walks = walks and benchmark.target is not None and benchmark.look.as_before
    return level_of(benchmark.look.number) * (REST if walks else 1.0) / max(1, count)


def without_walk(fixed: Benchmark, target: float | None) -> Procedure:
    """The procedure where something is asked afterwards, of a run with the goal of `fixed`: Holm where a margin is asked and
    no target was fixed, or anything where neither was, since no walk by cost took anything of the error then."""
    took_nothing = fixed.target is None and (target is None or fixed.margin is None)
    return "holm" if took_nothing else fixed.procedure


def for_every_target(
    family: Sequence[Evaluation], benchmark: Benchmark, others: int = 0
) -> dict[str, tuple[float, float]]:
    """Lower and upper bound of each candidate that hold together, whatever the target is. `others`: how many candidates
    share the error and have no scores, since they were not fitted or are not measured yet."""
    each = level_for_every_target(benchmark, len(family) + others)
    tests = which_tests(benchmark.stops_with)
    found = {}
    for evaluation in family:
        if evaluation.over_rows:
            figures = evaluation.resampled
            found[evaluation.candidate] = figure_above(figures, each), figure_below(figures, each)
        else:
            groups = evaluation.groups or None
            lower, upper = (bound(evaluation.scores, groups, each) for bound in (tests.lower, tests.upper))
            found[evaluation.candidate] = lower, upper
    return found


def too_slow(latency: Latency, limit: float) -> bool:
    """Whether more than one request in twenty is shown to take longer than `limit` seconds, with 95 % confidence."""
    longer = sum(seconds > limit for seconds in latency.seconds)
    return longer > 0 and clopper_pearson_lower(longer, len(latency.seconds), SLOW) > SLOW


def paired(named: str | None, family: Sequence[Evaluation], *, stops_with: int | None = None) -> tuple[Difference, ...]:
    """The named candidate against each other one, case by case; empty where it is not in the family. With `stops_with`
    (`Benchmark.stops_with`) on the cases that both were asked before they were decided."""
    first = next((evaluation for evaluation in family if evaluation.candidate == named), None)
    if first is None:
        return ()
    others = [evaluation for evaluation in family if evaluation.candidate != named]
    return tuple(_difference(first, other, stops_with) for other in others)


def ahead(one: Evaluation, other: Evaluation, stops_with: int | None) -> bool | None:
    """Whether the first is shown to be ahead of the other (True) or behind it (False), by this pair alone: by the paired
    difference, of a metric over rows by intervals that do not overlap. None: not shown, either way."""
    if one.over_rows or other.over_rows:
        return True if one.lower > other.upper else False if other.lower > one.upper else None
    (found,) = paired(one.candidate, [one, other], stops_with=stops_with)
    return None if found.p_value > BY_CHANCE or found.mean == 0 else found.mean > 0


def _difference(first: Evaluation, second: Evaluation, stops_with: int | None) -> Difference:
    cases = min(len(first.scores), len(second.scores)) if stops_with is not None else None
    found = paired_difference(
        first.scores[:cases], second.scores[:cases], first.groups[:cases] or None, stops_with=stops_with
    )
    return Difference(
        first=first.candidate,
        second=second.candidate,
        mean=found.mean,
        lower=found.lower,
        upper=found.upper,
        p_value=found.p_value,
        only_first_right=found.only_first,
        only_second_right=found.only_second,
        showable=found.showable,
    )


@dataclass(frozen=True)
class _Gate:
    """What was decided, and how the candidates shared the error."""

    evaluations: Mapping[str, Evaluation]
    decided: Mapping[str, Decided]
    shared: Family
    target: float

    def status(self, name: str) -> Status:
        state, lower, upper = self.decided[name]
        goal, more, hopeless, behind = plain_percent(self.target), None, False, ""
        if state is State.MEETS:
            reason = f"At least {floor_percent(lower, self.target)} % with 95 % confidence, and the target is {goal}."
        elif state is State.MISSES:
            reason = f"At most {ceil_percent(upper, self.target)} % with 95 % confidence, and the target is {goal}."
        elif (found := self._stopper(name)) is not None:
            stopper, alone = found
            behind, more = self._more_behind(stopper, name)
            reason = self._not_reached(alone, stopper)
        elif self.shared.procedure == "finalist" and name != self.shared.order[0]:
            reason = (
                f"It is not tested for meeting the target of {goal}: that was left to {self.shared.order[0]}, named by the "
                "selection cases. It is not shown to miss it."
            )
        else:
            more = self._more(name)
            hopeless = more is None
            reason = (
                f"It lies between {floor_percent(lower, self.target)} and {ceil_percent(upper, self.target)} %, and the "
                f"target of {goal} is in between. {self._what_decides(name, more)}"
            )
        return Status(
            candidate=name,
            state=state,
            reason=reason,
            lower=lower,
            upper=upper,
            more_cases=more,
            behind=behind,
            hopeless=hopeless,
        )

    def _stopper(self, name: str) -> tuple[str, State] | None:
        """Before which candidate the walk ended, and what this one would be if it were tested alone; None where it has
        been tested."""
        alone = self._alone(name)
        procedure = self.shared.procedure
        if alone is State.UNDECIDED or procedure not in ("fixed sequence", "finalist", "cheapest first"):
            return None
        if procedure == "finalist" and alone is State.MEETS:
            return None
        if procedure == "cheapest first":
            return None if self._first == name else (self._first, alone)
        order = self.shared.order if alone is State.MEETS else self.shared.order[::-1]
        return next(each for each in order if self.decided[each][0] is not alone), alone

    def _alone(self, name: str) -> State:
        evaluation = self.evaluations[name]
        alone = Family(alpha=self._full, stops_with=self.shared.stops_with)
        if evaluation.over_rows:
            return statuses_of_figures({name: evaluation.resampled}, self.target, alone)[name][0]
        return statuses({name: evaluation.scores}, evaluation.groups or None, self.target, alone)[name][0]

    def _not_reached(self, state: State, stopper: str) -> str:
        does, rank = ("meets", "better") if state is State.MEETS else ("misses", "worse")
        start = f"Taken alone it {does} the target of {plain_percent(self.target)}, but {stopper}"
        if self.shared.procedure == "cheapest first":
            stands = "meets it" if self.decided[stopper][0] is State.MEETS else "is not decided"
            if stopper in self.shared.ruled_out:
                stands = "is not shown to miss it"
            return (
                f"{start} comes before it by cost and {stands}: approaches are tested from the cheapest on, so that all that "
                "is said of them is right together."
            )
        return (
            f"{start} did {rank} on the selection cases and is not shown to: these fixed the order of testing, so that all "
            "that is said of the approaches is right together."
        )

    @property
    def _first(self) -> str:
        """Of the walk by cost the one that may be chosen: the cheapest that is not shown to miss; empty where all are."""
        return next((each for each in self.shared.order if self.decided[each][0] is not State.MISSES), "")

    @property
    def _full(self) -> float:
        """At which a candidate is tested for which the level is not split."""
        alpha = self.shared.alpha
        return gate_level(alpha) if self.shared.procedure == "cheapest first" else alpha

    @property
    def _count(self) -> int:
        """Over which the level is split where it is."""
        return len(self.decided) + self.shared.spared

    def _tested(self, name: str) -> tuple[float, bool]:
        """The level at which the candidate is tested, and whether it has yet to be split over all of them."""
        if self.shared.procedure == "cheapest first" and name != self._first:
            return self.shared.alpha * REST, True
        return self._full, self.shared.procedure in SPLITTING

    def _more(self, name: str) -> int | None:
        """Further cases at the level of the next look, on the side of the target where the figure lies."""
        evaluation, (full, splits) = self.evaluations[name], self._tested(name)
        level = full * (1 - SHARE)
        if splits:
            side = State.MEETS if evaluation.figure >= self.target else State.MISSES
            passed = sum(state is side for state, _, _ in self.decided.values())
            level /= max(1, self._count - (0 if self.shared.any_target else passed))
        if evaluation.over_rows:
            return _more_by_bound(evaluation, self.target, level)
        groups = evaluation.groups or None
        if (largest := self.shared.stops_with) is not None:
            return more_until_decided(evaluation.scores, groups, self.target, (level, POWER, LIMIT), largest)
        return more_cases(evaluation.scores, groups, self.target, level, POWER, LIMIT) or None

    def _more_behind(self, stopper: str, name: str) -> tuple[str, int | None]:
        """Whom further cases decide before which the walk ended, and how many. One that is ruled out is in the way for good
        unless it is shown to miss, and one that no realistic number decides is too: else as many as show it where the level is
        split, and nobody."""
        if stopper in self.shared.ruled_out and self.evaluations[stopper].figure >= self.target:
            return "", self._more(name)
        if self.decided[stopper][0] is not State.UNDECIDED:
            return stopper, None
        more = self._more(stopper)
        if more is None and self.shared.procedure == "cheapest first":
            return "", self._more(name)
        return stopper, more

    def _what_decides(self, name: str, more: int | None) -> str:
        evaluation = self.evaluations[name]
        cases = len(evaluation.scores)
        level, splits = self._tested(name)
        if evaluation.over_rows and not _has_bound(evaluation.resampled, level / (self._count if splits else 1)):
            return (
                f"So late a look at these cases asks for more than {len(evaluation.resampled):,} resamples can show, whatever "
                "the figure is: fresh held-out cases would decide."
            )
        if not evaluation.over_rows and showable(cases, self.target, self._count if splits else 1, level) is None:
            enough = f" {start(about(more, 'more case'))} would probably decide." if more is not None else ""
            return f"With {counted(cases, 'held-out case')} not even a perfect score would meet it.{enough}"
        if more is None:
            figure = percent(evaluation.figure)
            return f"The figure of {figure} is too close to the target for any realistic number of cases."
        return f"{start(about(more, 'more held-out case'))} would probably decide (4 times in 5, if the figure holds)."


def _has_bound(figures: Sequence[float], level: float) -> bool:
    """Whether so many bootstrap figures can show anything at the level."""
    return level * (len(figures) + 1) >= 1


def _more_by_bound(evaluation: Evaluation, target: float, level: float) -> int | None:
    figure, resampled = evaluation.figure, evaluation.resampled
    bound = figure_above(resampled, level) if figure >= target else figure_below(resampled, level)
    aim, cases = (level, POWER, LIMIT), len(evaluation.scores)
    return more_over_rows((figure, bound), target, aim, cases, evaluation.resting)
