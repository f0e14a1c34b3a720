"""Whether an approach changes its answers more often than the task allows: a limit, of which only a proven breach counts."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.wording import ceil_percent, counted, percent, plain_percent, start
from benchmarks.checked import Agreement
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.statistics.counted import upper

EDITS, REPEATS = "edits", "repeats"
"""The check that the limit is for: one harmless edit of each case, so that the pairs are as independent as the cases."""
LEVEL = 0.05


def too_unsteady(evaluation: Evaluation, benchmark: Benchmark) -> str:
    """Why the candidate is ruled out; empty where it is not shown to be below the limit."""
    limit, check = benchmark.constraints.same_at_least, edited(evaluation)
    if limit is None or check is None or (most := at_most_the_same(check)) >= limit:
        return ""
    draws = drawn_again(evaluation)
    drawn = "" if draws is None else f", and {percent(draws.same)} where the very same question is drawn again"
    return (
        f"At most {ceil_percent(most, limit)} % of its answers stay the same under harmless edits{drawn}; the task asks for "
        f"{plain_percent(limit)}."
    )


def perhaps_too_unsteady(evaluation: Evaluation, benchmark: Benchmark) -> Iterator[str]:
    """One sentence where the limit is missed and not shown to be, or where nothing was measured."""
    limit, check = benchmark.constraints.same_at_least, edited(evaluation)
    if limit is None:
        return
    if check is None:
        yield f"The limit on steady answers was not checked for {evaluation.candidate}: no edits were asked."
    elif check.same < limit <= at_most_the_same(check):
        changed, draws = counted(_changed(check), "answer"), drawn_again(evaluation)
        drawn = (
            ""
            if draws is None
            else f" ({_changed(draws):,} of {draws.pairs:,} pairs where the very same question was drawn again)"
        )
        yield (
            f"{start(evaluation.candidate)} may be too unsteady: {changed} of {check.pairs:,} changed under harmless edits"
            f"{drawn}, which is no proof yet; the task asks that {plain_percent(limit)} stay the same."
        )


def drawn_again(evaluation: Evaluation) -> Agreement | None:
    """The very same questions drawn again at the task's temperature: what an edit changes holds such draws too. None where
    nothing changed, as with labels that are chosen by likelihood, and where nothing is drawn."""
    check = next((each for each in evaluation.agreements if each.name == REPEATS and each.pairs), None)
    return check if check is not None and evaluation.passes and _changed(check) else None


def _changed(check: Agreement) -> int:
    return round(check.pairs * (1 - check.same))


def edited(evaluation: Evaluation) -> Agreement | None:
    """The check that the limit is for; None where nothing was asked with an edit."""
    return next((each for each in evaluation.agreements if each.name == EDITS and each.pairs), None)


def at_most_the_same(check: Agreement) -> float:
    """The upper bound on the share of answers that stay the same, one-sided at 95 % confidence."""
    return upper(round(check.pairs * check.same), check.pairs, check.by_group, LEVEL)
