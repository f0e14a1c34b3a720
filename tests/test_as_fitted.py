"""A fit answers with the models that it was fitted with, on whatever machine, and with no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.answering import Kept
from advisor.as_fitted import must_speak_alike
from benchmarks.contract import BadInput
from strategies.models.local import LocalModel
from strategies.models.served import ServedModel
from strategies.models.vllm_server import VllmServer
from tests import tiny

HERE = LocalModel(
    name="tiny", folder=Path("nowhere"), weights_fingerprint="w", placement=replace(tiny.FLOAT32, dtype="bfloat16")
)


def on(device: str, tokens: int, **more: Any) -> LocalModel:
    return replace(HERE, placement=replace(HERE.placement, device=device), batch_tokens=tokens, **more)


def kept(**values: Any) -> Kept:
    told = {
        "spec": {},
        "candidates": {},
        "places": {},
        "cascades": {},
        "weights": {},
        "dtype": "bfloat16",
        "sampling": {},
    }
    return Kept(name="run", **{**told, **values})


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda", "cuda:0", "cuda:3"])
@pytest.mark.parametrize(
    ("tokens", "stated"), [(2048, {}), (32_768, {}), (8192, {"tiny": 8192}), (1000, {"tiny": 1000})]
)
def test_device_and_size_of_batches_are_no_other_weights(device: str, tokens: int, stated: dict[str, int]) -> None:
    there = on(device, tokens)
    must_speak_alike(kept(weights={"tiny": there.fingerprint}, batches=stated), HERE)
    server = VllmServer(HERE.folder, HERE.placement)
    served = [ServedModel(here=each, server=server) for each in (there, HERE)]
    must_speak_alike(kept(weights={"tiny": served[0].fingerprint}, batches=stated), served[1])


def test_other_weights_and_weights_in_four_bits_are_refused() -> None:
    for known in (on("cuda:0", 8192, weights_fingerprint="v").fingerprint, "unknown", None):
        with pytest.raises(BadInput, match="tiny has other weights than in the run"):
            must_speak_alike(kept(weights={"tiny": known}), HERE)
    small = on("cuda:0", 8192, quantised=True)
    with pytest.raises(BadInput, match="tiny was held in four bits in the run and is held whole here"):
        must_speak_alike(kept(weights={"tiny": small.fingerprint}), HERE)
    with pytest.raises(BadInput, match="tiny was held whole in the run and is held in four bits here"):
        must_speak_alike(kept(weights={"tiny": HERE.fingerprint}), small)
