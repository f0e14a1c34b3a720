"""The prices of a task with others over them, key by key: what a user asks who gives one price and wonders what follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.costs.prices import Listed, TokenPrices, listed_price, stated_prices, where_stated
from benchmarks.specs.spec import Spec, parse_spec
from benchmarks.specs.spec_models import BOTH_PRICES, MODEL_PRICES, TOKEN_PRICES, ModelSpec
from benchmarks.specs.spec_prices import ModelPricesSpec, Prices, checked_prices
from benchmarks.specs.yaml_text import YamlText

_OF_AN_HOUR = {"machine_hour", "source", "date"}


def repriced(values: Mapping[str, Any], other: Mapping[str, Any], listed: Listed | None = None) -> dict[str, Any]:
    """A spec as plain values, with `other` (as a prices.yaml) over what it says itself, and over the list prices: those that
    were `listed` before, else those of today.

    What `other` leaves out stays as it was, wherever that stands. Its price of an hour takes the place of a model's price
    of tokens, and the other way round. In another currency none of the task's prices are left. Raises `BadInput`.
    """
    spec = parse_spec(values)
    over = checked_prices(YamlText(name="prices", values=dict(other), lines={}), partly=True)
    _must_fit(spec, over)
    kept = "currency" not in over.model_fields_set or over.currency == spec.prices.currency
    known = spec.prices if kept else Prices(currency=over.currency)
    models = [
        model if kept else model.model_copy(update=dict.fromkeys((*MODEL_PRICES, "tuning_price")))
        for model in spec.models
    ]
    return {
        **values,
        "models": [{**model.model_dump(mode="json"), **_settled(model, known, over, listed)} for model in models],
        "prices": {
            **(known if over.machine_hour is None else over).model_dump(mode="json", include=_OF_AN_HOUR),
            "currency": known.currency,
            "sources": {model.name: where for model in models if (where := _where(model, known, over, listed))},
        },
    }


def _must_fit(spec: Spec, over: Prices) -> None:
    if over.machine_hour is None and over.models and not any(_asked(model, over) for model in spec.models):
        names = ", ".join(model.name for model in spec.models)
        raise BadInput(f"The prices name {', '.join(over.models)}, and the run asked {names}. Name one of these.")
    if "currency" in over.model_fields_set and over.currency != spec.prices.currency:
        limit, kept = spec.constraints.cost_per_month, spec.upkeep.label_price or spec.upkeep.hour_price
        if limit or kept:
            raise BadInput(
                f"The prices are in {over.currency}, and the task has {'a limit on cost' if limit else 'upkeep'} in "
                f"{spec.prices.currency}. Give the prices in {spec.prices.currency}."
            )


def _asked(model: ModelSpec, over: Prices) -> ModelPricesSpec | None:
    return over.models.get(model.name) or (over.models.get(model.model) if model.model else None)


def _where(model: ModelSpec, known: Prices, over: Prices, listed: Listed | None) -> str:
    """Where the prices of the model are from that `_settled` gives it."""
    before, asked = where_stated(model, known), _asked(model, over)
    if asked is None:
        return before
    settled = _settled(model, known, over, listed)
    kept = any(getattr(asked, key) is None for key, price in settled.items() if price is not None)
    return f"{over.stated}, what it leaves out {before or 'from a list of prices'}" if kept else over.stated


def _settled(model: ModelSpec, known: Prices, over: Prices, listed: Listed | None) -> dict[str, float | None]:
    """Every price of the model, as it then stands with it: None where there is none."""
    said = dict(stated_prices(model, known))
    asked = _asked(model, over)
    new = {} if asked is None else {key: value for key, value in asked if value is not None}
    by_tokens = new.keys() & set(TOKEN_PRICES)
    if by_tokens and "machine_hour" in new:
        raise BadInput(f"The model {model.name} {BOTH_PRICES}")
    if by_tokens:
        tokens = _by_tokens(said, listed_price(model, listed=listed), known.currency)
        said = {**tokens, "machine_hour": None, "monthly": said.get("monthly")}
    if "machine_hour" in new:
        said = {**said, **dict.fromkeys(TOKEN_PRICES)}
    return {**dict.fromkeys(MODEL_PRICES), **said, **new}


def _by_tokens(said: Mapping[str, float | None], found: TokenPrices | None, currency: str) -> dict[str, float | None]:
    """The price of tokens that is stated, else that of a list; none where long prompts have another one there, which a
    part of a price says nothing about."""
    if any(said.get(key) is not None for key in TOKEN_PRICES):
        return {key: said.get(key) for key in TOKEN_PRICES}
    if found is None or found.tiers or found.currency != currency:
        return {}
    return dict(zip(TOKEN_PRICES, (found.input, found.output, found.cached), strict=True))
