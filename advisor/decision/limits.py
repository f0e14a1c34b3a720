"""The limits of a task that rule an approach out whatever it scores, once they are shown to be broken."""

from __future__ import annotations

from advisor.contract import Costs, Status
from advisor.costs.economics import over_limit
from advisor.decision.bounds import too_slow
from advisor.decision.forgetting import forgot_too_much
from advisor.decision.share_limits import breaks_a_share
from advisor.decision.slices import too_weak
from advisor.decision.unsteady import too_unsteady
from advisor.wording import duration, listed, money
from benchmarks.contract import Benchmark, Evaluation, State

_CHECKED_BY = {
    "p95_latency_s": ("latency", "waiting times"),
    "same_at_least": ("edit", "steady answers"),
    "perplexity_ratio": ("forgetting", "what was forgotten"),
    "planted_at_most": ("planted", "planted instructions"),
}
"""Key under `constraints` -> the kind of unit that measures it, and what the limit is on."""


def ruled_out(evaluation: Evaluation, cost: Costs, benchmark: Benchmark, currency: str) -> Status | None:
    """Only a limit that is shown to be broken rules out; what is measured beyond it and not shown is told as a reason."""
    reason = (
        _without_answers(evaluation, benchmark)
        or _too_dear(cost, benchmark, currency)
        or _of_answers(evaluation, benchmark)
    )
    return Status(candidate=evaluation.candidate, state=State.RULED_OUT, reason=reason) if reason else None


def by_cost_alone(evaluation: Evaluation, status: Status, benchmark: Benchmark) -> bool:
    """Whether it is ruled out and would not be if it cost less."""
    return status.state is State.RULED_OUT and not breaks_another_limit(evaluation, benchmark)


def by_answers(evaluation: Evaluation, status: Status, benchmark: Benchmark) -> bool:
    """Whether it is ruled out by a limit on its answers to held-out cases, whatever it costs.

    It is tested with the others for all that: who is left by looking at the very answers that are tested would be left by luck
    too, and sharing the error among these alone would make false findings more frequent than is stated.
    """
    return (
        status.state is State.RULED_OUT
        and not _without_answers(evaluation, benchmark)
        and bool(_of_answers(evaluation, benchmark))
    )


def breaks_another_limit(evaluation: Evaluation, benchmark: Benchmark) -> bool:
    """Whether a limit other than that on costs is shown to be broken."""
    return bool(_without_answers(evaluation, benchmark) or _of_answers(evaluation, benchmark))


def not_checked_yet(evaluation: Evaluation, benchmark: Benchmark) -> Status | None:
    """None, or that a limit rests on a check which a run that was cut off has not made: it may still rule out."""
    stated = [
        name
        for key, (kind, name) in _CHECKED_BY.items()
        if getattr(benchmark.constraints, key) is not None and kind in evaluation.left
    ]
    if not stated:
        return None
    limits = f"the limit{'s' if len(stated) > 1 else ''} on {listed(stated)}"
    reason = f"whether it keeps {limits} was not checked yet"
    return Status(candidate=evaluation.candidate, state=State.OPEN, reason=reason)


def _without_answers(evaluation: Evaluation, benchmark: Benchmark) -> str:
    """Which limit it breaks that nothing it answered to held-out cases is held against."""
    return _too_slow(evaluation, benchmark) or forgot_too_much(evaluation, benchmark)


def _too_slow(evaluation: Evaluation, benchmark: Benchmark) -> str:
    limit, latency = benchmark.constraints.p95_latency_s, evaluation.latency
    if limit is None or latency is None or not too_slow(latency, limit):
        return ""
    return f"One request in twenty takes longer than {duration(latency.p95_s)}; the task allows {duration(limit)}."


def _too_dear(cost: Costs, benchmark: Benchmark, currency: str) -> str:
    limit, monthly = benchmark.constraints.cost_per_month, cost.monthly
    if limit is None or not over_limit(cost, limit, currency):
        return ""
    return (
        f"It costs {monthly.unit} {money(monthly.value or 0.0)} a month at {benchmark.volume:,} requests; "
        f"the task allows {money(limit)}."
    )


def _of_answers(evaluation: Evaluation, benchmark: Benchmark) -> str:
    checks = (too_weak, too_unsteady, breaks_a_share)
    return next((said for check in checks if (said := check(evaluation, benchmark))), "")
