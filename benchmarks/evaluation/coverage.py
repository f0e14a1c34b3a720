"""Whether an approach knows what it does not know: how right its surest answers are, and those of which it is less sure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from benchmarks.checked import Coverage
from benchmarks.contract import Benchmark, Row
from benchmarks.evaluation.handover import sure, too_many_unknown

SHARES = (1.0, 0.9, 0.75, 0.5, 0.25)


def coverage(benchmark: Benchmark, rows: Sequence[Row], near: bool = False) -> Coverage | None:
    """From held-out rows and the scores of single answers; None where the answers do not say how sure they are. `near` as of
    `sure`."""
    marks = [sure(benchmark, row, near) for row in rows]
    if not rows or too_many_unknown(marks):
        return None
    known = [(float("-inf") if mark is None else mark, row.score) for mark, row in zip(marks, rows, strict=True)]
    known.sort(key=lambda each: -each[0])
    return Coverage(
        shares=SHARES,
        figures=tuple(_surest(known, max(1, round(share * len(known)))) for share in SHARES),
        order=_order(known),
    )


def _surest(known: Sequence[tuple[float, float]], wanted: int) -> float:
    """Mean score of the surest `wanted`; of answers that it is equally sure of, on average over which of them are taken."""
    total, taken = 0.0, 0
    for _, tied in groupby(known, key=lambda each: each[0]):
        scores = [score for _, score in tied]
        here = min(len(scores), wanted - taken)
        total += here * sum(scores) / len(scores)
        taken += here
        if taken == wanted:
            break
    return total / wanted


def _order(known: Sequence[tuple[float, float]]) -> float | None:
    """The chance that it is surer of the better one of two answers that differ in score; equally sure counts as half."""
    marks, scores = (np.array(column) for column in zip(*known, strict=True))
    better = pairs = 0.0
    for mark, score in known:
        lower = marks[scores < score]
        pairs += len(lower)
        better += np.count_nonzero(lower < mark) + 0.5 * np.count_nonzero(lower == mark)
    return float(better / pairs) if pairs else None
