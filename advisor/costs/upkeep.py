"""What keeps an approach right over the months: fitting it anew when facts or the task change, with labels and hours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from advisor.contract import Amount, CostItem
from advisor.costs.a_fit import CHOOSING, INDEX, TRAINING, fitted
from advisor.costs.amounts import exactly, times
from benchmarks.contract import Evaluation
from benchmarks.costs.prices import MachinePrices
from benchmarks.specs.spec_prices import STATED

FIXED = "having the model"
_STATED = f"how often is {STATED}"


def upkeep(evaluation: Evaluation, prices: MachinePrices, spent: Sequence[CostItem]) -> list[CostItem]:
    """Items a month, each a share of what fitting took here; none where the spec says nothing of change.

    When the task changes (labels, style, format), everything that was fitted is fitted anew, on new labels. When facts
    change, what looks them up gets a new index, and what was trained without looking up is trained anew, since its weights
    hold them; each part of a cascade by itself. A fixed amount for the model is due in any case. Answers from a file are kept
    up elsewhere.
    """
    if evaluation.family == "recorded":
        return []
    stated, items = prices.upkeep, _fixed(evaluation, prices)
    if stated.task_months is not None:
        items += [_again(item, stated.task_months) for item in spent]
        items += _labels(prices, stated.task_months)
        items += _hours(prices, stated.task_months) if _worked_on(spent) else []
    if stated.facts_months is not None:
        held = _held(evaluation, prices, spent)
        items += [_again(item, stated.facts_months) for item in held]
        items += _hours(prices, stated.facts_months) if _worked_on(held) else []
    return items


def tuned_elsewhere(evaluation: Evaluation, prices: MachinePrices) -> list[CostItem]:
    """What tuning each of its models took before it came here; recorded answers say nothing of it."""
    if evaluation.family == "recorded":
        return []
    return [_tuned(model, prices) for model in evaluation.models if model in prices.tuned]


def _tuned(model: str, prices: MachinePrices) -> CostItem:
    price = prices.tuned[model]
    amount = Amount(value=None, unit=prices.currency) if price is None else exactly(price, prices.currency)
    source = f"of {model}, elsewhere; {'its price is not known' if price is None else STATED}"
    return CostItem(name=TRAINING, amount=amount, when="spent", source=source)


def upkeep_note(kinds: Collection[str]) -> str:
    """What the items of these names are, in a sentence."""
    parts = ["what following changed facts and tasks takes"] if set(kinds) - {FIXED} else []
    parts += ["what a model costs whether it answers or not"] if FIXED in kinds else []
    return f" Upkeep is {' and '.join(parts)}, as the task spec states."


def _fixed(evaluation: Evaluation, prices: MachinePrices) -> list[CostItem]:
    return [
        CostItem(
            name=FIXED,
            amount=exactly(prices.monthly[model], prices.currency),
            when="monthly",
            source=f"a fixed amount for {model}, {prices.source(model)}",
        )
        for model in evaluation.models
        if model in prices.monthly
    ]


def _held(evaluation: Evaluation, prices: MachinePrices, spent: Sequence[CostItem]) -> list[CostItem]:
    """What of fitting it has to be done again when facts change: of a cascade in each part, of a model that both ask once."""
    if not evaluation.made_of:
        return [item for item in spent if item.name == _holds_facts(evaluation, prices)]
    held, tuned = list[CostItem](), set[str]()
    for part in evaluation.made_of:
        alone = replace(evaluation, model=part.model, family=part.family, searches=part.searches, parts=(), made_of=())
        step = _holds_facts(alone, prices)
        took = [*fitted(part.fitting, prices), *(tuned_elsewhere(alone, prices) if part.model not in tuned else [])]
        held += [item for item in took if item.name == step]
        tuned |= {part.model} if step == TRAINING else set()
    return held


def _holds_facts(evaluation: Evaluation, prices: MachinePrices) -> str:
    """The step by which facts get into the approach; empty for those that hold none."""
    if evaluation.model in prices.tuned and evaluation.family == "prompting":
        return TRAINING
    if evaluation.searches and evaluation.family == "reference":
        return INDEX
    return {"retrieval": INDEX, "combined": INDEX, "finetuning": TRAINING}.get(evaluation.family, "")


def _worked_on(items: Sequence[CostItem]) -> bool:
    """Whether a person has to sit down to it: an index is built by itself."""
    return any(item.name in (CHOOSING, TRAINING) for item in items)


def _again(item: CostItem, months: float) -> CostItem:
    return replace(
        item,
        name=f"{item.name} anew, {_every(months)}",
        amount=times(item.amount, 1 / months),
        when="monthly",
        source=f"{item.source}; {_STATED}",
    )


def _labels(prices: MachinePrices, months: float) -> list[CostItem]:
    return _priced("new labels", "labels", (prices.upkeep.labels, prices.upkeep.label_price, prices.currency), months)


def _hours(prices: MachinePrices, months: float) -> list[CostItem]:
    return _priced(
        "a person's hours", "hours", (prices.upkeep.hours, prices.upkeep.hour_price, prices.currency), months
    )


def _priced(name: str, unit: str, stated: tuple[float, float, str], months: float) -> list[CostItem]:
    """So many of them at that price each time; none where there are none."""
    number, price, currency = stated
    if not number:
        return []
    money = exactly(number * price / months, currency)
    source = f"{number:,g} {unit} at {price:g} {currency}, {STATED}"
    return [CostItem(name=f"{name}, {_every(months)}", amount=money, when="monthly", source=source)]


def _every(months: float) -> str:
    return "every month" if months == 1 else f"every {months:g} months"
