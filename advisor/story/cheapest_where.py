"""Which approach costs the least at which volume, and where each two of them cost the same: tables, and the same as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from advisor.contract import Amount
from advisor.costs.breakeven import Band, Line, alike_up_to, bands, break_evens, cheapest_at
from advisor.costs.economics import saving
from advisor.drawn import Table
from advisor.figures.costs_by_volume import lines_of
from advisor.figures.volumes import broken_even, requests
from advisor.goal import Goal
from advisor.material import Material
from advisor.story.payback import months_to_pay_back, when
from advisor.wording import NEVER, NONE, in_cell, listed
from benchmarks.contract import State

_MAY_BE_CHOSEN = (State.MEETS, State.UNDECIDED, State.COMPARED)
_NO_BANDS = Table(
    title="Which costs the least at which volume", columns=("approach", "cheapest at (requests a month)"), rows=()
)


def bands_table(material: Material) -> Table:
    """One row for each approach that is shown to meet, with the volumes at which it costs the least, or `never`; of all where
    nothing is asked. Empty where there are fewer than two."""
    lines, states = _safe(material), {each.candidate: each.state for each in material.suitable}
    if len(lines) < 2:
        return _NO_BANDS
    goal = Goal.of(material.benchmark)
    whom = f"that are shown to {goal.meet_plainly}" if goal.noun else "that were compared"
    beside = [name for name, state in states.items() if state is State.UNDECIDED]
    limited = (
        ""
        if material.benchmark.constraints.cost_per_month is None
        else " The limit on costs is not reckoned with here."
    )
    unlike = [name for name in material.ranking.unranked if states.get(name) is State.MEETS]
    return Table(
        title=_NO_BANDS.title,
        columns=_NO_BANDS.columns,
        rows=tuple((line.name, _volumes(cheapest_at(line, lines))) for line in lines),
        note=(
            f"Of the approaches {whom}, by cost alone; where measured seconds do not tell two costs apart, the verdict takes the "
            f"simpler approach.{_beside('Not decided', beside)}{_beside('Of no comparable cost', unlike)}{limited}"
        ),
        emphasis=tuple(place for place, line in enumerate(lines) if line.name == material.named),
    )


def pairs_table(material: Material) -> Table:
    """Each two approaches that may be chosen, or that were measured where none may: the cheaper one first."""
    volume, known = material.benchmark.volume, lines_of(material)
    lines = _having(material, _MAY_BE_CHOSEN) or known
    pairs = list(_pairs(material, lines))
    months = [months_to_pay_back(material, cheaper.name, dearer.name) for cheaper, dearer in pairs]
    again = any(each is not None for each in months)
    rows = []
    for (cheaper, dearer), each in zip(pairs, months, strict=True):
        unit = material.costs[cheaper.name].monthly.unit
        saved = Amount(value=dearer.at(volume) - cheaper.at(volume), unit=unit)
        alike = material.ranking.tie(cheaper.name, dearer.name)
        rows.append(
            (
                cheaper.name,
                dearer.name,
                "too close to tell" if alike else in_cell(saved),
                broken_even(cheaper, dearer),
                *([NONE if each is None else when(each)] if again else []),
            )
        )
    return Table(
        title="Each pair by cost",
        columns=(
            f"cheaper at {volume:,} requests",
            "than",
            "saves a month",
            "the two cost the same at",
            *(["paid back"] if again else []),
        ),
        rows=tuple(rows),
        note=_pairs_note(pairs, again, len(lines) < len(known)),
        numeric=(2, 3),
    )


def by_volume(material: Material) -> dict[str, Any]:
    """The same as numbers: bands of those that meet, and every pair of known costs in one unit."""
    months = material.benchmark.horizon_months
    pairs = []
    for cheaper, dearer in _pairs(material, lines_of(material)):
        saved = saving(material.ranking, dearer.name, cheaper.name, months)
        pairs.append(
            {
                "cheaper": cheaper.name,
                "dearer": dearer.name,
                "saves_a_month": None if saved is None else {"value": saved.value, "unit": saved.unit},
                "break_even": break_evens(cheaper, dearer),
                "months_to_pay_back": months_to_pay_back(material, cheaper.name, dearer.name),
            }
        )
    return {"cheapest": [vars(band) | {} for band in bands(_safe(material))], "pairs": pairs}


def _safe(material: Material) -> list[Line]:
    """Of those that are shown to meet; of all where nothing is asked."""
    asked = State.MEETS if material.benchmark.judges else State.COMPARED
    return _having(material, (asked,))


def _having(material: Material, states: Sequence[State]) -> list[Line]:
    names = {each.candidate for each in material.suitable if each.state in states}
    return [line for line in lines_of(material) if line.name in names]


def _pairs(material: Material, lines: Sequence[Line]) -> Iterator[tuple[Line, Line]]:
    """The cheaper at the stated volume first."""
    volume = material.benchmark.volume
    yield from combinations(sorted(lines, key=lambda line: line.at(volume)), 2)


def _pairs_note(pairs: Sequence[tuple[Line, Line]], paid: bool, fewer: bool) -> str:
    met = any(break_evens(*pair) and not alike_up_to(*pair) for pair in pairs)
    parts = ["Beyond the volume at which the two cost the same, the other one is cheaper."] if met else []
    parts += (
        ["Paid back: when the saving equals what choosing and fitting the cheaper one cost more than the other."]
        if paid
        else []
    )
    parts += ["Of those that may be chosen; report.json has every pair."] if fewer and pairs else []
    return " ".join(parts)


def _volumes(found: Sequence[Band]) -> str:
    return " and ".join(_span(band) for band in found if band.upto is None or band.upto >= 1) or NEVER


def _span(band: Band) -> str:
    if band.upto is None:
        return f"from {requests(band.above)} on" if band.above >= 1 else "any number"
    return f"{requests(band.above)} to {requests(band.upto)}" if band.above >= 1 else f"up to {requests(band.upto)}"


def _beside(said: str, names: Sequence[str]) -> str:
    return f" {said}, and so not among them: {listed(names)}." if names else ""
