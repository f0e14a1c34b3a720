"""Whether an approach that was tuned forgot more of its base than the task allows."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.wording import digits, start
from benchmarks.checked import Forgetting
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.evaluation.cascade import APPROACH as CASCADE


def forgot_too_much(evaluation: Evaluation, benchmark: Benchmark) -> str:
    """Why the candidate is ruled out; empty where it is not shown to be beyond the limit."""
    limit, found = benchmark.constraints.perplexity_ratio, evaluation.forgetting
    if limit is None or found is None or found.lower <= limit:
        return ""
    return (
        f"General text is at least {digits(found.lower)} times as hard to predict for {_whom(evaluation)} as for its base "
        f"(perplexity); the task allows {limit:g}."
    )


def perhaps_forgot_too_much(evaluation: Evaluation, benchmark: Benchmark) -> Iterator[str]:
    """One sentence where the limit is exceeded and not shown to be."""
    limit, found = benchmark.constraints.perplexity_ratio, evaluation.forgetting
    if limit is None or found is None or not found.lower <= limit < found.ratio:
        return
    yield (
        f"{start(evaluation.candidate)} may have forgotten too much: general text is {ratio_of(found)} times as hard to predict "
        f"for {_whom(evaluation)} as for its base (perplexity); the task allows {limit:g}."
    )


def _whom(evaluation: Evaluation) -> str:
    """Who reads general text: of a cascade, which hands requests on, the part of it that was tuned."""
    return "its tuned part" if evaluation.approach == CASCADE else "it"


def ratio_of(found: Forgetting) -> str:
    """`1.16 (1.10-1.22)`."""
    return f"{found.ratio:.2f} ({found.lower:.2f}-{found.upper:.2f})"
