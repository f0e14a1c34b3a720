"""What each candidate cost so far and will cost at the stated volume, and which of two costs is the lower beyond noise.

Two costs whose ranges overlap are a tie; two numbers of tokens whose price is not known are one where it depends on that price
which costs more. Such ties are not transitive (A ties with B, and B with C, while A is clearly
cheaper than C), so "take the simpler of any two that tie" can run in circles. One rule is used everywhere instead:
the first of some candidates is the simplest among those than which none of them is clearly cheaper. An order is that
rule applied again and again to those that remain.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.contract import Amount, CostItem, Costs
from advisor.costs.a_fit import fitted
from advisor.costs.a_request import (
    at_least_of,
    by_request,
    kept_on,
    unit_of,
)
from advisor.costs.amounts import among_the_least, clearly_more, exactly, one_unit, range_of, times, total
from advisor.costs.upkeep import tuned_elsewhere, upkeep
from advisor.wording import SECONDS, TOKENS, listed
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.costs.prices import MachinePrices

_NOTHING_LEFT = "what was fitted here is what would be put to work"


def costs(evaluation: Evaluation, benchmark: Benchmark, prices: MachinePrices) -> Costs:
    """The bill of one candidate, in money where a price is known, else in machine seconds or in tokens of one model.

    A candidate on a hosted model is billed by its tokens, and by the seconds in which this machine looks things up for it;
    any other by the seconds of the machine alone; a cascade whose parts ask two models by both bills. A model that is to
    answer on another machine has the price of that for the seconds that it took here; what was fitted was fitted here, unless
    a server was asked for it. What was measured in seconds carries a range of +-15 %.
    """
    unit = unit_of(evaluation, prices)
    asked = by_request(evaluation, prices)
    items = fitted(evaluation.fitting, prices)
    elsewhere, unfinished = evaluation.family == "recorded", "fit" in evaluation.left and not items
    items += tuned_elsewhere(evaluation, prices)
    unknown = Amount(value=None, unit=unit)
    spent = unknown if elsewhere or unfinished else total((item.amount for item in items), unit)
    once = CostItem(name="putting it to work", amount=exactly(0.0, unit), when="once", source=_NOTHING_LEFT)
    at_least = at_least_of(evaluation, prices)
    answering = [replace(item, amount=times(item.amount, benchmark.volume)) for item in asked]
    if at_least is not None:
        answering[-1] = kept_on(answering[-1], at_least, evaluation, prices)
    running = [*answering, *upkeep(evaluation, prices, items)]
    monthly = total((item.amount for item in running), unit)
    return Costs(
        candidate=evaluation.candidate,
        items=(*items, once, *running),
        spent=spent,
        per_thousand=_of_thousand(asked, unit),
        monthly=monthly,
        ahead=times(monthly, benchmark.horizon_months),
        at_least=at_least,
        beside=_of_thousand(asked[:-1], unit) if at_least is not None and asked[1:] else None,
    )


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Which candidate comes before which by cost ahead, ties included."""

    order: tuple[str, ...]
    """Comparable candidates by the rule of this module, then the others, simplest first."""
    unranked: tuple[str, ...]
    """Candidates whose cost is unknown, or in another unit than that of most."""
    note: str
    """Empty, or which price to give so that everything can be ranked."""
    ahead: Mapping[str, Amount]
    simplicity: Mapping[str, int]

    def comparable(self, one: str, other: str) -> bool:
        """True where both costs are known and in the same unit."""
        a, b = self.ahead[one], self.ahead[other]
        return a.value is not None and b.value is not None and a.unit == b.unit

    def tie(self, one: str, other: str) -> bool:
        """True where neither of two comparable costs is clearly the higher (`amounts.clearly_more`)."""
        a, b = self.ahead[one], self.ahead[other]
        return self.comparable(one, other) and not clearly_more(a, b) and not clearly_more(b, a)

    def first(self, names: Collection[str]) -> str:
        """The one to prefer: the simplest among those than which none is clearly cheaper.

        Candidates that cannot be ranked count only where there are no others. Raises ValueError for no names.
        """
        if not names:
            raise ValueError("There is no candidate to choose from.")
        ranked = [name for name in names if name not in self.unranked] or one_unit(names, self.ahead)
        if not ranked:
            return min(names, key=self.by_simplicity)
        return min(among_the_least(ranked, self.ahead), key=self.by_simplicity)

    def by_simplicity(self, name: str) -> tuple[int, float, str]:
        """A key for sorting: the simpler first, then the cheaper."""
        value = self.ahead[name].value
        return self.simplicity[name], math.inf if value is None else value, name


def rank(all_costs: Sequence[Costs], evaluations: Sequence[Evaluation]) -> Ranking:
    """Puts candidates in order of what lies ahead; amounts in different units are never compared."""
    ahead = {cost.candidate: cost.ahead for cost in all_costs}
    simplicity = {each.candidate: each.simplicity for each in evaluations if each.candidate in ahead}
    comparable = one_unit(ahead, ahead)
    unranked = tuple(name for name in ahead if name not in comparable)
    measured = {each.candidate for each in evaluations if each.scores and each.state is None}
    wanted = {cost.candidate: cost for cost in all_costs if cost.candidate in measured}
    recorded = {each.candidate for each in evaluations if each.family == "recorded"}
    note = _price_wanted(wanted, [name for name in unranked if name in measured], recorded)
    loose = Ranking(order=(), unranked=unranked, note=note, ahead=ahead, simplicity=simplicity)
    left = list(comparable)
    order: list[str] = []
    while left:
        order.append(loose.first(left))
        left.remove(order[-1])
    order.extend(sorted(unranked, key=loose.by_simplicity))
    return Ranking(order=tuple(order), unranked=unranked, note=note, ahead=ahead, simplicity=simplicity)


def saving(ranking: Ranking, dearer: str, cheaper: str, months: int) -> Amount | None:
    """What the cheaper of two candidates saves a month; None where they tie or cannot be compared."""
    if not ranking.comparable(dearer, cheaper) or ranking.tie(dearer, cheaper):
        return None
    a, b = ranking.ahead[dearer], ranking.ahead[cheaper]
    if a.value is None or b.value is None or a.value <= b.value:
        return None
    return Amount(value=(a.value - b.value) / months, unit=a.unit)


def settled(meeting: Sequence[str], undecided: Sequence[str], ranking: Ranking) -> tuple[str, tuple[str, ...]]:
    """Of those that meet the one to prefer, and who might replace it: the undecided that would be preferred if they met,
    and those of which that cannot be told; in the order of the ranking. Raises ValueError where nothing meets.

    Asking of one at a time is enough: those that leave the safe one in place alone also do so together, since more
    candidates only lower the bar of what is clearly dearer, and each of them left the safe one below it.
    """
    safe = ranking.first(meeting)
    others = [name for name in ranking.order if name in (*undecided, *meeting) and name != safe]
    return safe, tuple(
        name for name in others if not ranking.comparable(name, safe) or ranking.first([*meeting, name]) != safe
    )


def in_money(cost: Costs, currency: str) -> bool:
    """True where the cost a month is known in that currency; nothing is converted."""
    return cost.monthly.value is not None and cost.monthly.unit == currency


def over_limit(cost: Costs, limit: float | None, currency: str) -> bool:
    """Whether a month costs more than the limit beyond doubt; what is not known in its currency cannot be told."""
    return limit is not None and in_money(cost, currency) and range_of(cost.monthly)[0] > limit


# ---------------------------------------------------------------- one candidate


def _of_thousand(asked: Sequence[CostItem], unit: str) -> Amount:
    return times(total([item.amount for item in asked], unit), 1000)


def _price_wanted(bills: Mapping[str, Costs], unranked: Collection[str], recorded: Collection[str]) -> str:
    if not unranked:
        return ""
    unknown = [name for name in unranked if _unpriced(bills[name])]
    silent = [name for name in unknown if name in recorded]
    unknown = [name for name in unknown if name not in recorded]
    tuned = [
        name
        for name in unknown
        if any(item.when == "spent" and item.amount.value is None for item in bills[name].items)
    ]
    unknown = [name for name in unknown if name not in tuned]
    known = {bill.ahead.unit for bill in bills.values() if bill.ahead.value is not None}
    known |= {amount.unit for name in unranked for amount in _running(bills[name]) if amount.value is not None}
    units = sorted(unit for unit in known if not unit.startswith(TOKENS))
    sentences = []
    if unknown:
        sentences.append(
            f"The cost of {listed(unknown)} is not known: give the price of the model's tokens "
            "(input_per_million and output_per_million in the task spec)."
        )
    if tuned:
        sentences.append(
            f"The cost of {listed(tuned)} is not known: state what tuning the model took (tuning_price) and what its tokens cost."
        )
    if silent:
        sentences.append(
            f"The cost of {listed(silent)} is not known: state `cost` with each answer in the file of recorded answers."
        )
    if len(units) > 1 and SECONDS in units:
        money = " and ".join(unit for unit in units if unit != SECONDS)
        sentences.append(
            f"Some costs are in machine seconds and some in {money}, which cannot be compared: give the price of an "
            "hour of this machine (machine_hour under prices in the task spec)."
        )
    elif len(units) > 1:
        sentences.append(
            f"Costs are in {' and '.join(units)}, which are not converted: state every price in one currency."
        )
    return " ".join(sentences)


def _unpriced(bill: Costs) -> bool:
    """Whether a part of it is unknown or in tokens; not where its parts are known and only their units have no sum."""
    amounts = [bill.ahead] if bill.ahead.value is not None else _running(bill) or [bill.ahead]
    return any(amount.value is None or amount.unit.startswith(TOKENS) for amount in amounts)


def _running(bill: Costs) -> list[Amount]:
    return [item.amount for item in bill.items if item.when == "monthly"]
