"""What fitting a candidate took: a line for each step, in the order of the work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.contract import CostItem
from advisor.costs.a_request import by_mean, by_seconds, of_sum, seconds_source
from advisor.costs.amounts import exactly
from advisor.wording import TOKENS
from benchmarks.costs.prices import MachinePrices
from strategies.contract import Usage

INDEX, TRAINING, CHOOSING = "building the index", "training", "choosing the configuration"
_STEPS = {"search": CHOOSING, "index": INDEX, "training": TRAINING}


def fitted(fitting: Sequence[Usage], prices: MachinePrices) -> list[CostItem]:
    """One line for each step and kind of bill, in the order of the work."""
    return list(_lines(fitting, prices))


def _lines(fitting: Sequence[Usage], prices: MachinePrices) -> Iterator[CostItem]:
    for step, name in {**_STEPS, "answering": "answering while fitting"}.items():
        rows = [row for row in fitting if row.step == step]
        local = [row for row in rows if row.model not in prices.tokens]
        for machine in dict.fromkeys(prices.fitted_on(row.model) for row in local):
            seconds = sum(row.seconds for row in local if prices.fitted_on(row.model) == machine)
            source = seconds_source(prices, machine)
            yield CostItem(name=name, amount=by_seconds(seconds, prices, machine), when="spent", source=source)
        for model in dict.fromkeys(row.model for row in rows if row.model in prices.tokens):
            yield _hosted_item(name, [row for row in rows if row.model == model], prices)


def _hosted_item(name: str, rows: Sequence[Usage], prices: MachinePrices) -> CostItem:
    model = rows[0].model
    price = prices.tokens[model]
    tokens = sum(row.prompt_tokens + row.answer_tokens for row in rows)
    if price is None:
        unpriced = f"{tokens:,} tokens; their price is not known"
        return CostItem(name=name, amount=exactly(tokens, f"{TOKENS}{model}"), when="spent", source=unpriced)
    spent = sum(of_sum(row, price) for row in rows)
    source = f"{tokens:,} tokens; {price.source}{by_mean(rows, price)}"
    return CostItem(name=name, amount=exactly(spent, price.currency), when="spent", source=source)
