"""The limits of a task that rule an approach out whatever it scores, once they are shown to be broken."""

from __future__ import annotations

from advisor.bounds import too_slow
from advisor.contract import Costs, Status
from advisor.economics import over_limit
from advisor.forgotten import forgot_too_much
from advisor.slices import too_weak
from advisor.unsteady import too_unsteady
from advisor.wording import duration, money
from benchmarks.contract import Benchmark, Evaluation, State


def ruled_out(evaluation: Evaluation, cost: Costs, benchmark: Benchmark, currency: str) -> Status | None:
    """Only a limit that is shown to be broken rules out; what is measured beyond it and not shown is told as a reason."""
    limits, reason = benchmark.constraints, ""
    latency = evaluation.latency
    monthly = cost.monthly
    if limits.p95_latency_s is not None and latency is not None and too_slow(latency, limits.p95_latency_s):
        reason = (
            f"One request in twenty takes longer than {duration(latency.p95_s)}; "
            f"the task allows {duration(limits.p95_latency_s)}."
        )
    elif limits.cost_per_month is not None and over_limit(cost, limits.cost_per_month, currency):
        reason = (
            f"It costs {monthly.unit} {money(monthly.value or 0.0)} a month at {benchmark.volume:,} requests; "
            f"the task allows {money(limits.cost_per_month)}."
        )
    limits_of_measured = (too_weak, forgot_too_much, too_unsteady)
    reason = reason or next((said for check in limits_of_measured if (said := check(evaluation, benchmark))), "")
    return Status(candidate=evaluation.candidate, state=State.RULED_OUT, reason=reason) if reason else None
