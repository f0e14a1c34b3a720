"""What it takes an approach to follow a change: time, examples that somebody has to write, and what both cost in money."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from advisor.contract import Amount
from advisor.costs.amounts import total
from advisor.material import Material
from advisor.wording import amount, duration
from benchmarks.checked import Changed
from benchmarks.contract import Evaluation
from benchmarks.evaluation.cascade import parts_of


@dataclass(frozen=True, kw_only=True)
class Following:
    """What following one change takes."""

    seconds: float
    examples: int
    """That somebody has to write or label; those that a program rewrites are none."""
    cost: Amount
    """Value None: a price that it takes is not stated."""

    def told(self, what: str, known: bool) -> str:
        """`12 new examples, and fitting again, 41 s, USD 6.20`: `what` comes first; `known`: somebody's cost is."""
        money = f", {amount(self.cost)}".replace(", unknown", ", cost unknown") if known else ""
        return f"{what}, {duration(self.seconds)}{money}"


def following(material: Material, name: str) -> dict[str, Following]:
    """By the change: facts (`changed`), labels (`added`), a rule of the format (`altered`); of a cascade what both parts take."""
    evaluation = material.evaluations[name]
    parts = [part for part in parts_of(evaluation) if part in material.evaluations]
    if not parts:
        return _alone(material, name)
    asked = {"changed": evaluation.changed, "added": evaluation.added, "altered": evaluation.altered}
    taken = [following(material, part) for part in parts]
    found = {change: [each[change] for each in taken if change in each] for change, told in asked.items() if told}
    return {change: _both(material, several) for change, several in found.items() if several}


def _both(material: Material, taken: Sequence[Following]) -> Following:
    """What several parts take; new examples serve all of them, and are paid once."""
    cost, examples = total((each.cost for each in taken), taken[0].cost.unit), [each.examples for each in taken]
    price = material.extras.label_price
    if cost.value is not None and price is not None:
        cost = Amount(value=cost.value - (sum(examples) - max(examples)) * price[0], unit=cost.unit)
    return Following(seconds=sum(each.seconds for each in taken), examples=max(examples), cost=cost)


def _alone(material: Material, name: str) -> dict[str, Following]:
    evaluation, found = material.evaluations[name], {}
    if (facts := evaluation.changed) is not None and facts.cases:
        if facts.seconds is not None:  # Only indexing, which this machine does whoever answers.
            found["changed"] = Following(seconds=facts.seconds, examples=0, cost=_money(material, facts.seconds, 0))
        else:
            found["changed"] = _refitted(material, name, facts)
    if (labels := evaluation.added) is not None and labels.cases:
        built = labels.seconds or 0.0
        cost = _built(material, evaluation, built, labels.examples)
        found["added"] = Following(seconds=built, examples=labels.examples, cost=cost)
    if (rule := evaluation.altered) is not None and rule.seconds is not None:
        cost = _built(material, evaluation, rule.seconds, 0)
        found["altered"] = Following(seconds=rule.seconds, examples=0, cost=cost)
    return found


def _refitted(material: Material, name: str, facts: Changed) -> Following:
    """What reads no documents needs an example for each question, and another fit: as it was timed then, else as the whole of its
    fit, choosing included."""
    evaluation = material.evaluations[name]
    if facts.again_seconds is not None:
        cost = _built(material, evaluation, facts.again_seconds, facts.cases)
        return Following(seconds=facts.again_seconds, examples=facts.cases, cost=cost)
    spent = sum(usage.seconds for usage in evaluation.fitting)
    cost = _with_labels(material, material.costs[name].spent, facts.cases)
    return Following(seconds=spent, examples=facts.cases, cost=cost)


def facts_of(material: Material, name: str) -> dict[str, Any]:
    """The same as plain values."""
    return {change: asdict(each) for change, each in following(material, name).items()}


def any_known(found: Collection[Following]) -> bool:
    return any(each.cost.value is not None for each in found)


def unknown_says(material: Material, found: Collection[Following]) -> str:
    """Which price is missing, with a space before it; empty where none is, or nothing takes one."""
    lacking = [each for each in found if each.cost.value is None]
    if not lacking:
        return ""
    prices, wanted = material.extras.prices, []
    if prices is None or prices.machine_hour is None:
        wanted.append("an hour of the machine (`prices: {machine_hour: 0.40}`)")
    if material.extras.label_price is None and any(each.examples for each in lacking):
        wanted.append("a label (`upkeep: {label_price: 0.5}`)")
    what = " and of ".join(wanted) or "the tokens of a server"
    return (
        f" What this costs in money is not known{' of some' if any_known(found) else ''}: it takes the price of {what}."
    )


def _built(material: Material, evaluation: Evaluation, seconds: float, examples: int) -> Amount:
    """A server's seconds are not what it is paid for, so building with one has no price here."""
    prices = material.extras.prices
    if seconds and prices is not None and evaluation.model in prices.tokens:
        return Amount(value=None, unit=prices.currency)
    return _money(material, seconds, examples, evaluation.model)


def _money(material: Material, seconds: float, examples: int, model: str = "") -> Amount:
    """Of so many seconds of the machine on which the model is fitted, and of so many labels."""
    prices = material.extras.prices
    hour = None if prices is None else prices.hour(prices.fitted_on(model))
    unit = "USD" if prices is None else prices.currency
    if hour is None and seconds:
        return Amount(value=None, unit=unit)
    return _with_labels(material, Amount(value=seconds / 3600 * (hour or 0.0), unit=unit), examples)


def _with_labels(material: Material, cost: Amount, examples: int) -> Amount:
    """In the currency of the labels; a cost in time or tokens is no money."""
    price, prices = material.extras.label_price, material.extras.prices
    unit = "USD" if prices is None else prices.currency
    known = cost.value is not None and cost.unit == unit and (price is not None or not examples)
    if cost.value is None or not known:
        return Amount(value=None, unit=unit)
    return Amount(value=cost.value + examples * (price[0] if price else 0.0), unit=unit)
