"""After how many months what fitting an approach took more than another, which costs more to run, is saved again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.contract import Amount
from advisor.material import Material
from advisor.wording import counted


def months_to_pay_back(material: Material, cheaper: str, dearer: str) -> float | None:
    """What choosing and fitting the cheaper one took more than the other, over what it saves a month. None where it took no
    more or that is not known, and where costs cannot be told apart."""
    ranking, more = material.ranking, _took_more(material, cheaper, dearer)
    mine, theirs = material.costs[cheaper].monthly, material.costs[dearer].monthly
    if not ranking.comparable(cheaper, dearer) or ranking.tie(cheaper, dearer):
        return None
    if more is None or mine.value is None or theirs.value is None or more.unit != mine.unit:
        return None
    return more.value / (theirs.value - mine.value) if more.value and theirs.value > mine.value else None


def _took_more(material: Material, one: str, other: str) -> Amount | None:
    """None where it took no more, where one of the two is not known, and between two units."""
    mine, theirs = material.costs[one].spent, material.costs[other].spent
    if mine.value is None or theirs.value is None or (theirs.value and theirs.unit != mine.unit):
        return None
    return Amount(value=mine.value - theirs.value, unit=mine.unit) if mine.value > theirs.value else None


def when(months: float) -> str:
    """`in the first month`, `after 3 months`."""
    return "in the first month" if months <= 1 else f"after {counted(math.ceil(months), 'month')}"


@dataclass(frozen=True, kw_only=True)
class PaidBack:
    """When what fitting the named approach took more is saved again, against the next that meets and is dearer."""

    candidate: str
    against: str
    months: float
    spent: Amount
    """More than the other: over the difference of the two bills a month that is the months."""


def payback(material: Material) -> PaidBack | None:
    """None where there is no such other one, or nothing to save."""
    named = material.named
    if named is None or material.recommendation.safe != named:
        return None
    order, ranking = [each.candidate for each in material.statuses], material.ranking
    dearer = [
        name
        for name in order[order.index(named) + 1 :]
        if material.meets(name) and ranking.comparable(name, named) and not ranking.tie(name, named)
    ]
    months = months_to_pay_back(material, named, dearer[0]) if dearer else None
    more = None if months is None else _took_more(material, named, dearer[0])
    if months is None or more is None:
        return None
    return PaidBack(candidate=named, against=dearer[0], months=months, spent=more)


def paid_back(material: Material) -> tuple[str, ...]:
    """The same as a sentence."""
    found = payback(material)
    if found is None:
        return ()
    further = ", which is beyond the months that are counted here"
    beyond = "" if found.months <= material.benchmark.horizon_months else further
    return (
        f"What fitting {found.candidate} cost more than fitting {found.against} is paid back {when(found.months)}{beyond}.",
    )
