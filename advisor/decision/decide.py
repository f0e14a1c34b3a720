"""From evaluations and costs to a verdict: who meets the target, who is the cheapest, and what that rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.ask.triage import Situation, expect
from advisor.contract import AtTarget, Costs, Status, VerdictName
from advisor.costs.economics import Ranking, rank, settled
from advisor.costs.order_of_tests import order_of_tests
from advisor.decision.bounds import family_statuses, level_for_every_target, sharing
from advisor.decision.closeness import margin_statuses
from advisor.decision.decided import Before, Decided
from advisor.decision.every_goal import OUT, following, goals, states, to_come
from advisor.decision.limits import by_answers, by_cost_alone, not_checked_yet, ruled_out
from advisor.decision.unmeasured import unmeasured, with_open_limits
from benchmarks.contract import Benchmark, Evaluation, Procedure, State
from benchmarks.costs.prices import MachinePrices
from benchmarks.statistics.families import Family


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    verdict: VerdictName
    safe: str | None = None
    unsettled: tuple[str, ...] = ()
    best: str | None = None


def decide(
    evaluations: Sequence[Evaluation],
    costs: Sequence[Costs],
    benchmark: Benchmark,
    prices: MachinePrices,
    before: Before | None = None,
) -> Decided:
    """The cheapest candidate that meets the target, when nothing that would be preferred to it may still meet it too.

    With a margin in place of a target, to meet it is to lie within the margin of the best (`benchmarks.statistics.best`).
    Nothing is said to meet of which a limit of the task was not measured.

    `meets` is a one-sided 95 % lower bound at or above the target, right for all candidates with usable scores together
    (`bounds.sharing`); `misses` is the same from above. Limits on costs, time and what was forgotten rule out before anything
    is tested; what a limit on held-out answers rules out is tested with the others and told nothing of. `costs` are those at
    the `prices`, which are asked only what would change the answer. Where something else was fixed `before` the run, what was
    shown then stays shown. Raises ValueError unless every evaluation has its costs and names are unique.
    """
    by_name = {evaluation.candidate: evaluation for evaluation in evaluations}
    bills = {cost.candidate: cost for cost in costs}
    if len(by_name) != len(evaluations) or set(bills) != set(by_name):
        raise ValueError("Every candidate needs one evaluation and one bill, under one name.")
    ranking = rank(costs, evaluations)
    statuses, procedure = _statuses(
        by_name, bills, benchmark, (before or Before(order=order_of_tests(costs, evaluations)), prices)
    )
    outcome = _outcome(by_name, statuses, ranking, benchmark.judges)
    return Decided(
        verdict=outcome.verdict,
        safe=outcome.safe,
        best=outcome.best,
        unsettled=outcome.unsettled,
        procedure=procedure,
        at_targets=_at_targets(by_name, statuses, ranking, benchmark),
        evaluations=by_name,
        costs=bills,
        statuses=statuses,
        ranking=ranking,
        benchmark=benchmark,
        prices=prices,
        expectation=expect(Situation.of(benchmark.task)),
    )


# ---------------------------------------------------------------- statuses


def _statuses(
    by_name: Mapping[str, Evaluation],
    bills: Mapping[str, Costs],
    benchmark: Benchmark,
    costing: tuple[Before, MachinePrices],
) -> tuple[Mapping[str, Status], Procedure]:
    """And the procedure by which they share one error, which need not be the one that was asked for.

    `costing`: in which order of cost they are tested, and the prices.
    """
    settled: dict[str, Status] = {}
    before, prices = costing
    lacking = {name: unmeasured(by_name[name], bills[name], benchmark, prices) for name in by_name}
    for name, evaluation in by_name.items():
        status = (
            unusable(evaluation, benchmark)
            or ruled_out(evaluation, bills[name], benchmark, prices.currency)
            or not_checked_yet(evaluation, benchmark)
        )
        if status is not None:
            settled[name] = replace(status, unchecked=lacking[name])
    open_to_test = [evaluation for name, evaluation in by_name.items() if name not in settled]
    if benchmark.exploratory and benchmark.target is not None:
        # Another price may bring them in, and the bounds are those for whatever is asked later.
        open_to_test += [by_name[name] for name in settled if by_cost_alone(by_name[name], settled[name], benchmark)]
    kept_in = {name for name in settled if by_answers(by_name[name], settled[name], benchmark)}
    open_to_test += [by_name[name] for name in by_name if name in kept_in]
    waiting = to_come(by_name, settled)
    shared = sharing(open_to_test, benchmark, before.order, sum(each.spared for each in by_name.values()))
    shared = replace(shared, ruled_out=frozenset(kept_in))
    if waiting:
        count = len(open_to_test) + shared.spared
        shared = _sharing_with(level_for_every_target(benchmark, count + waiting) * count, shared)
    if benchmark.target is not None:
        tested = family_statuses(open_to_test, benchmark.target, shared)
        if benchmark.exploratory:
            tested = tuple(following(each, before.stated.get(each.candidate), benchmark.target) for each in tested)
        if waiting:
            tested = tuple(_before_all_are_measured(status) for status in tested)
    elif benchmark.margin is not None:
        left = [each for each in open_to_test if each.candidate not in kept_in]
        others = max(1, len(left) - 1), max(1, len(open_to_test) + len(benchmark.look.missing) - 1)
        tested = margin_statuses(left, benchmark.margin, shared.alpha * others[0] / others[1])
        if known := [each for each in left if not lacking[each.candidate]] if any(map(lacking.get, lacking)) else []:
            beside = margin_statuses(known, benchmark.margin, shared.alpha * max(1, len(known) - 1) / others[1])
            upper = {each.candidate: each.upper for each in beside}
            tested = tuple(replace(each, beside_measured=upper.get(each.candidate)) for each in tested)
        if waiting:
            tested = tuple(_beside_unknown(status) for status in tested)
    else:
        why = "There is no target, so it is compared and not judged."
        tested = tuple(Status(candidate=each.candidate, state=State.COMPARED, reason=why) for each in open_to_test)
    tested = with_open_limits([each for each in tested if each.candidate not in settled], lacking, benchmark)
    found = {status.candidate: status for status in tested}
    return settled | found, shared.procedure


def _sharing_with(alpha: float, shared: Family) -> Family:
    """`alpha` of the error, so that those that are not measured yet keep their part: what is shown now stays shown when
    they are, and one of them may be the first by cost."""
    return replace(shared, procedure="holm", order=(), alpha=alpha, any_target=True)


def _before_all_are_measured(status: Status) -> Status:
    """With a target: the part that is kept for those to come may go to this one once they are measured, and then these cases
    may decide."""
    if status.state is not State.UNDECIDED:
        return status
    why = "How many more cases would decide is not known before all approaches are measured."
    return replace(status, reason=why, more_cases=None, hopeless=False)


def _beside_unknown(status: Status) -> Status:
    """With a margin: the best may be among those that are not measured yet, and far above all that are."""
    status = replace(status, lower=-1.0)
    if status.state is State.MISSES:
        return status
    why = "Whether it lies within the margin of the best is not known before all approaches are measured."
    return replace(status, state=State.UNDECIDED, reason=why, more_cases=None, hopeless=False)


def unusable(evaluation: Evaluation, benchmark: Benchmark) -> Status | None:
    """None, or the status that measuring itself settled, or that figures from other cases get."""
    if evaluation.state is not None:
        name, state, few = evaluation.candidate, evaluation.state, evaluation.too_few
        return Status(candidate=name, state=state, reason=evaluation.problem, too_few=few)
    problem = ""
    if not evaluation.scores or not math.isfinite(evaluation.figure):
        problem = "It has no scores on the held-out cases."
    elif not _of_these_cases(evaluation, benchmark):
        problem = (
            "It was measured on other held-out cases or with another metric, so it cannot be compared. Run it again."
        )
    return Status(candidate=evaluation.candidate, state=State.INVALID, reason=problem) if problem else None


def _of_these_cases(evaluation: Evaluation, benchmark: Benchmark) -> bool:
    """Measured on the held-out cases: all of them, unless asking ends with a decision."""
    enough = benchmark.sequential or len(evaluation.scores) == len(benchmark.heldout)
    return enough and evaluation.fingerprint == benchmark.fingerprint


# ---------------------------------------------------------------- the verdict


def _outcome(
    by_name: Mapping[str, Evaluation], statuses: Mapping[str, Status], ranking: Ranking, judged: bool
) -> _Outcome:
    usable = [name for name in ranking.order if statuses[name].state not in OUT]
    best = max(usable, key=lambda name: by_name[name].figure) if usable else None
    if not judged:
        return _Outcome(verdict="compared", best=best)
    meeting = [name for name in usable if statuses[name].state is State.MEETS]
    undecided = [name for name in usable if statuses[name].state is State.UNDECIDED]
    waiting = tuple(name for name in ranking.order if statuses[name].state is State.OPEN)
    if not meeting:
        # Where something without a language model meets, these would have been left out because of that.
        untried = (name for name in ranking.order if statuses[name].too_few)
        open_still = (*undecided, *waiting, *untried)
        found = {status.state for status in statuses.values()}
        nobody = not usable and bool(found & {State.INVALID, State.CANNOT_RUN}) and State.RULED_OUT not in found
        verdict: VerdictName = "undecided" if open_still or nobody else "nothing meets"
        return _Outcome(verdict=verdict, best=best, unsettled=open_still)
    safe, unsettled = settled(meeting, undecided, ranking)
    unsettled = (*unsettled, *waiting)
    return _Outcome(
        verdict="safe but cheaper undecided" if unsettled else "choose", safe=safe, best=best, unsettled=unsettled
    )


def _at_targets(
    by_name: Mapping[str, Evaluation], statuses: Mapping[str, Status], ranking: Ranking, benchmark: Benchmark
) -> tuple[AtTarget, ...]:
    """The outcome at every twentieth, or at every margin that people ask for; at the stated one as the verdict has it."""
    asked = goals(benchmark, 20)
    found: list[AtTarget] = []
    if all(status.state in OUT for status in statuses.values()):
        return ()
    own = benchmark.target if benchmark.margin is None else benchmark.margin
    for goal, there in zip(asked, states(by_name, statuses, benchmark, asked), strict=True):
        anew = {} if goal == own else there
        judged = {
            each: status if status.state in OUT else replace(status, state=anew.get(each, status.state))
            for each, status in statuses.items()
        }
        outcome = _outcome(by_name, judged, ranking, True)
        found.append(
            AtTarget(
                target=goal,
                verdict=outcome.verdict,
                named=outcome.safe,
                unsettled=outcome.unsettled,
                unlike=tuple(name for name in outcome.unsettled if judged[name].state is State.MEETS),
            )
        )
    return tuple(found)
