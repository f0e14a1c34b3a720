"""Which candidate would be chosen at which volume and target, by the rule of the decision and the terms of the panel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise, permutations

from advisor.contract import Amount
from advisor.costs.amounts import ends_of, range_of
from advisor.costs.economics import Ranking, settled
from advisor.drawn import Cell, Settled, Strip, Table, WinnerMap
from advisor.figures.volumes import requests, span, whole
from advisor.material import Material
from advisor.panel import Part, Terms, WhatIf
from advisor.wording import NONE, TOKENS, amount, listed

_SAME = 1 + 1e-9
"""Volumes closer than this factor are one."""
_VALUES = ((0, 0),)
_RANGES = ((0, 0), (1, 2))
_ENDS = ((0, 0), (1, 1), (2, 2), (3, 3))
"""Which of `amounts.ends_of` meet where the order of two costs changes: their values; of measured ones the low of one and the
high of another too; of tokens of an unknown price each end of one and the same of another."""
_PIECES = tuple[tuple[float, float], ...]


def winner_map(material: Material) -> WinnerMap | None:
    """None where the panel has no terms, or where nothing is shown to meet any goal."""
    asked = material.extras.what_if
    if asked is None:
        return None
    hardest_last = range(len(asked.goals)) if asked.noun == "target" else range(len(asked.goals) - 1, -1, -1)
    strips = strips_of(asked, hardest_last)
    if not any(cell.named for strip in strips for cell in strip.cells):
        return None
    own = None if asked.own is None else hardest_last.index(asked.own)
    goals = tuple(asked.goals[goal] for goal in hardest_last)
    return WinnerMap(
        title=_title(asked, goals, strips, own),
        noun=asked.noun,
        goals=goals,
        strips=strips,
        own=own,
        labelled=_labelled(goals, asked.noun),
        volume=asked.volume,
        colours={status.candidate: place for place, status in enumerate(material.suitable)},
        table=_table(asked, goals, strips),
    )


def strips_of(asked: WhatIf, order: Sequence[int]) -> tuple[Strip, ...]:
    """The decisions at every goal, in that order, over the volumes that are shown."""
    asked = with_stated_prices(asked)
    hour = asked.machine_hour or 0.0
    of_tokens = asked.unit.startswith(TOKENS)
    able = [each for each in asked.candidates if asked.limit is not None or set(each.states) != {"x"}]
    crossed = list(_over_the_limit(able, hour, asked.limit))
    ends = span(asked.volume, [*_breaks(able, hour, _VALUES), *crossed])
    edges = _edges([*_breaks(able, hour, _ENDS if of_tokens else _RANGES), *crossed], ends)
    columns = [(above, upto, ranking_at(asked, math.sqrt(above * upto))) for above, upto in pairwise(edges)]
    strips: list[Strip] = []
    for _, group in groupby(enumerate(order), key=lambda each: _letters(asked, each[1])):
        found = list(group)
        cells = _merged(_cell(asked, found[0][1], column) for column in columns)
        if strips and strips[-1].cells == cells:
            strips[-1] = replace(strips[-1], last=found[-1][0])
        else:
            strips.append(Strip(first=found[0][0], last=found[-1][0], cells=cells))
    return tuple(strips)


def ranking_at(asked: WhatIf, volume: float) -> Ranking:
    """The candidates of the panel by their cost a month at that volume, at the stated prices."""
    asked = with_stated_prices(asked)
    hour = asked.machine_hour or 0.0
    return Ranking(
        order=tuple(each.name for each in asked.candidates),
        unranked=(),
        note="",
        ahead={each.name: _monthly(each, volume, hour, asked.unit) for each in asked.candidates},
        simplicity={each.name: each.simplicity for each in asked.candidates},
    )


# ---------------------------------------------------------------- decisions


def _letters(asked: WhatIf, goal: int) -> tuple[str, bool]:
    """Of goals with the same letters all is decided alike, but for the stated one where there is a limit on costs."""
    return "".join(each.states[goal] for each in asked.candidates), goal == asked.own and asked.limit is not None


def _cell(asked: WhatIf, goal: int, column: tuple[float, float, Ranking]) -> Cell:
    above, upto, ranking = column
    shown = _shown(asked, goal, ranking)
    meeting, undecided = ([name for name, state in shown.items() if state == letter] for letter in "m?")
    verdict: Settled = "undecided" if undecided else "nothing meets"
    named, unsettled = None, tuple(undecided)
    if meeting:
        named, unsettled = settled(meeting, undecided, ranking)
        verdict = "safe but cheaper undecided" if unsettled else "choose"
    return Cell(above=above, upto=upto, verdict=verdict, named=named, unsettled=unsettled)


def _shown(asked: WhatIf, goal: int, ranking: Ranking) -> dict[str, str]:
    """The letter of each candidate at that goal, by those whom the limit on costs rules out there; `-` for these."""
    limit = math.inf if asked.limit is None else asked.limit
    return {
        each.name: "-" if range_of(ranking.ahead[each.name])[0] > limit else each.states[goal]
        for each in asked.candidates
    }


def _merged(cells: Iterator[Cell]) -> tuple[Cell, ...]:
    found: list[Cell] = []
    for cell in cells:
        if found and replace(cell, above=found[-1].above, upto=found[-1].upto) == found[-1]:
            found[-1] = replace(found[-1], upto=cell.upto)
        else:
            found.append(cell)
    return tuple(found)


# ---------------------------------------------------------------- costs


def with_stated_prices(asked: WhatIf) -> WhatIf:
    """The same with the stated prices of tokens, which the panel lets people change, in the terms of each candidate."""
    values = [price.value for price in asked.prices]
    paid = [
        replace(
            each,
            fixed=_with(each.fixed, [fixed for fixed, _ in each.tokens], values),
            each=_with(each.each, [request for _, request in each.tokens], values),
            beside=_with(each.beside, [request for _, request in each.tokens], values),
            tokens=(),
        )
        for each in asked.candidates
    ]
    return replace(asked, candidates=tuple(paid), prices=())


def _with(terms: tuple[Part, Part], more: Sequence[Part], values: Sequence[float]) -> tuple[Part, Part]:
    def paid(part: Part) -> Part:
        return _sum(
            [part, *((each[0] * by, each[1] * by, each[2] * by) for each, by in zip(more, values, strict=True))]
        )

    return paid(terms[0]), paid(terms[1])


def _sum(parts: Sequence[Part]) -> Part:
    value, low, high = (sum(part[place] for part in parts) for place in range(3))
    return value, low, high


def _at(terms: tuple[Part, Part], hour: float) -> Part:
    free, priced = terms
    value, low, high = (one + (other - one) * hour for one, other in zip(free, priced, strict=True))
    return value, low, high


def _least(each: Terms, hour: float) -> float:
    free, priced = each.at_least
    return free + (priced - free) * hour


def _monthly(each: Terms, volume: float, hour: float, unit: str) -> Amount:
    fixed, request, beside = (_at(part, hour) for part in (each.fixed, each.each, each.beside))
    least = _least(each, hour)
    kept = least > (request[0] - beside[0]) * volume
    value, low, high = (
        due + (least + further * volume if kept else one * volume)
        for due, one, further in zip(fixed, request, beside, strict=True)
    )
    return Amount(value=value, unit=unit, low=low, high=high)


def _edges(breaks: Sequence[float], ends: tuple[float, float]) -> list[float]:
    """Volumes between which the order of costs, ties included, is the same; the ends of the span included."""
    found = [ends[0]]
    for volume in sorted(breaks):
        if found[-1] * _SAME < volume < ends[1] / _SAME:
            found.append(volume)
    return [*found, ends[1]]


def _breaks(terms: Sequence[Terms], hour: float, which: Sequence[tuple[int, int]]) -> Iterator[float]:
    """Where a cost leaves its least, unless values alone are asked for, and where an end of one meets an end of another."""
    for each in terms:
        value = _at(each.each, hour)[0] - _at(each.beside, hour)[0]
        if value > 0 and which is not _VALUES:
            yield _least(each, hour) / value
    for one, other in permutations(terms, 2):
        for mine, its in which:
            yield from _crossings(_pieces(one, hour, mine), _pieces(other, hour, its))


def _over_the_limit(terms: Sequence[Terms], hour: float, limit: float | None) -> Iterator[float]:
    """Where the low of a cost meets the limit."""
    for each in terms if limit is not None else ():
        yield from _crossings(_pieces(each, hour, 1), ((limit or 0.0, 0.0),))


def _pieces(each: Terms, hour: float, place: int) -> _PIECES:
    """(at no request, for each): what is due beyond the machine that is kept on anyway, and before."""
    fixed, request, beside = (ends_of(_at(part, hour))[place] for part in (each.fixed, each.each, each.beside))
    least = _least(each, hour)
    return ((fixed, request), (fixed + least, beside)) if least else ((fixed, request),)


def _crossings(ones: _PIECES, others: _PIECES) -> Iterator[float]:
    for at, slope in ones:
        for other_at, other_slope in others:
            if slope != other_slope:
                yield (other_at - at) / (slope - other_slope)


# ---------------------------------------------------------------- words


def _title(asked: WhatIf, goals: Sequence[str], strips: Sequence[Strip], own: int | None) -> str:
    if own is None:
        return f"The cheapest approach that is shown to meet the {asked.noun}, by volume"
    cells = cells_at(strips, own)
    asks = f"a {asked.noun} of {goals[own]}"
    if len(cells) > 1:
        first = f"{_told(cells[0])} up to {requests(cells[0].upto)} requests a month"
        return ", ".join(
            [f"With {asks}: {first}", *(f"{_told(cell)} from {requests(cell.above)} on" for cell in cells[1:4])]
        )
    cell = cells[0]
    if cell.verdict == "nothing meets":
        return f"Nothing is shown to meet {asks}, at any volume shown"
    if cell.named is None:
        return f"With {asks} nothing is decided, at any volume shown"
    if cell.verdict == "choose":
        return f"With {asks} {cell.named} is the choice at any volume shown"
    return f"With {asks} {cell.named} is proven at any volume shown, and one that would be preferred is undecided"


def cells_at(strips: Sequence[Strip], goal: int) -> list[Cell]:
    """The decisions at one goal, from few to many requests."""
    return _alike(next(strip.cells for strip in strips if strip.first <= goal <= strip.last))


def _labelled(goals: Sequence[str], noun: str) -> tuple[int, ...]:
    """Every margin; of the targets the multiples of 50, 20, 10 and 5 %."""
    if noun == "margin":
        return tuple(range(len(goals)))
    stated = [float(goal.split()[0]) for goal in goals]
    steps = [place for step in (50, 20, 10, 5) for place, value in enumerate(stated) if value % step == 0]
    return tuple(dict.fromkeys(steps))


def _alike(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, those together that differ only in who is undecided."""
    groups = (list(group) for _, group in groupby(cells, key=lambda cell: (cell.verdict, cell.named)))
    return [replace(group[0], upto=group[-1].upto) for group in groups]


def _told(cell: Cell) -> str:
    if cell.named is None:
        return "nothing" if cell.verdict == "nothing meets" else "not decided"
    return cell.named if cell.verdict == "choose" else f"{cell.named} (not decided)"


def _table(asked: WhatIf, goals: Sequence[str], strips: Sequence[Strip]) -> Table:
    rows = []
    for strip in strips:
        first, last = goals[strip.first], goals[strip.last]
        between = first if first == last else f"{first.split()[0]} to {last}"
        for cell in strip.cells:
            volumes = "any" if len(strip.cells) == 1 else f"{whole(cell.above)} to {whole(cell.upto)}"
            answer = cell.named or ("nothing meets it" if cell.verdict == "nothing meets" else "not decided")
            rows.append((between, volumes, answer, listed(cell.unsettled) if cell.unsettled else NONE))
    return Table(
        title=f"What would be chosen at another volume and {asked.noun}",
        columns=(asked.noun, "requests a month", "the cheapest shown to meet it", "undecided, and would be preferred"),
        rows=tuple(rows),
        note=(
            f"By the rule of the verdict, from the same answers. Away from what was stated before the run it is exploratory: the "
            f"bounds hold for every {asked.noun} at once and are wider.{_limit(asked)}"
        ),
    )


def _limit(asked: WhatIf) -> str:
    if asked.limit is None:
        return ""
    most = amount(Amount(value=asked.limit, unit=asked.unit))
    return f" What costs more than {most} a month is ruled out, and another volume rules out others."
