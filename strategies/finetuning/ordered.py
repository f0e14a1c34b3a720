"""Which trainings are the best, and how they are told: short ones by validation loss, those at length by the mean score on
selection cases, or by a metric over all of them, and by validation loss where these tell recipes of one setup not apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from strategies.contract import Diverged, Recipe, Trial
from strategies.search import Standing, outdone

if TYPE_CHECKING:
    from strategies.finetuning.lengths import Lengths
    from strategies.finetuning.race import Entry
    from strategies.selection import PipelineBuilder

TIED = 1.02
"""Validation losses within this factor of the lowest are a tie: of short trainings the likelier recipe leads, of those at length
the one with the better answers."""
UNMOVED = "the selection loss did not improve"
"""What is noted of a training that learnt nothing, and is no divergence."""


def by_loss(short: Sequence[Entry]) -> tuple[list[Entry], list[Recipe]]:
    """Short trainings, which come with the likeliest recipe first: the lowest loss first, and the recipes that lead. Where the
    few steps of none lowered the loss these are all that did not diverge: they tell nothing of a training at length.

    Raises `Diverged` where all of them did.
    """
    lowest = min((entry.loss for entry in short), default=math.inf)
    order = sorted(short, key=lambda entry: max(entry.loss, TIED * lowest))
    leading = [entry for entry in order if math.isfinite(entry.loss)]
    leading = leading or [entry for entry in order if entry.problem == UNMOVED]
    if order and not leading:
        raise Diverged(order[0].problem)
    return order, [entry.tuning.recipe for entry in leading]


def in_order(builder: PipelineBuilder, tried: Sequence[tuple[Entry, Lengths]]) -> list[tuple[Entry, Lengths]]:
    """The best first; of those that are as good the one with the shorter rows, then the one that was first. In the place of the
    best on a setup stands, of the recipes on it that the answers do not tell from it, the one with the lowest validation loss,
    if the losses tell them apart."""
    judged = [_judged(builder, entry) for entry, _ in tried]
    over_rows = all(each.worths for each in judged if each.scores)  # One that failed answered nothing.
    marks = [
        each.mark if over_rows and each.scores else entry.score for each, (entry, _) in zip(judged, tried, strict=True)
    ]
    order = sorted(range(len(tried)), key=lambda place: (-marks[place], tried[place][1].row))
    ranks: dict[int, float] = {place: rank for rank, place in enumerate(order)}
    for best in {tried[place][0].tuning.setup: place for place in reversed(order)}.values():
        alike = [place for place in order if _alike(tried[place][0], tried[best][0], (judged[place], judged[best]))]
        lowest = min(alike, key=lambda place: tried[place][0].loss, default=best)
        if TIED * tried[lowest][0].loss < tried[best][0].loss:
            ranks[lowest] = ranks[best] - 0.5
    return [tried[place] for place in sorted(order, key=ranks.__getitem__)]


def _alike(entry: Entry, best: Entry, stood: tuple[Standing, Standing]) -> bool:
    """Whether it is of the setup of the best, was asked the same cases and is no worse beyond noise."""
    own, others = stood
    asked = [[len(look.scores) for look in each.looks] for each in (entry, best)]
    same = entry.tuning.setup == best.tuning.setup and asked[0] == asked[1]
    return same and bool(own.scores) and not outdone(own, others)


def trial_of(builder: PipelineBuilder, approach: str, entry: Entry) -> Trial:
    """As the search tells it: a short training answers nothing, and has its loss alone."""
    judged = _judged(builder, entry)
    return Trial(
        approach=approach,
        configuration=asdict(entry.tuning),
        score=max(0.0, entry.score),
        cases=entry.cases,
        tokens=entry.tokens,
        validation_loss=entry.loss if math.isfinite(entry.loss) else None,
        mark=judged.mark if judged.worths else None,
    )


def _judged(builder: PipelineBuilder, entry: Entry) -> Standing:
    """How the entry stands by a metric over rows, where that is the task's."""
    standing = Standing(entry.tuning.setup, notes=[*(entry.notes or ())])
    builder.judge(standing)
    standing.scores = standing.scores or [score for look in entry.looks for score in look.scores]
    return standing
