"""What choosing among fewer configurations would have found: whether more of them might still have helped.

The score expected of the pick among k of the n configurations that were tried, over all ways to take k of them (Dodge et
al. 2019, arXiv 1909.03004, without replacement). The pick is that of the search: most cases seen first, then the score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from advisor.drawn import LineChart, Series, Table
from advisor.material import Material
from advisor.wording import listed, percent
from strategies.contract import Trial


def searching(material: Material) -> LineChart | None:
    """None where no approach spent tokens on choosing among configurations with a score; one of a single score is a dot."""
    found: dict[tuple[str, ...], tuple[str, int, tuple[tuple[float, float], ...]]] = {}
    for place, status in enumerate(material.suitable):
        trials, evaluation = material.extras.trials.get(status.candidate, ()), material.evaluations[status.candidate]
        search = (*(sorted({trial.approach for trial in trials}) or [status.candidate]), evaluation.model)
        shorter = search not in found or len(status.candidate) < len(found[search][0])
        if (evaluation.rising or any(trial.tokens for trial in trials)) and shorter:
            found[search] = (status.candidate, place, expected(trials))
    drawn = [each for each in found.values() if each[2]]
    if all(len(points) < 2 for _, _, points in drawn):
        return None
    rising = [name for name, _, _ in found.values() if material.evaluations[name].rising]
    return LineChart(
        title=_title(rising, len(found)),
        across="tokens spent on choosing",
        upwards=material.compared_by,
        by_factors=False,
        series=tuple(
            Series(
                name=name,
                points=points,
                colour=place,
                note="cut short" if name in rising else "",
                dots=len(points) <= 12,
            )
            for name, place, points in drawn
        ),
        table=_table([(name, points) for name, _, points in drawn], rising),
    )


def expected(trials: Sequence[Trial]) -> tuple[tuple[float, float], ...]:
    """(tokens, expected selection score) of choosing among 1, 2, ... of the configurations that were scored.

    One that stands behind another counts no higher than that, since few cases flatter. Tries without scored cases, such as
    short trainings that only rank, are paid for before.
    """
    scored = sorted((trial for trial in trials if trial.cases), key=lambda trial: (-trial.cases, -trial.counts))
    before = sum(trial.tokens for trial in trials if not trial.cases)
    count = len(scored)
    each = sum(trial.tokens for trial in scored) / max(count, 1)
    scores = list(accumulate((trial.counts for trial in scored), min))
    return tuple((before + taken * each, _pick(scores, taken)) for taken in range(1, count + 1))


def _pick(scores: Sequence[float], taken: int) -> float:
    """The mean score of the first, in this order, of `taken` that are drawn at random."""
    count = len(scores)
    ways = [math.comb(count - rank - 1, taken - 1) for rank in range(count)]
    return sum(way * score for way, score in zip(ways, scores, strict=True)) / math.comb(count, taken)


def _title(rising: Sequence[str], count: int) -> str:
    if not rising:
        return "No search was cut short by its budget"
    return f"Cut short by its budget: {listed(rising)}" + ("" if len(rising) == count else "; no other was")


def _table(found: Sequence[tuple[str, tuple[tuple[float, float], ...]]], rising: Sequence[str]) -> Table:
    rows = tuple(
        (
            name,
            f"{len(points):,}",
            *(percent(points[max(0, math.ceil(len(points) * share) - 1)][1]) for share in (0, 0.25, 0.5, 1)),
            f"{points[-1][0]:,.0f}",
            "cut short" if name in rising else "saturated",
        )
        for name, points in found
    )
    return Table(
        title="What fewer tries would have found",
        columns=("approach", "with a score", "of one", "of a quarter", "of half", "of all", "tokens", "state"),
        rows=rows,
        note=(
            "The selection score of what would have been chosen among so many of the configurations, on average over which. "
            "None counts higher than those that were preferred to it; short trainings that only rank count as spent before. Of "
            "recipes whose scores differ by no more than chance the higher one counts, though the loss may name the other. "
            "Cut short: the budget ended before the search did."
        ),
        numeric=(1, 2, 3, 4, 5, 6),
    )
