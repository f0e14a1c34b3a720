"""`advisor price`: list prices of models and machines with their source, and what the requests of a run would cost there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from advisor.cli.program import line
from advisor.cli.shown import console, document, marked, say, shown
from advisor.cli.streams import one_document, put
from benchmarks.contract import BadInput

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from advisor.contract import Verdict
    from advisor.costs.hosted import WhatIf
    from benchmarks.costs.price_table import LastDay, Quote
    from benchmarks.costs.prices import Tier, TokenPrices


@click.command(name="price", short_help="Say what hosted models and GPUs cost.")
@click.argument("models", nargs=-1, required=True, metavar="NAME...")
@click.option("--run", "run", help="Folder of a run, or example: what its requests would cost on each model.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@one_document
def command(models: tuple[str, ...], run: str | None, as_json: bool) -> None:
    """Say what a million tokens of a hosted model cost, or an hour of a GPU, and where that is from. Works offline.

    NAME is a model as its provider spells it, or a GPU such as h100. For a model it also says what training costs and when
    it will be retired, where that is known.

    Example: advisor price gpt-5.4-mini --run runs/first

    Of a GPU: advisor price "a100 sxm"
    """
    named = [_named(name) for name in models]
    verdict = None if run is None else _opened(run)
    if as_json:
        put(document(_document(named, verdict)))
        return
    if prices := [each.price for each in named if each.price is not None]:
        _print_prices(prices)
    _print_quotes([quote for each in named for quote in each.quotes])
    for each in named:
        if each.last is not None:
            click.echo(f"{shown(each.name)} {each.last.says}: {each.last.source}")
    if verdict is not None:
        for price in prices:
            _print_requests(price, verdict)
    if run is not None:
        say(f"To tell the run with prices of your own: {line('report', run, '--prices', 'prices.yaml')}")
    elif prices:
        say(f"What the requests of a run would cost: {line('price', *models, '--run', 'RUN')}")


@dataclass(frozen=True, kw_only=True)
class _Named:
    """What is known of one name."""

    name: str
    price: TokenPrices | None
    quotes: Sequence[Quote]
    last: LastDay | None


def _named(name: str) -> _Named:
    from benchmarks.costs.price_table import last_day, quotes
    from benchmarks.costs.prices import token_prices

    found = _Named(name=name, price=token_prices(name), quotes=quotes(name), last=last_day(name))
    if found.price is None and not found.quotes and found.last is None:
        raise BadInput(
            f"No price list knows {name}. Give a model's name as its provider spells it or a GPU such as h100, or state "
            "input_per_million and output_per_million with the model in the task spec."
        )
    return found


def _opened(run: str) -> Verdict:
    from advisor.experiments.example import is_meant, opened
    from advisor.experiments.stored import reopen

    if is_meant(run):
        with opened() as folder:
            return reopen(folder)
    return reopen(Path(run))


def _print_prices(prices: Sequence[TokenPrices]) -> None:
    from rich.table import Table

    table = Table("a million tokens", "input", "cached input", "output", "from", box=None, header_style="dim")
    for column in table.columns[1:4]:
        column.justify = "right"
    _keep_whole(table)
    for price in prices:
        table.add_row(marked(price.model), *_a_million(price, price.currency), marked(price.source))
        for tier in price.tiers:
            table.add_row("", *_a_million(tier, price.currency), f"the same, prompts above {tier.above:,} tokens")
    console().print(table)


def _a_million(price: TokenPrices | Tier, currency: str) -> tuple[str, ...]:
    return tuple(f"{currency} {value:,.4g}" for value in (price.input, price.cached, price.output))


def _print_quotes(quotes: Sequence[Quote]) -> None:
    from rich.table import Table

    for unit in dict.fromkeys(each.unit for each in quotes):
        told = [each for each in quotes if each.unit == unit]
        sources = list(dict.fromkeys(each.where for each in told))
        table = Table(unit, "USD", "at", "from", box=None, header_style="dim")
        table.columns[1].justify = "right"
        _keep_whole(table)
        for each in told:
            note = f" ({each.note})" if each.note else ""
            number = sources.index(each.where) + 1
            table.add_row(marked(each.what), f"{each.price:,.2f}", marked(each.seller + note), f"({number})")
        console().print(table)
        for number, source in enumerate(sources, 1):
            click.echo(f" ({number}) {shown(source)}")  # As long as it is: an address in two lines cannot be followed.


def _keep_whole(table: RichTable) -> None:
    """What is too long for its column goes on below, and nothing is cut."""
    for column in table.columns:
        column.overflow = "fold"


def _print_requests(price: TokenPrices, verdict: Verdict) -> None:
    from rich.table import Table

    from advisor.costs.hosted import ANSWERS, TOKENS, what_if
    from advisor.wording import money

    volume = int(verdict.story.facts["volume"])
    found = what_if(verdict.evaluations, price, float(verdict.story.facts["answer_characters"]))
    if not found:
        say(f"No approach of the run sends a whole prompt, so there is nothing to price on {price.model}.")
        return
    columns = ("the requests of", "prompt", "answer", "1,000 requests", "a month")
    table = Table(*columns, title=f"On {marked(price.model)}", title_justify="left", box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    _keep_whole(table)
    for each in found:
        tokens = f"{each.prompt_tokens:,.0f}", f"{each.answer_tokens:,.0f}"
        table.add_row(marked(each.candidate), *tokens, _range(each, 1.0), _range(each, volume / 1000))
    to = console()
    to.print()
    to.print(table)
    to.print(
        f"[dim]Tokens as counted here; {TOKENS[0]:g} to {TOKENS[1]:g} times as many there, since its tokenizer is another, and "
        f"answers up to {ANSWERS[1]:g} times as long; nothing cached. What a model thinks before it answers is paid too and not "
        f"in here: {price.currency} {money(price.output)} more for 1,000 requests with 1,000 tokens of thoughts each. A month "
        f"is {volume:,} requests. Nobody was asked: how good the model is only its own answers tell (name it under models, with "
        "its endpoint).[/dim]"
    )


def _range(each: WhatIf, thousands: float) -> str:
    from advisor.wording import money

    low, high = (value * thousands for value in (each.per_thousand.low or 0.0, each.per_thousand.high or 0.0))
    return f"{each.per_thousand.unit} {money(low)} to {money(high)}"


def _document(named: Sequence[_Named], verdict: Verdict | None) -> dict[str, Any]:
    """What `--json` prints: prices for a million tokens, quotes, last days, and money for 1,000 requests."""
    from advisor.costs.hosted import what_if

    prices = [each.price for each in named if each.price is not None]

    characters = 0.0 if verdict is None else float(verdict.story.facts["answer_characters"])
    told = () if verdict is None else verdict.evaluations
    requests = [(price, what_if(told, price, characters)) for price in prices]
    return {
        "prices": [
            {
                "model": price.model,
                "input": price.input,
                "cached": price.cached,
                "output": price.output,
                "long_prompts": [asdict(tier) for tier in price.tiers],
                "currency": price.currency,
                "source": price.source,
            }
            for price in prices
        ],
        "quotes": [vars(quote) | {"read": f"{quote.read}"} for each in named for quote in each.quotes],
        "last_days": [
            {
                "model": each.name,
                "last": f"{each.last.last}",
                "source": each.last.source,
                "second_hand": each.last.second_hand,
            }
            for each in named
            if each.last is not None
        ],
        "requests": [
            {
                "model": price.model,
                "candidate": each.candidate,
                "prompt_tokens": each.prompt_tokens,
                "answer_tokens": each.answer_tokens,
                "per_thousand_low": each.per_thousand.low,
                "per_thousand_high": each.per_thousand.high,
            }
            for price, found in requests
            for each in found
        ],
    }
