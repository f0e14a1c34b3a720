"""After how many months what fitting an approach took is saved again, against one that costs more to run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.contract import Amount
from advisor.story.material import Material
from advisor.wording import counted


def months_to_pay_back(material: Material, cheaper: str, dearer: str) -> float | None:
    """What fitting the cheaper one took, over what it saves a month. None where fitting took nothing or it is not known, and
    where costs cannot be told apart."""
    ranking, spent = material.ranking, material.costs[cheaper].spent
    mine, theirs = material.costs[cheaper].monthly, material.costs[dearer].monthly
    if not ranking.comparable(cheaper, dearer) or ranking.tie(cheaper, dearer):
        return None
    if not spent.value or mine.value is None or theirs.value is None or spent.unit != mine.unit:
        return None
    return spent.value / (theirs.value - mine.value) if theirs.value > mine.value else None


def when(months: float) -> str:
    """`in the first month`, `after 3 months`."""
    return "in the first month" if months <= 1 else f"after {counted(math.ceil(months), 'month')}"


@dataclass(frozen=True, kw_only=True)
class PaidBack:
    """When fitting the named approach is saved again, against the next that meets and is dearer."""

    candidate: str
    against: str
    months: float
    spent: Amount
    """Over the difference of the two bills a month that is the months."""


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
    if months is None:
        return None
    return PaidBack(candidate=named, against=dearer[0], months=months, spent=material.costs[named].spent)


def paid_back(material: Material) -> tuple[str, ...]:
    """The same as a sentence."""
    found = payback(material)
    if found is None:
        return ()
    further = ", which is beyond the months that are counted here"
    beyond = "" if found.months <= material.benchmark.horizon_months else further
    return (
        f"The cost of fitting {found.candidate} is paid back {when(found.months)}, compared with {found.against}{beyond}.",
    )
