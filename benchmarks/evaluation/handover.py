"""Which share of the requests an approach answers well enough by itself, when those that it is unsure of go to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.checked import Handover
from benchmarks.contract import Benchmark, Row
from benchmarks.statistics.confidence import FIXED
from strategies.answers import sureness
from strategies.contract import Prediction

FEWEST = 20
"""Selection cases above the threshold, and held-out ones, below which nothing is said."""
MOST_UNKNOWN = 0.05
"""Share of answers of which it may not say how sure it is; they count as the least sure."""


def handover(
    benchmark: Benchmark, looked: Sequence[Sequence[Any]], rows: Sequence[Row], level: float, near: bool = False
) -> Handover | None:
    """The threshold is set on the selection cases, as low as the answers above it still reach the target there; what
    it does is counted on the held-out ones, so the bound at `level` is right for it.

    `looked` are the selection answers: (case, text, score, how sure); `near` as of `sure`. Scores are those of single answers,
    also where the metric is one over rows: the share of right ones is held against the target then. None without a target,
    where too few answers say how sure they are, where no threshold reaches the target or none is needed, and where asking
    stopped early.
    """
    target = benchmark.target
    if target is None or benchmark.sequential:
        return None
    marks = [sure(benchmark, row, near) for row in rows]
    threshold = _threshold([(row[3], row[2]) for row in looked if len(row) > 3], target)
    if threshold is None or too_many_unknown(marks):
        return None
    kept = [row for row, mark in zip(rows, marks, strict=True) if mark is not None and mark >= threshold]
    if not FEWEST <= len(kept) < len(rows):
        return None
    groups = {case.id: case.group or case.id for case in benchmark.heldout}
    scores = [row.score for row in kept]
    return Handover(
        threshold=threshold,
        alone=len(kept),
        of=len(rows),
        figure=sum(scores) / len(scores),
        lower=FIXED.lower(scores, [groups[row.key] for row in kept], level),
    )


def sure(benchmark: Benchmark, row: Row, near: bool = False) -> float | None:
    """How sure the approach is of its answer; None: it does not say. Of a label by its probability, which stored runs may have
    left out; by how near its best evidence is only of an approach that goes by nothing else (`near`)."""
    found = row.outcome
    stated = isinstance(found, Prediction) and (found.probabilities or found.certainty is not None)
    return sureness(found) if stated or near or not benchmark.task.labels else None


def too_many_unknown(marks: Sequence[float | None]) -> bool:
    """Whether too many answers do not say how sure they are."""
    return sum(mark is None for mark in marks) > MOST_UNKNOWN * len(marks)


def _threshold(looked: Sequence[tuple[float | None, float]], target: float) -> float | None:
    """The least sureness above which the answers reach the target on average, of those that say it; None where there is none, or
    all do."""
    known = sorted(((mark, score) for mark, score in looked if mark is not None), reverse=True)
    if too_many_unknown([mark for mark, _ in looked]) or len(known) <= FEWEST:
        return None
    total, found = 0.0, None
    for place, (mark, score) in enumerate(known, 1):
        total += score
        last_of_its_kind = place == len(known) or known[place][0] < mark
        if place >= FEWEST and last_of_its_kind and total / place >= target:
            found = mark if place < len(known) else None
    return found
