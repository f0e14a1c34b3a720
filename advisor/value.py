"""Whether finding out is worth its labels: the chance that a cheaper approach passes and that this is shown then, times
what it would save."""

from __future__ import annotations

from advisor.amounts import exactly, times
from advisor.bounds import POWER
from advisor.contract import Amount, Status
from advisor.economics import saving
from advisor.goal import Goal
from advisor.material import Material
from advisor.wording import SECONDS, about, amount, counted, percent, start
from benchmarks.chances import chance_above
from benchmarks.contract import State


def worth_deciding(material: Material) -> tuple[str, ...]:
    """One sentence for each cheaper approach that more held-out cases would decide about, where its saving is known."""
    told = material.recommendation
    undecided = [each for each in told.statuses if each.candidate in told.cheaper_undecided]
    return tuple(
        sentence
        for status in undecided
        if status.state is State.UNDECIDED and (sentence := _sentence(material, status)) is not None
    )


def _sentence(material: Material, status: Status) -> str | None:
    name, safe, benchmark = status.candidate, material.recommendation.safe, material.benchmark
    evaluation, more = material.evaluations[name], status.more_cases
    saved = saving(material.ranking, safe, name, benchmark.horizon_months) if safe else None
    if saved is None or more is None or benchmark.target is None or evaluation.over_rows:
        return None
    chance = chance_above(evaluation.scores, evaluation.groups or None, benchmark.target)
    worth = _roughly(times(saved, benchmark.horizon_months * chance * POWER))
    months = counted(benchmark.horizon_months, "month")
    kind = " of machine time" if worth.unit == SECONDS else ""
    why = (
        f"{start(name)} {Goal.of(benchmark).meets_plainly} with a chance of about {percent(chance)} and would then save "
        f"{amount(saved)} a month. {start(about(more, 'more held-out case'))} would show it 4 times in 5, which is worth about "
        f"{amount(worth)}{kind} over {months}"
    )
    return f"{why}{_against(material, (name, str(safe)), (more, worth))}"


def _against(material: Material, names: tuple[str, str], stake: tuple[int, Amount]) -> str:
    """Beside the price of the labels, where there is one in the same currency."""
    (name, safe), (more, worth), price = names, stake, material.extras.label_price
    if price is None or price[1] != worth.unit or worth.value is None:
        return ": label on only if that costs less."
    labels = more * price[0]
    costs = f"about {amount(_roughly(exactly(labels, price[1])))}"
    if worth.value < labels:
        return f", and {about(more, 'label')} cost {costs}: stop labelling and take {safe}."
    return f", and {about(more, 'label')} cost {costs}: finding out about {name} pays."


def _roughly(cost: Amount) -> Amount:
    """To the two digits that a product of estimates has."""
    return cost if cost.value is None else exactly(float(f"{cost.value:.2g}"), cost.unit)
