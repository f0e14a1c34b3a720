"""Whether finding out is worth its labels: the chance that a cheaper approach passes and that this is shown then, times
what it would save."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.contract import Amount, Status
from advisor.costs.amounts import exactly, times
from advisor.costs.economics import saving
from advisor.decision.bounds import POWER
from advisor.goal import Goal
from advisor.material import Material
from advisor.wording import SECONDS, about, amount, counted, percent
from benchmarks.contract import State
from benchmarks.statistics.chances import chance_above, chance_shown


@dataclass(frozen=True, kw_only=True)
class Stake:
    """What it is worth to find out about one cheaper approach, and what that is the product of."""

    candidate: str
    safe: str
    """What would be taken without finding out."""
    chance: float
    """That it meets the target."""
    power: float
    """The chance that so many `more` cases show it, if it does meet the target."""
    more: int
    saved: Amount
    """A month."""
    months: int
    worth: Amount
    labels: Amount | None
    """What the labels of these cases cost; None where no price is known in the same currency."""


def stakes(material: Material) -> list[Stake]:
    """One for each cheaper approach that more held-out cases would show to meet the target, where its saving is known.

    None for one whose figure lies below the target: as many cases as would show that it misses show otherwise far less often
    than `POWER`. None either where the cases are those that another one needs.
    """
    told = material.recommendation
    undecided = [each for each in told.statuses if each.candidate in told.cheaper_undecided]
    found = [_stake(material, status) for status in undecided if status.state is State.UNDECIDED]
    return [stake for stake in found if stake is not None]


def _stake(material: Material, status: Status) -> Stake | None:
    name, safe, benchmark = status.candidate, material.recommendation.safe, material.benchmark
    evaluation, more, months = material.evaluations[name], status.more_cases, benchmark.horizon_months
    saved = saving(material.ranking, safe, name, months) if safe else None
    if safe is None or saved is None or more is None or benchmark.target is None or evaluation.over_rows:
        return None
    if evaluation.figure < benchmark.target or status.behind:
        return None
    seen, price = (evaluation.scores, evaluation.groups or None, benchmark.target), material.extras.label_price
    chance, power = chance_above(*seen), chance_shown(*seen, (more, POWER))
    return Stake(
        candidate=name,
        safe=safe,
        chance=chance,
        power=power,
        more=more,
        saved=saved,
        months=months,
        worth=times(saved, months * chance * power),
        labels=None if price is None or price[1] != saved.unit else exactly(more * price[0], price[1]),
    )


def worth_deciding(material: Material) -> tuple[str, ...]:
    """One sentence for each of the stakes."""
    meets = Goal.of(material.benchmark).meets_plainly
    return tuple(_sentence(stake, meets) for stake in stakes(material))


def _sentence(stake: Stake, meets: str) -> str:
    worth = _roughly(stake.worth)
    kind = " of machine time" if worth.unit == SECONDS else ""
    return (
        f"The chance that {stake.candidate} {meets} is about {percent(stake.chance)}; it would then save "
        f"{amount(stake.saved)} a month, and {about(stake.more, 'more held-out case')} would show it with a chance of about "
        f"{percent(stake.power)}. Finding out is thus worth about {amount(worth)}{kind} over {counted(stake.months, 'month')}"
        f"{_against(stake, worth)}"
    )


def _against(stake: Stake, worth: Amount) -> str:
    """Beside the price of the labels, where there is one in the same currency."""
    labels = stake.labels
    if labels is None or labels.value is None or worth.value is None:
        return ": keep labelling only if that costs less."
    costs = f"about {amount(_roughly(labels))}"
    if worth.value < labels.value:
        return f", and {about(stake.more, 'label')} cost {costs}: stop labelling and take {stake.safe}."
    return f", and {about(stake.more, 'label')} cost {costs}: finding out about {stake.candidate} pays."


def _roughly(cost: Amount) -> Amount:
    """To the two digits that a product of estimates has."""
    return cost if cost.value is None else exactly(float(f"{cost.value:.2g}"), cost.unit)
