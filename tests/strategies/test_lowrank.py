"""The folded low-rank path against peft's own: outputs, gradients, and which layers keep peft's way."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import AutoModelForCausalLM

from strategies.contract import Recipe
from strategies.finetuning import adapters, lowrank
from tests import tiny

RECIPE = Recipe(learning_rate=1e-3, rank=4, alpha=12)


def adapted(folder: Path, recipe: Recipe = RECIPE) -> Any:
    """A tiny model whose adapter does something already."""
    module = adapters.attach(AutoModelForCausalLM.from_pretrained(folder), recipe, 0)
    dice = torch.Generator().manual_seed(1)
    for name, weight in module.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=dice) * 0.1
    return module.train()


def pulled(module: Any) -> tuple[Any, dict[str, Any]]:
    ids = torch.arange(3, 23).view(2, 10) % module.config.get_text_config().vocab_size
    logits = module(input_ids=ids, use_cache=False).logits
    logits.pow(2).mean().backward()
    return logits.detach(), {name: weight.grad for name, weight in module.named_parameters() if weight.requires_grad}


def _olmo() -> Any:
    """Clips what its projections give in place."""
    from transformers import OlmoConfig

    return OlmoConfig(num_key_value_heads=2, clip_qkv=0.5, **tiny._sizes())


@pytest.mark.parametrize("architecture", ["llama", "qwen", "neox", "gemma", "olmo"])
def test_outputs_and_gradients_are_those_of_peft(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast(Any, tiny.ARCHITECTURES), "olmo", _olmo)
    folder = tiny.model_folder(tmp_path, architecture)
    own, folded = adapted(folder), adapted(folder)
    assert lowrank.fold(folded) == ""
    logits, gradients = pulled(own)
    found, ours = pulled(folded)
    assert torch.allclose(found, logits, atol=1e-5)
    assert gradients.keys() == ours.keys()
    assert any(float(gradient.abs().max()) > 1e-6 for gradient in gradients.values())
    for name, gradient in gradients.items():
        assert torch.allclose(ours[name], gradient, rtol=1e-4, atol=1e-6), name


def test_no_layer_of_a_plain_adapter_is_asked_in_peft_s_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft.tuners.lora import Linear

    module = adapted(tiny.model_folder(tmp_path, "llama"))
    lowrank.fold(module)
    monkeypatch.setattr(Linear, "forward", None)
    pulled(module)


def test_dropout_is_left_to_peft_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    module = adapted(tiny.model_folder(tmp_path, "llama"), replace(RECIPE, dropout=0.1))
    assert lowrank.fold(module) == "dropout"
    assert "peft's own way: dropout" in caplog.text
    assert not any("forward" in vars(layer) for layer in module.modules())


def test_what_is_saved_is_what_peft_reads(tmp_path: Path) -> None:
    folder = tiny.model_folder(tmp_path, "llama")
    module = adapted(folder)
    lowrank.fold(module)
    with torch.inference_mode():
        ids = torch.tensor([[3, 4, 5, 6]])
        before = module(input_ids=ids).logits
        adapters.save(module, tmp_path / "adapter", ("tiny", "0"))
        again = adapters.loaded(AutoModelForCausalLM.from_pretrained(folder), tmp_path / "adapter")
        assert torch.allclose(again(input_ids=ids).logits, before, atol=1e-5)


def test_a_folded_model_is_freed_with_the_last_who_holds_it(tmp_path: Path) -> None:
    """Each layer held itself, so that a copy of all weights stayed until the next collection of cycles."""
    module = adapted(tiny.model_folder(tmp_path))
    assert lowrank.fold(module) == ""
    pulled(module)
    layers = [weakref.ref(layer) for layer in module.modules() if isinstance(layer, torch.nn.Linear)]
    gc.collect()
    gc.disable()
    try:
        del module
        assert [layer for layer in layers if layer() is not None] == []
    finally:
        gc.enable()
