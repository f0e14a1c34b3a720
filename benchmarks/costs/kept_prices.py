"""The list prices of the day on which a run began, as its run.json keeps them: it is told with these on any later day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from benchmarks.costs.prices import Later, Listed, Tier, TokenPrices, is_elsewhere, listed_price
from benchmarks.data.frozen import must_hold_its_types
from benchmarks.specs.spec import Spec


def freeze_prices(spec: Spec, on: date | None = None) -> dict[str, Any]:
    """The list price of each model that answers from somewhere else, as plain values, whatever the spec states for it: what
    is stated may be left out when the run is told again. `on`: the day, today (UTC) by default."""
    found = {model.name: listed_price(model, on) for model in spec.models if is_elsewhere(model)}
    return {name: None if price is None else asdict(price) for name, price in found.items()}


def thaw_prices(values: Mapping[str, Any]) -> Listed:
    """As `freeze_prices` gave them. Raises `TypeError` and the like for what it did not."""
    return {name: None if price is None else _thawed(price) for name, price in values.items()}


def _thawed(values: Mapping[str, Any]) -> TokenPrices:
    tiers, later = tuple(Tier(**row) for row in values["tiers"]), tuple(Later(**row) for row in values["later"])
    price = TokenPrices(**{**values, "tiers": tiers, "later": later})
    for part in (price, *tiers, *later):
        must_hold_its_types(part)
    return price


def changes_within(tokens: Listed, months: int) -> dict[str, str]:
    """What the table says of list prices that are others when so many months are over, as a sentence for each model.

    Months count from the day of the price. Costs ahead are reckoned with the price of that day all the same.
    """
    found = {name: _changes(name, price, months) for name, price in tokens.items() if price is not None and price.later}
    return {name: said for name, said in found.items() if said}


def _changes(name: str, price: TokenPrices, months: int) -> str:
    over = _months_after(date.fromisoformat(price.day), months).isoformat()
    last = next((later for later in reversed(price.later) if later.since < over), None)
    if last is None or (last.input, last.output) == (price.input, price.output):
        return ""
    (now_in, now_out), (then_in, then_out) = ((f"{each.input:,.4g}", f"{each.output:,.4g}") for each in (price, last))
    return (
        f"The list price of {name} is {price.currency} {now_in} for a million tokens of prompts and {now_out} of answers, "
        f"and from {last.since} on {then_in} and {then_out}; what lies ahead is reckoned with the price of {price.day} "
        "throughout."
    )


def _months_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    if day.year + years > date.max.year:
        return date.max
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
