"""What one request of a candidate costs: its tokens, or the seconds of the machine that answers, and what this one does beside.

A cascade whose parts ask two models has two such bills, which are summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from advisor.contract import Amount, CostItem
from advisor.costs.amounts import exactly, total
from advisor.wording import SECONDS, TOKENS, listed
from benchmarks.contract import Evaluation
from benchmarks.costs.prices import MachinePrices, TokenPrices
from benchmarks.specs.spec_prices import STATED
from strategies.contract import Usage

ANSWER_TOKEN, CACHED_TOKEN = (1.0, 8.0), (0.1, 1.0)
"""Of an unknown price: what an answer token and a cached prompt token cost beside a prompt token, from least to most."""
NOISE = 0.15
"""Half the range laid around measured seconds, as a share: timings repeated on a shared machine vary that much."""
_HERE = "this machine's part"


def bills_of(evaluation: Evaluation) -> list[Evaluation]:
    """Itself, or each part of a cascade whose parts ask two models, as if it stood alone."""
    parts = [
        replace(
            evaluation,
            model=part.model,
            family=part.family,
            answering=part.answering,
            requests=part.requests,
            beside_s=part.beside_s,
            begins_here=False,
            parts=(),
        )
        for part in evaluation.parts
    ]
    return parts or [evaluation]


def unit_of(evaluation: Evaluation, prices: MachinePrices) -> str:
    """Of its sums, where all that it takes has one; of two models that of the second."""
    if _billed(evaluation) is not None:
        return prices.currency
    if evaluation.model in prices.tokens:
        stated = prices.tokens[evaluation.model]
        return stated.currency if stated else f"{TOKENS}{evaluation.model}"
    return SECONDS if prices.hour(evaluation.model) is None else prices.currency


def _billed(evaluation: Evaluation) -> float | None:
    """Money that the answers are known to have cost, in the currency of the spec."""
    return None if evaluation.answering is None else evaluation.answering.cost


def by_request(evaluation: Evaluation, prices: MachinePrices) -> list[CostItem]:
    """What one request costs; where machines do something for it, that is the last item."""
    if evaluation.parts:
        return _of_both(bills_of(evaluation), prices)
    request, source = _per_request(evaluation, prices)
    return [_item("answering", request, source), *_beside(evaluation, prices)]


def _of_both(bills: Sequence[Evaluation], prices: MachinePrices) -> list[CostItem]:
    """Of two models: what is billed by tokens apart, and the seconds of all machines in one item."""
    items, seconds, sources = list[CostItem](), list[Amount](), list[str]()
    for each in bills:
        request, source = _per_request(each, prices)
        if each.model in prices.tokens:
            items.append(_item(f"answering by {each.model}", request, source))
        else:
            seconds.append(request)
            sources.append(f"{each.model}: {source}")
        seconds += [item.amount for item in _beside(each, prices)]
        sources += [item.source for item in _beside(each, prices)]
    here = [each.model for each in bills if each.model not in prices.tokens]
    name = f"answering by {listed(here)}" if here else _HERE
    together = [_item(name, total(seconds, seconds[0].unit), "; ".join(sources))] if seconds else []
    return [*items, *together]


def _item(name: str, amount: Amount, source: str) -> CostItem:
    return CostItem(name=name, amount=amount, when="monthly", source=source, by_request=True)


def _per_request(evaluation: Evaluation, prices: MachinePrices) -> tuple[Amount, str]:
    """The cost of one request and where it comes from."""
    unit = unit_of(evaluation, prices)
    unknown = Amount(value=None, unit=unit)
    usage, bill = evaluation.answering, _billed(evaluation)
    if usage is None or usage.calls == 0:
        return unknown, "no answer was measured"
    if bill is not None:
        money = bill / usage.calls
        said = f"stated in the file of recorded answers{_not_there(evaluation, usage)}"
        return Amount(value=money, unit=unit, low=money, high=money), said
    if evaluation.model in prices.tokens:
        return _by_tokens(evaluation, usage, prices.tokens[evaluation.model])
    if evaluation.family == "recorded":
        return unknown, "the answers were recorded elsewhere, and their file states no cost"
    return by_seconds(usage.seconds / usage.calls, prices, evaluation.model), seconds_source(prices, evaluation.model)


def _not_there(evaluation: Evaluation, usage: Usage) -> str:
    """How many held-out cases the mean of recorded answers leaves out."""
    missing = len(evaluation.scores) - usage.calls
    return f"; {missing:,} of {len(evaluation.scores):,} held-out cases have no answer there" if missing > 0 else ""


def _beside(evaluation: Evaluation, prices: MachinePrices) -> list[CostItem]:
    """What this machine does for one request of a model that is billed by its tokens; nothing where it does nothing."""
    usage = evaluation.answering
    billed_by_tokens = evaluation.model in prices.tokens and _billed(evaluation) is None
    idle = not evaluation.beside_s and at_least_of(evaluation, prices) is None
    if usage is None or not usage.calls or not billed_by_tokens or idle:
        return []
    amount = by_seconds(evaluation.beside_s / usage.calls, prices)
    source = f"looking up and what else is not the model's; {seconds_source(prices)}"
    return [_item(_HERE, amount, source)]


def _by_tokens(evaluation: Evaluation, usage: Usage, price: TokenPrices | None) -> tuple[Amount, str]:
    """Each request at the price that its own prompt has, where each is known."""
    counted = (
        f"{_count(usage.prompt_tokens / usage.calls)} prompt tokens "
        f"({_count(usage.cached_tokens / usage.calls)} of them cached) and "
        f"{_count(usage.answer_tokens / usage.calls)} answer tokens a request, "
    )
    recorded = evaluation.family == "recorded"
    counted += f"stated in the file of recorded answers{_not_there(evaluation, usage)}" if recorded else "measured here"
    if price is None:
        return _tokens_alone(usage, f"{TOKENS}{evaluation.model}"), f"{counted}; the price of its tokens is not known"
    if evaluation.requests:
        paid, said = sum(price.money(*each) for each in evaluation.requests), _long_ones(evaluation.requests, price)
    else:
        paid, said = of_sum(usage, price), by_mean([usage], price)
    money = paid / usage.calls
    amount = Amount(value=money, unit=price.currency, low=money * price.least, high=money)
    return amount, f"{counted}; {price.source}{said}"


def of_sum(usage: Usage, price: TokenPrices) -> float:
    return price.money(usage.prompt_tokens, usage.cached_tokens, usage.answer_tokens, usage.calls)


def _long_ones(requests: Sequence[tuple[int, int, int]], price: TokenPrices) -> str:
    """How many requests have another price since their prompts are long; empty where none has."""
    long = sum(prompt > tier.above for prompt, _, _ in requests for tier in price.tiers[:1])
    if not long:
        return ""
    which = f"{long:,} of {len(requests):,} requests have a prompt"
    return f"; {which} above {price.tiers[0].above:,} tokens and are charged the price of such"


def by_mean(rows: Iterable[Usage], price: TokenPrices) -> str:
    """That requests were charged by their mean length, where some of them may have another price."""
    may_be_long = any(row.calls > 1 and row.prompt_tokens > tier.above for row in rows for tier in price.tiers[:1])
    return "; charged by the mean length of the prompts, since that of each was not kept" if may_be_long else ""


def _tokens_alone(usage: Usage, unit: str) -> Amount:
    """Tokens of a request, with what they come to where answers and cached tokens cost the least and the most beside others."""
    low, high = (
        usage.prompt_tokens - (1 - cached) * usage.cached_tokens + answer * usage.answer_tokens
        for answer, cached in zip(ANSWER_TOKEN, CACHED_TOKEN, strict=True)
    )
    tokens = usage.prompt_tokens + usage.answer_tokens
    return Amount(value=tokens / usage.calls, unit=unit, low=low / usage.calls, high=high / usage.calls)


def at_least_of(evaluation: Evaluation, prices: MachinePrices) -> Amount | None:
    """What the machines cost a month that are kept on for what a candidate asks on them, at whatever volume; two of them count
    as one that is kept on for both parts of a cascade."""
    hours, here = prices.upkeep.machine_hours, _on_machines(evaluation, prices)
    if hours is None or not here:
        return None
    machines = dict.fromkeys(model if model in prices.hours else "" for model in here)
    amounts = [
        exactly(hours * 3600.0, SECONDS)
        if (price := prices.hour(name)) is None
        else exactly(hours * price, prices.currency)
        for name in machines
    ]
    found = total(amounts, amounts[0].unit)
    return None if found.value is None else found


def _on_machines(evaluation: Evaluation, prices: MachinePrices) -> list[str]:
    """The models, "" for none, of what is local in it: all of it, or parts of a cascade."""
    return [
        each.model
        for each in bills_of(evaluation)
        if each.family != "recorded" and (each.model not in prices.tokens or each.begins_here)
    ]


def kept_on(item: CostItem, at_least: Amount, evaluation: Evaluation, prices: MachinePrices) -> CostItem:
    """What this machine does in a month, or what keeping it on costs, where that is more."""
    if item.amount.value is None or item.amount.value >= (at_least.value or 0.0):
        return item
    kept = f"{prices.upkeep.machine_hours:g} hours a month that the machine is kept on, {STATED}"
    priced = dict.fromkeys(_priced(prices, model) for model in _on_machines(evaluation, prices))
    return replace(item, amount=at_least, source=f"{kept}{''.join(priced)}")


def by_seconds(seconds: float, prices: MachinePrices, model: str = "") -> Amount:
    hour = prices.hour(model)
    value = seconds if hour is None else seconds / 3600 * hour
    unit = SECONDS if hour is None else prices.currency
    return Amount(value=value, unit=unit, low=value * (1 - NOISE), high=value * (1 + NOISE))


def seconds_source(prices: MachinePrices, model: str = "") -> str:
    measured = f"machine seconds measured here, to within {NOISE:.0%} since timings vary".replace("%", " %")
    return f"{measured}{_priced(prices, model)}"


def _priced(prices: MachinePrices, model: str) -> str:
    """The price of an hour and where it is from, as what follows in a source."""
    hour, elsewhere = prices.hour(model), model in prices.hours
    if hour is None:
        return ""
    where = f" of the machine of {model}" if elsewhere else ""
    return f"; {hour:g} {prices.currency} an hour{where}, {prices.source(model if elsewhere else '')}"


def _count(number: float) -> str:
    return f"{number:,.0f}"
