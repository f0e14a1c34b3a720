"""What a token of a hosted model and an hour of the person's machine cost, each with where the number comes from."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from benchmarks.contract import BadInput
from benchmarks.specs.spec import Spec
from benchmarks.specs.spec_models import BOTH_PRICES, MODEL_PRICES, TOKEN_PRICES, ModelSpec
from benchmarks.specs.spec_prices import STATED, ModelPricesSpec, Prices
from strategies.standalone.asking import is_here

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

Listed = Mapping[str, "TokenPrices | None"]
"""List prices by the name of the model. None: the table did not know it."""


@dataclass(frozen=True, kw_only=True)
class Tier:
    """What a million tokens cost in requests whose prompts are longer than `above` tokens: all tokens of these."""

    above: int
    input: float
    cached: float
    output: float

    def times(self, factor: float) -> Tier:
        return replace(self, input=self.input * factor, cached=self.cached * factor, output=self.output * factor)


@dataclass(frozen=True, kw_only=True)
class Later:
    """What a million tokens cost from a day on that the table knows beforehand."""

    since: str
    """The day, as 2027-01-01."""
    input: float
    output: float


@dataclass(frozen=True, kw_only=True)
class TokenPrices:
    """Money for a million tokens of one model. Cached input costs the full input price where no other is stated."""

    model: str
    input: float
    cached: float
    output: float
    currency: str = "USD"
    tiers: tuple[Tier, ...] = ()
    """Other prices for long prompts, from short to long."""
    source: str
    """A clause that names the table and the day, or the person."""
    day: str = ""
    """Of a list price the day as which it is valid, as 2026-11-30."""
    later: tuple[Later, ...] = ()
    """Other list prices that the table has after that day, from the next one on."""
    least: float = 1.0
    """Of a price that depends on the hour: so many times as much in the cheapest one."""

    def times(self, factor: float) -> TokenPrices:
        """So many times as high, for long prompts too."""
        tiers = tuple(tier.times(factor) for tier in self.tiers)
        return replace(
            self, input=self.input * factor, cached=self.cached * factor, output=self.output * factor, tiers=tiers
        )

    def money(self, prompt: float, cached: float, answer: float, calls: float = 1) -> float:
        """What these tokens cost; `cached` is the part of `prompt` that was reused. Tokens of several requests are charged as
        if the prompts of these were all of one length."""
        each = self._at(prompt / max(1, calls))
        return ((prompt - cached) * each.input + cached * each.cached + answer * each.output) / 1e6

    def at_most(self, prompt: float, answer: float, longest: float) -> float:
        """What these tokens cost at most, nothing cached, in requests of up to `longest` prompt tokens."""
        reached: tuple[TokenPrices | Tier, ...] = (self, *(tier for tier in self.tiers if tier.above < longest))
        return max(prompt * each.input + answer * each.output for each in reached) / 1e6

    def _at(self, prompt: float) -> TokenPrices | Tier:
        """The prices of one request with so many prompt tokens."""
        return next((tier for tier in reversed(self.tiers) if prompt > tier.above), self)


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What the person says about keeping an approach right and ready; None: nothing is said, and nothing assumed."""

    facts_months: float | None = None
    """Facts change every so many months."""
    task_months: float | None = None
    """So do labels, style or format."""
    labels: int = 0
    """Examples labelled anew each time the task changes."""
    label_price: float = 0.0
    hours: float = 0.0
    """Of a person, each time something is chosen or trained anew."""
    hour_price: float = 0.0
    machine_hours: float | None = None
    """Hours a month that the machine is kept on for local models, whether it answers or not."""


@dataclass(frozen=True, kw_only=True)
class MachinePrices:
    """Every price that a comparison knows. A model of which nothing is said runs on the machine itself."""

    machine_hour: float | None = None
    """Money for an hour of the machine that ran the local candidates. None: they are ranked by its seconds."""
    currency: str = "USD"
    tokens: Mapping[str, TokenPrices | None] = field(default_factory=dict)
    """Models that answer from somewhere else. None: their price is not known."""
    hours: Mapping[str, float] = field(default_factory=dict)
    """Money for an hour of another machine, by the model that is to answer on it."""
    served: frozenset[str] = frozenset()
    """Models at a server, which fitting asks too; the others are fitted on this machine, wherever they are to answer."""
    monthly: Mapping[str, float] = field(default_factory=dict)
    """Fixed amounts a month, by model."""
    tuned: Mapping[str, float | None] = field(default_factory=dict)
    """Models that were tuned elsewhere, and what that took. None: it is not known."""
    upkeep: Upkeep = field(default_factory=Upkeep)
    stated: str = STATED
    """Where the price of an hour of this machine is from, as a clause."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The same of what is stated of a model."""

    def source(self, model: str = "") -> str:
        """Where the stated price is from by which this model is paid; without a name, the one of this machine."""
        return self.sources.get(model, self.stated)

    def hour(self, model: str = "") -> float | None:
        """Of the machine that the model answers on; without a name, of this one."""
        return self.hours.get(model, self.machine_hour)

    def fitted_on(self, model: str) -> str:
        """The model by whose machine a second of fitting is paid; empty: this machine."""
        return model if model in self.served and model in self.hours else ""


def token_prices(model: str, endpoint: str | None = None, on: date | None = None) -> TokenPrices | None:
    """The list price of a hosted model, or None where the bundled table does not know it.

    Source: the package genai-prices, read offline. With an `endpoint` the price is that of the provider behind the
    address, so that a model which the person serves does not get a stranger's price. `on` is the day (UTC) whose
    prices are wanted, today by default; of a price that depends on the hour it is the dearest, since nobody knows when
    requests will be sent. A model without both an input and an output price counts as unknown.
    """
    from genai_prices import Usage, calc_price

    day = on or datetime.now(tz=UTC).date()
    try:
        found = calc_price(Usage(), model, provider_api_url=endpoint, genai_request_timestamp=_at(day, 12))
    except LookupError:
        return None
    listed = _by_hour(found.model, day)
    if not listed:
        return None
    version = importlib.metadata.version("genai-prices")
    each = [_of_prompt(kind, 0) for kind in zip(*listed, strict=True)]
    varies = " in the hours in which it is dearest; in others it is less" if listed[1:] else ""
    return TokenPrices(
        model=model,
        input=each[0],
        cached=each[1],
        output=each[2],
        tiers=_tiers(listed),
        source=f"list price of {found.provider.name} for {found.model.id}, table genai-prices {version}, "
        f"as valid on {day.isoformat()}{varies}",
        day=day.isoformat(),
        later=_later(found.model, day),
        least=min((_share(of) for of in zip(*listed, strict=True)), default=1.0),
    )


def machine_prices(spec: Spec, on: date | None = None, listed: Listed | None = None) -> MachinePrices:
    """The prices that a spec states or that can be looked up for its models, on that day or in what was `listed` before.

    A server on this machine (loopback) spends this machine's seconds, so its model counts as local unless the spec
    states a token price for it. Nor has one that an hour is paid for a price of its tokens. Raises `BadInput` for a price
    that is stated in part, or in both ways.
    """
    stated = {model.name: stated_prices(model, spec.prices) for model in spec.models}
    hours = {name: each.machine_hour for name, each in stated.items() if each.machine_hour is not None}
    return MachinePrices(
        machine_hour=spec.prices.machine_hour,
        currency=spec.prices.currency,
        tokens={
            model.name: _stated_tokens(model, stated[model.name], spec.prices)
            if _by_tokens(stated[model.name])
            else listed_price(model, on, listed)
            for model in spec.models
            if model.name not in hours and (is_elsewhere(model) or _by_tokens(stated[model.name]))
        },
        hours=hours,
        served=frozenset(model.name for model in spec.models if model.endpoint is not None),
        monthly={name: each.monthly for name, each in stated.items() if each.monthly is not None},
        tuned={model.name: model.tuning_price for model in spec.models if model.tuned},
        upkeep=Upkeep(**{key: value for key, value in spec.upkeep if value is not None}),
        stated=spec.prices.stated,
        sources={model.name: where for model in spec.models if (where := where_stated(model, spec.prices))},
    )


def listed_price(model: ModelSpec, on: date | None = None, listed: Listed | None = None) -> TokenPrices | None:
    """What was listed before, else what the table says as of that day, today by default."""
    if listed is not None and model.name in listed:
        return listed[model.name]
    return token_prices(model.model or model.name, model.endpoint, on)


_Three = tuple[Any, Any, Any]
"""Prices of input, cached input and output, as the table has them: each of them may have tiers of its own."""


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def _by_hour(model: ModelInfo, day: date) -> list[_Three]:
    """What differs of the prices at the hours of a day; empty where one of them has no input or no output price."""
    found: list[_Three] = []
    for hour in range(24):
        price = model.get_prices(_at(day, hour))
        if price.input_mtok is None or price.output_mtok is None:
            return []
        cached = price.input_mtok if price.cache_read_mtok is None else price.cache_read_mtok
        three = (price.input_mtok, cached, price.output_mtok)
        found += [three] * (three not in found)
    return found


def _later(model: ModelInfo, day: date) -> tuple[Later, ...]:
    """Each other price of input and output that begins after the day, short prompts only."""
    rows = model.prices if isinstance(model.prices, list) else []
    starts = {getattr(row.constraint, "start_date", day) for row in rows}
    found: list[Later] = []
    known = _by_hour(model, day)
    for start in sorted(each for each in starts if each > day):
        listed = _by_hour(model, start)
        if listed and listed != known:
            prompt, _, answer = (_of_prompt(kind, 0) for kind in zip(*listed, strict=True))
            found.append(Later(since=start.isoformat(), input=prompt, output=answer))
        known = listed
    return tuple(found)


def _of_prompt(prices: Sequence[Any], tokens: int) -> float:
    """What a million of them cost in a request with so many prompt tokens at the dearest of these prices of one kind."""
    return max(_of_one(price, tokens) for price in prices)


def _share(prices: Sequence[Any]) -> float:
    """What the cheapest of them is of the dearest, for short prompts."""
    each = [_of_one(price, 0) for price in prices]
    return min(each) / max(each) if max(each) else 1.0


def _of_one(price: Any, tokens: int) -> float:
    """As the table has it."""
    if isinstance(price, Decimal):
        return float(price)
    reached = [tier.price for tier in sorted(price.tiers, key=lambda tier: tier.start) if tokens > tier.start]
    return float(reached[-1] if reached else price.base)


def _tiers(listed: Sequence[_Three]) -> tuple[Tier, ...]:
    """Of the prices at all hours."""
    starts = sorted({tier.start for three in listed for price in three for tier in getattr(price, "tiers", ())})
    kinds = ("input", "cached", "output")
    return tuple(
        Tier(
            above=start,
            **{kind: _of_prompt(each, start + 1) for kind, each in zip(kinds, zip(*listed, strict=True), strict=True)},
        )
        for start in starts
    )


def is_elsewhere(model: ModelSpec) -> bool:
    """Whether a server that is not on this machine answers for it."""
    return model.endpoint is not None and not is_here(model.endpoint)


def stated_prices(model: ModelSpec, prices: Prices) -> ModelPricesSpec:
    """What the spec says with the model, else what the person's own list does, by the name in the spec or the one that its
    server knows; an hour and what is due monthly each for themselves."""
    listed = _listed(model, prices)
    own = ModelPricesSpec.model_construct(**{key: getattr(model, key) for key in MODEL_PRICES})
    if listed is not None:
        kept = {key: value for key, value in own if value is not None}
        left = {key: value for key, value in listed if not (_by_tokens(own) and key in TOKEN_PRICES)}
        own = ModelPricesSpec.model_construct(**{**left, **kept})
    if _by_tokens(own) and own.machine_hour is not None:
        raise BadInput(f"The model {model.name} {BOTH_PRICES}")
    return own


def where_stated(model: ModelSpec, prices: Prices) -> str:
    """Where the prices of a model are from, as a clause; empty where none is stated."""
    own = any(getattr(model, key) is not None for key in MODEL_PRICES)
    found = [STATED] * own + [prices.stated] * (_listed(model, prices) is not None)
    return prices.sources.get(model.name) or " and ".join(dict.fromkeys(found))


def _listed(model: ModelSpec, prices: Prices) -> ModelPricesSpec | None:
    return prices.models.get(model.name) or (prices.models.get(model.model) if model.model else None)


def _by_tokens(stated: ModelPricesSpec) -> bool:
    return any(getattr(stated, key) is not None for key in TOKEN_PRICES)


def _stated_tokens(model: ModelSpec, stated: ModelPricesSpec, prices: Prices) -> TokenPrices:
    prompt, answer, cached = stated.input_per_million, stated.output_per_million, stated.cached_per_million
    if prompt is None or answer is None:
        raise BadInput(
            f"The price of the model {model.name} is stated in part. Write both input_per_million and "
            "output_per_million, or neither."
        )
    return TokenPrices(
        model=model.name,
        input=prompt,
        cached=prompt if cached is None else cached,
        output=answer,
        currency=prices.currency,
        source=f"price {where_stated(model, prices)}",
    )
