"""What `advisor run` says before it starts of models that answer at a server: requests, tokens and money; and its `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.forecast import Forecast
    from benchmarks.hosted import Asked
    from benchmarks.prices import MachinePrices, TokenPrices
    from strategies.models.known import KnownModel


def hosted_says(asked: Asked, prices: MachinePrices) -> str:
    """`big: at most about 2,100 requests with 900,000 tokens of prompts and 17,000 of answers, at most about 0.31 USD (...)`."""
    from advisor.wording import counted, money, rounded_up

    says = (
        f"{asked.model}: at most about {counted(rounded_up(asked.requests), 'request')} with "
        f"{rounded_up(asked.prompt_tokens):,} tokens of prompts and {rounded_up(asked.answer_tokens):,} of answers"
    )
    if asked.model in prices.hours:
        return f"{says}, paid by the hour"
    if asked.model not in prices.tokens:
        return f"{says}, on a server of this machine"
    price = prices.tokens[asked.model]
    if price is None:
        unknown = "what it costs is unknown: no price list knows it"
        return f"{says}; {unknown}. State input_per_million and output_per_million with it"
    return f"{says}, at most about {money(most(asked, price))} {price.currency} ({price.source})"


def most(asked: Asked, price: TokenPrices) -> float:
    """Money for all of it, nothing cached, at the dearest price that one of the prompts may have."""
    return price.at_most(asked.prompt_tokens, asked.answer_tokens, asked.longest_prompt)


def expected_document(expected: Forecast, prices: MachinePrices) -> dict[str, Any]:
    """What `--dry-run --json` prints."""
    return {
        "minutes": expected.minutes,
        "memory_bytes": expected.memory,
        "to_download": [],
        "hosted": [_hosted(each, prices.tokens) for each in expected.asked],
    }


def missing_document(missing: list[KnownModel]) -> dict[str, Any]:
    """The same where weights have to be downloaded before anything else can be said."""
    return {
        "minutes": None,
        "memory_bytes": None,
        "to_download": [{"model": model.name, "bytes": model.download_bytes} for model in missing],
        "hosted": [],
    }


def _hosted(asked: Asked, tokens: Mapping[str, TokenPrices | None]) -> dict[str, Any]:
    price = tokens.get(asked.model)
    return {
        "model": asked.model,
        "requests": asked.requests,
        "prompt_tokens": asked.prompt_tokens,
        "answer_tokens": asked.answer_tokens,
        "money": None if price is None else most(asked, price),
        "currency": None if price is None else price.currency,
        "price_from": None if price is None else price.source,
    }
