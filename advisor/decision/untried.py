"""What is said of approaches that were left out since no score on so few held-out cases would have been proof."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from advisor.contract import Status
from advisor.wording import about, counted, full, listed, plain_percent, start
from benchmarks.contract import Benchmark
from benchmarks.statistics.decidable import Decidable, Sharing, decidable


def untried(statuses: Iterable[Status]) -> list[str]:
    """Their names, in the order that is given."""
    return [status.candidate for status in statuses if status.too_few]


def as_headline(benchmark: Benchmark) -> str:
    """After the sentence that nothing is proven to meet the target."""
    if benchmark.exploratory:  # They were left out at another target.
        return "Nothing with a language model was tried."
    return f"{counted(len(benchmark.heldout), 'held-out case')} cannot show that, so nothing with a language model was tried."


def as_reason(statuses: Sequence[Status]) -> list[str]:
    """One sentence, or none."""
    names = untried(statuses)
    reason = next((status.reason for status in statuses if status.too_few), "")
    return [f"Not tried, and so open: {listed(names)}. {full(reason)}"] if names else []


def fresh_cases(statuses: Sequence[Status], benchmark: Benchmark) -> Decidable | None:
    """What as many fresh held-out cases as it names would tell of those that were left out; None where no number is known."""
    target = benchmark.target
    if not untried(statuses) or target is None or target >= 1 or benchmark.exploratory or benchmark.sequential:
        return None
    shared = Sharing(procedure=benchmark.procedure, candidates=len(statuses), look=1)
    asked = decidable(benchmark.independent, target, benchmark.metric.graded, shared)
    return None if asked.cases_behind is None or asked.enough else asked


def as_step(statuses: Sequence[Status], benchmark: Benchmark) -> tuple[int | None, str]:
    """How many fresh held-out cases would tell, and the sentence that says so; None where no number is known."""
    names, target = listed(untried(statuses)), benchmark.target
    if target is not None and target >= 1:
        return (
            None,
            "Write a target below 100 %, such as 0.98: no number of cases can show that an approach is always right.",
        )
    if target is None or benchmark.exploratory:
        return (
            None,
            f"Go on with --resume and without --economical to try {names}, which were left out for the target of the run.",
        )
    asked = fresh_cases(statuses, benchmark)
    these, then = counted(len(benchmark.heldout), "case"), f"{names} can be tried then"
    if asked is None or asked.cases_behind is None:
        return (
            None,
            f"Label many more held-out cases than these {these}, drawn like real requests, and run again: {then}.",
        )
    fewer = about(asked.cases_needed or 0, "case")
    already = f"; {fewer} are enough where every cheaper one is shown to miss it" if asked.behind else ""
    return asked.cases_behind, (
        f"Label {about(asked.cases_behind, 'more held-out case')} drawn like real requests and run again on those alone, since a "
        f"further run on these {these} needs stronger proof. {start(then)}, and an approach that is truly right in "
        f"{plain_percent(asked.assumed_truth)} of all cases is shown to meet the target in 4 of 5 runs{already}."
    )
