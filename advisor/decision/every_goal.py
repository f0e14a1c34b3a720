"""What the same held-out scores say of every other target, or margin: bounds that hold for all of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from advisor.contract import Status
from advisor.decision.bounds import for_every_target
from advisor.decision.limits import by_answers, by_cost_alone
from advisor.decision.unmeasured import held_open, out_for_good
from advisor.wording import plain_percent
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.evaluation.cascade import APPROACH as CASCADE

MARGINS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
OUT = (State.INVALID, State.CANNOT_RUN, State.SKIPPED, State.OPEN, State.RULED_OUT)
"""Statuses that no goal changes."""


def goals(benchmark: Benchmark, steps: int) -> tuple[float, ...]:
    """Targets in that many equal steps up to 100 %, or the margins that people ask for."""
    return tuple(step / steps for step in range(1, steps + 1)) if benchmark.margin is None else MARGINS


def in_question(
    evaluations: Mapping[str, Evaluation], statuses: Mapping[str, Status], benchmark: Benchmark
) -> list[Evaluation]:
    """The candidates with usable scores that some target, volume or price may bring in: with a target those too that only
    their cost rules out. With a margin they are no part of those whose best counts."""
    return [
        each
        for name, each in evaluations.items()
        if statuses[name].state not in OUT
        or (benchmark.margin is None and by_cost_alone(each, statuses[name], benchmark))
    ]


def to_come(evaluations: Mapping[str, Evaluation], statuses: Mapping[str, Status]) -> int:
    """How many will take part in the error that have no figures yet: those that are not measured, and the cascade that may be
    made then."""
    waiting = sum(status.state is State.OPEN for status in statuses.values())
    made = any(each.approach == CASCADE for each in evaluations.values())
    return waiting + int(waiting > 0 and not made)


def proven(
    evaluations: Mapping[str, Evaluation], statuses: Mapping[str, Status], benchmark: Benchmark
) -> dict[str, tuple[float, float]]:
    """Lower and upper bound of each candidate in question that hold for every target at once: they show at a harder target
    nothing that the status does not show at the stated one, and at easier ones what follows from it."""
    others = sum(each.spared for each in evaluations.values()) + to_come(evaluations, statuses)
    others += len(benchmark.look.missing)
    others += sum(by_answers(each, statuses[name], benchmark) for name, each in evaluations.items())
    found = for_every_target(in_question(evaluations, statuses, benchmark), benchmark, others)
    if benchmark.target is None:
        return found
    shown = {
        name: statuses[name].stated if benchmark.exploratory else (benchmark.target, by_answers_alone(statuses[name]))
        for name in found
    }
    return {name: _within(bounds, shown[name]) for name, bounds in found.items()}


def by_answers_alone(status: Status) -> State:
    """Its state but for limits that were not measured."""
    return State.MEETS if status.but_for_limits else status.state


def following(status: Status, stated: tuple[float, State] | None, target: float) -> Status:
    """With what follows for the target that is asked now from what was shown at the one that was fixed before the run."""
    status = replace(status, stated=stated)
    if stated is None or status.state is not State.UNDECIDED:
        return status
    at, shown = stated
    if not ((shown is State.MEETS and target <= at) or (shown is State.MISSES and target >= at)):
        return status
    does = "meet" if shown is State.MEETS else "miss"
    lower, upper = _within((status.lower or 0.0, 1.0 if status.upper is None else status.upper), stated)
    reason = (
        f"It is shown to {does} {plain_percent(at)}, the target that was fixed before the run, so it {does}s "
        f"{plain_percent(target)} too."
    )
    return replace(
        status, state=shown, reason=reason, lower=lower, upper=upper, more_cases=None, behind="", hopeless=False
    )


def _within(bounds: tuple[float, float], shown: tuple[float, State] | None) -> tuple[float, float]:
    if shown is None:
        return bounds
    (lower, upper), (target, state) = bounds, shown
    if state is State.MEETS:
        return max(lower, target), max(upper, target)
    below = math.nextafter(target, 0.0)
    if state is State.MISSES:
        return min(lower, below), min(upper, below)
    return (min(lower, below), max(upper, target)) if state is State.UNDECIDED else bounds


def states(
    evaluations: Mapping[str, Evaluation], statuses: Mapping[str, Status], benchmark: Benchmark, asked: Sequence[float]
) -> list[dict[str, State]]:
    """For each goal that is asked, the state of each candidate in question."""
    if benchmark.margin is None:
        bounds, sign = proven(evaluations, statuses, benchmark), 1
    else:
        tested = in_question(evaluations, statuses, benchmark)
        bounds, sign = {each.candidate: _below(statuses[each.candidate]) for each in tested}, -1
    lacking = [name for name in bounds if statuses[name].unchecked]
    found = [{name: _state(*bounds[name], sign * goal) for name in bounds} for goal in asked]
    if not lacking:
        return found
    judged, by_margin = [statuses[name] for name in bounds], benchmark.margin is not None
    outs = [out_for_good(judged, goal if by_margin else None) for goal in asked]
    return [held_open(there, lacking, out) for there, out in zip(found, outs, strict=True)]


def _below(status: Status) -> tuple[float, float]:
    """How far below the best, from -1 to 0."""
    lower, upper = status.lower, status.upper
    return -1.0 if lower is None else lower, 0.0 if upper is None else upper


def _state(lower: float, upper: float, goal: float) -> State:
    return State.MEETS if lower >= goal else State.MISSES if upper < goal else State.UNDECIDED
