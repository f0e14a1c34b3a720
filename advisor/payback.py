"""After how many months what fitting an approach took is saved again, against one that costs more to run."""

from __future__ import annotations

import math

from advisor.material import Material
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


def paid_back(material: Material) -> tuple[str, ...]:
    """When what fitting the named approach took is saved again, against the next that meets."""
    named = material.named
    if named is None or material.recommendation.safe != named:
        return ()
    order, ranking = [each.candidate for each in material.statuses], material.ranking
    dearer = [
        name
        for name in order[order.index(named) + 1 :]
        if material.meets(name) and ranking.comparable(name, named) and not ranking.tie(name, named)
    ]
    months = months_to_pay_back(material, named, dearer[0]) if dearer else None
    if months is None:
        return ()
    beyond = "" if months <= material.benchmark.horizon_months else ", which is beyond the months that are counted here"
    return (f"What fitting {named} took is saved again {when(months)}, compared with {dearer[0]}{beyond}.",)
