"""The parts that held-out cases fall into by the task's slices, and whether one is shown to be below what is asked of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from advisor.decision.bounds import SLOW
from advisor.wording import ceil_percent, counted, percent, plain_percent, start
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.statistics.confidence import which_tests


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part, such as all cases of one persona."""

    where: str
    cases: int
    figure: float
    """By the task's metric."""
    upper: float
    """At 95 % confidence for all parts together."""


def too_weak(evaluation: Evaluation, benchmark: Benchmark) -> str:
    """Why the candidate is ruled out; empty where no part is shown to be below the limit."""
    limit = benchmark.constraints.slice_at_least
    if limit is None:
        return ""
    shown = [part for part in parts(evaluation, benchmark) if part.upper < limit]
    if not shown:
        return ""
    worst = min(shown, key=lambda part: part.upper)
    return (
        f"Where {worst.where} it reaches at most {ceil_percent(worst.upper, limit)} % with 95 % confidence; the task asks "
        f"for {plain_percent(limit)} in every part."
    )


def perhaps_too_weak(evaluation: Evaluation, benchmark: Benchmark) -> Iterator[str]:
    """One sentence where a part is below the limit and too few cases show it."""
    limit = benchmark.constraints.slice_at_least
    if limit is None:
        return
    below = [part for part in parts(evaluation, benchmark) if part.figure < limit <= part.upper]
    if not below:
        return
    worst = min(below, key=lambda part: part.figure)
    over = "over" if evaluation.over_rows else "of"
    yield (
        f"{start(evaluation.candidate)} may be too weak where {worst.where}: {percent(worst.figure)} {over} "
        f"{counted(worst.cases, 'case')}, and {plain_percent(limit)} is asked of every part; so few cases do not prove that it "
        "is less."
    )


def parts(evaluation: Evaluation, benchmark: Benchmark) -> list[Part]:
    """Every value of every slice; none where the candidate has no scores."""
    if not evaluation.scores:
        return []
    found: dict[str, list[int]] = {}
    for place, case in enumerate(benchmark.heldout[: len(evaluation.scores)]):
        for name in benchmark.slices:
            found.setdefault(where(name, case.slices.get(name, "")), []).append(place)
    groups = evaluation.groups or ("",) * len(evaluation.scores)
    if evaluation.over_rows:
        return [
            Part(where=where(name, value), cases=cases, figure=figure, upper=_upper(evaluation, name, value))
            for name in benchmark.slices
            for value, (figure, cases) in evaluation.by_slice.get(name, {}).items()
        ]
    tests = which_tests(benchmark.stops_with)
    return [
        Part(
            where=name,
            cases=len(places),
            figure=sum(evaluation.scores[place] for place in places) / len(places),
            upper=tests.upper(
                [evaluation.scores[place] for place in places], [groups[place] for place in places], SLOW / len(found)
            ),
        )
        for name, places in found.items()
    ]


def _upper(evaluation: Evaluation, name: str, value: str) -> float:
    """Of a figure over rows; 1 where nothing bounds it."""
    return evaluation.slice_upper.get(name, {}).get(value, 1.0)


def where(name: str, value: str) -> str:
    """`persona is chatty`."""
    return f"{name.replace('_', ' ')} is {value or 'not given'}"


def weakest_part(evaluation: Evaluation | None, benchmark: Benchmark) -> list[str]:
    """The weakest part of the cases in a sentence, where it is at least 20 cases and 10 points below the whole, and shown to be
    below: of many parts that do not differ one always has the lowest figure."""
    if evaluation is None:
        return []
    below = [
        part
        for part in parts(evaluation, benchmark)
        if part.cases >= 20 and part.figure <= evaluation.figure - 0.1 and part.upper < evaluation.figure
    ]
    if not below:
        return []
    worst = min(below, key=lambda part: part.figure)
    told = f"{percent(worst.figure)} of {counted(worst.cases, 'case')}"
    if evaluation.over_rows:
        told = f"{percent(worst.figure)} over {counted(worst.cases, 'case')}"
    elif any(score not in (0.0, 1.0) for score in evaluation.scores):
        told = f"{percent(worst.figure)} on average of {counted(worst.cases, 'case')}"
    return [f"{start(evaluation.candidate)} is weakest where {worst.where}: {told}."]
