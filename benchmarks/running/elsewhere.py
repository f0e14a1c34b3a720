"""One model on different machines, and the fingerprints that it has there: they hold device and size of batches, its weights
do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from strategies.contract import LanguageModel
from strategies.models.local import LocalModel
from strategies.models.served import ServedModel, at_hand
from strategies.models.vllm_server import VllmServer

ALSO = "also on"
"""Of a run's provenance: where it went on, if that was another machine or device."""
DEVICES = ("cpu", "mps", "cuda", *(f"cuda:{number}" for number in range(64)))
SIZES = tuple(2**power for power in range(8, 18))
"""Tokens of a batch, where it is not known how many it had."""


def device_of(provenance: Mapping[str, Any]) -> str:
    """The device on which a run began (`device.Placement`); empty where its provenance says none."""
    return str(provenance.get("placement") or "").partition(",")[0]


def also_on(provenances: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """`ALSO` with the places of all of them, for a run that holds what each of these runs brought; empty where there are none."""
    places = [place for made in provenances for place in str(made.get(ALSO) or "").split("; ") if place]
    return {ALSO: "; ".join(dict.fromkeys(places))} if places else {}


def fingerprint_on(model: LanguageModel, device: str) -> str:
    """The fingerprint with that device, all else being as it is here; an empty one stands for the device of this machine."""
    here = at_hand(model)
    if here is None or not device:
        return model.fingerprint
    return _with(model, replace(here, placement=replace(here.placement, device=device)))


def has_weights(model: LanguageModel, fingerprint: str | None, batch_tokens: int | None, quantised: bool) -> bool:
    """Whether weights of this machine are those that had the fingerprint in the same number format, on whatever device and
    with batches of that size; None: of any usual one."""
    here = at_hand(model)
    if here is None:
        return fingerprint == model.fingerprint
    sizes = SIZES if batch_tokens is None else (batch_tokens,)
    return any(
        fingerprint
        == _with(
            model,
            replace(here, placement=replace(here.placement, device=device), batch_tokens=size, quantised=quantised),
        )
        for size in dict.fromkeys((here.batch_tokens, *sizes))
        for device in dict.fromkeys((here.placement.device, *DEVICES))
    )


def with_weights(model: LanguageModel, **changes: Any) -> LanguageModel:
    """The model with its weights in this process read otherwise, and a server of its own that nobody has started; one without
    weights as it is."""
    if isinstance(model, ServedModel):
        here = replace(model.here, **changes)
        return replace(model, here=here, server=VllmServer(here.folder, model.server.placement))
    return replace(model, **changes) if isinstance(model, LocalModel) else model


def _with(model: LanguageModel, here: LocalModel) -> str:
    """The fingerprint of the model with other settings for the weights in this process."""
    return replace(model, here=here).fingerprint if isinstance(model, ServedModel) else here.fingerprint
