"""What `advisor run` says before it starts of what models are asked: requests, tokens and money; and its `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.costs.forecast import Forecast
    from benchmarks.costs.hosted import RequestTotals
    from benchmarks.costs.needed import Computed
    from benchmarks.costs.prices import MachinePrices, TokenPrices
    from benchmarks.running.whereabouts import Unfetched
    from strategies.models.known import KnownModel


def hosted_says(totals: RequestTotals, prices: MachinePrices) -> str:
    """`big: at most about 2,100 requests with 900,000 tokens of prompts and 17,000 of answers, at most about 0.31 USD (...)`."""
    from advisor.wording import counted, money, rounded_up

    says = (
        f"{totals.model}: at most about {counted(rounded_up(totals.requests), 'request')} with "
        f"{rounded_up(totals.prompt_tokens):,} tokens of prompts and {rounded_up(totals.answer_tokens):,} of answers"
    )
    if totals.model in prices.hours:
        return f"{says}, paid by the hour"
    if totals.model not in prices.tokens:
        return f"{says}, on a server of this machine"
    price = prices.tokens[totals.model]
    if price is None:
        unknown = "what it costs is unknown: no price list knows it"
        return f"{says}; {unknown}. State input_per_million and output_per_million with it"
    return f"{says}, at most about {money(most(totals, price))} {price.currency} ({price.source})"


def computed_says(expected: Forecast, prices: MachinePrices) -> list[str]:
    """A sentence for each model that computes in this process, and one of what the machine costs meanwhile."""
    if not expected.computed:
        return []
    return [*map(_computed_says, expected.computed), _machine_says(expected, prices)]


def _computed_says(computed: Computed) -> str:
    """`smollm2-135m: here, about 900,000 tokens of prompts, 17,000 of answers and 220,000 of training`."""
    from advisor.wording import rounded_up

    parts = [(computed.prompt_tokens, "of prompts"), (computed.answer_tokens, "of answers")]
    parts += [(computed.trained_tokens, "of training")] * bool(computed.trained_tokens)
    listed = [f"{rounded_up(round(tokens)):,} {what}" for tokens, what in parts]
    first = f"{listed[0].replace(' of', ' tokens of', 1)}, "
    return f"{computed.model}: in this process, about {first}{' and '.join(listed[1:])}"


def _machine_says(expected: Forecast, prices: MachinePrices) -> str:
    from advisor.wording import counted, money

    if prices.machine_hour is None:
        return "what this machine costs is unknown: state machine_hour under prices in the task"
    paid = f"about {money(machine_money(expected, prices.machine_hour))} {prices.currency}"
    several = (expected.machines or 1) > 1
    where = "this machine" if expected.machines is None else f"{counted(expected.machines, 'machine')} of the cluster"
    price = f"({prices.machine_hour:g} an hour{' each' * several}, {prices.source()})"
    return f"{where}: {paid} for these minutes{', idle ones included' * several} {price}"


def machine_money(expected: Forecast, hour: float) -> float:
    """For the minutes of the run, whichever approach they go to; on a cluster for all its machines, also while they wait."""
    return expected.minutes / 60 * hour * (expected.machines or 1)


def cluster_says(expected: Sequence[Forecast]) -> str:
    """What more machines would bring where nobody says how many there are."""
    from advisor.wording import listed

    first, *rest = ((max(1, round(each.minutes)), each.machines) for each in expected)
    minutes = listed([f"{first[0]} minutes on {first[1]}", *(f"{time} on {machines}" for time, machines in rest)])
    hours = listed([f"{each.minutes / 60 * (each.machines or 1):.1f}" for each in expected])
    return (
        "on the cluster: one worker on each of its machines, and how many these are is seen when the run starts: about "
        f"{minutes} ({hours} machine hours, idle time included). For another number: --workers"
    )


def most(totals: RequestTotals, price: TokenPrices) -> float:
    """Money for all of it, nothing cached, at the dearest price that one of the prompts may have."""
    return price.at_most(totals.prompt_tokens, totals.answer_tokens, totals.longest_prompt)


def expected_document(expected: Forecast, prices: MachinePrices) -> dict[str, Any]:
    """What `--dry-run --json` prints."""
    return {
        "minutes": expected.minutes,
        "memory_bytes": expected.memory,
        "to_download": [],
        "hosted": [_hosted(each, prices.tokens) for each in expected.asked],
        "local": [
            {
                "model": each.model,
                "prompt_tokens": round(each.prompt_tokens),
                "answer_tokens": round(each.answer_tokens),
                "trained_tokens": round(each.trained_tokens),
            }
            for each in expected.computed
        ],
        "machine_money": None if prices.machine_hour is None else machine_money(expected, prices.machine_hour),
        "machine_currency": None if prices.machine_hour is None else prices.currency,
    }


def missing_document(missing: Sequence[KnownModel | Unfetched]) -> dict[str, Any]:
    """The same where weights have to be downloaded before anything else can be said."""
    return {
        "minutes": None,
        "memory_bytes": None,
        "to_download": [{"model": model.name, "bytes": model.download_bytes} for model in missing],
        "hosted": [],
        "local": [],
        "machine_money": None,
        "machine_currency": None,
    }


def _hosted(totals: RequestTotals, tokens: Mapping[str, TokenPrices | None]) -> dict[str, Any]:
    price = tokens.get(totals.model)
    return {
        "model": totals.model,
        "requests": totals.requests,
        "prompt_tokens": totals.prompt_tokens,
        "answer_tokens": totals.answer_tokens,
        "money": None if price is None else most(totals, price),
        "currency": None if price is None else price.currency,
        "price_from": None if price is None else price.source,
    }
