"""LoRA adapters as plain peft folders: attach, save, merge, and prove that one is in effect."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strategies.contract import DeadAdapter, Recipe
from strategies.models import unpickled

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
"""peft imports it where it is installed, and it then complains of a part for processors that nobody asked for."""

CARD = """---
base_model: {name}
library_name: peft
---
# LoRA adapter

For the model `{name}`, weights `{revision}`. Rank {rank}, on the layers called {layers}, trained on the
answers only. It loads with `peft.PeftModel.from_pretrained(model, folder)` and was measured {measured}.
"""
UNADAPTED = {kind: ["out_proj"] for kind in ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")}
"""Linear layers that peft refuses, by the kind of model: those of Mamba, whose weights its kernels take past the layer."""
MERGED, BESIDE = (
    "merged into the model's weights",
    "beside the model's weights in four bits (NF4 of bitsandbytes, in blocks of 64)",
)


def attach(module: Any, recipe: Recipe, seed: int) -> Any:
    """The module with a fresh adapter on all linear layers for texts that peft takes; only the adapter can be trained."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        exclude_modules=_unadapted(module),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with _former_names():
        return get_peft_model(module, config, autocast_adapter_dtype=False)


def _unadapted(module: Any) -> str | list[str] | None:
    """Linear layers that get no part of the adapter, as peft takes them; None where all do."""
    pattern, routers = _besides_texts(module), _routers(module)
    if pattern is not None:
        return "|".join([pattern, *map(re.escape, routers)])
    return [*UNADAPTED.get(module.config.model_type, ()), *routers] or None


def _routers(module: Any) -> list[str]:
    """Linear layers that give more than their product, as those do that choose experts in Llama 4 and PhiMoE, or that read
    something else than rows: peft's own layer cannot stand in their place."""
    import torch

    alone: dict[type, bool] = {torch.nn.Linear: True}
    found = []
    with torch.inference_mode():
        for name, layer in module.named_modules():
            if isinstance(layer, torch.nn.Linear) and layer.weight.is_floating_point():
                if type(layer) not in alone:
                    try:
                        given = layer(layer.weight.new_zeros((1, layer.in_features)))
                    except (RuntimeError, TypeError):
                        given = None
                    alone[type(layer)] = isinstance(given, torch.Tensor)
                if not alone[type(layer)]:
                    found.append(name)
    return found


def _besides_texts(module: Any) -> str | None:
    """A pattern of the layers that no text goes through, such as those that read images; None where there are none."""
    if module.config.get_text_config() is module.config:
        return None
    decoder = module.get_decoder()
    name = next(name for name, each in module.named_modules() if each is decoder)
    return rf"(?!{re.escape(name)}\.).*"


def save(peft_model: Any, folder: Path, base: tuple[str, str], quantised: bool = False) -> None:
    """Writes adapter_config.json, adapter_model.safetensors and a card; `base` is (name, hash of the weights), never a path of
    here. The hash stands on the card alone: peft takes what is called a revision for one of the hub."""
    config = peft_model.peft_config["default"]
    config.base_model_name_or_path, config.revision = base[0], None
    config.inference_mode = True
    peft_model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    # In place of the card that peft writes, which names the folder that the base model was loaded from.
    measured = BESIDE if quantised else MERGED
    about = {"name": base[0], "revision": base[1], "rank": config.r, "measured": measured}
    card = CARD.format(layers=", ".join(_adapted(peft_model)), **about)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _adapted(peft_model: Any) -> list[str]:
    """What the layers are called that have a part of the adapter: of some models not all weights lie in linear layers."""
    from peft.tuners.lora import LoraLayer

    names = [name for name, layer in peft_model.named_modules() if isinstance(layer, LoraLayer)]
    return sorted({name.removesuffix(".base_layer").rpartition(".")[2] for name in names})


def merged(module: Any, folder: Path) -> Any:
    """The module with the adapter's low-rank products added to its weights; in float32, before any cast.

    Raises `DeadAdapter` when a merged weight is not finite.
    """
    try:
        return loaded(module, folder).merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise DeadAdapter(f"the adapter makes the model's weights not finite: {error}") from error


def loaded(module: Any, folder: Path) -> Any:
    """The module with the adapter of `folder` beside its weights, as peft loads it.

    Raises `ModelUnavailable` where there are no safetensors, in whose place peft would take a pickle.
    """
    from peft import PeftModel

    unpickled.check_adapter(folder)
    with _former_names():
        return PeftModel.from_pretrained(module, str(folder), autocast_adapter_dtype=False)


@contextmanager
def _former_names() -> Iterator[None]:
    """peft asks transformers for a property under its former name; nothing of ours depends on it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield


def prove_effect(base: Any, adapted: Any, prompts: Sequence[Sequence[int]]) -> float:
    """Largest absolute difference of the next-token logits between two `models.parts.Parts` over a few prompts.

    Raises `DeadAdapter` when there is none, or no finite one: such an adapter must not be scored.
    """
    import torch

    largest = 0.0
    with torch.inference_mode():
        for ids in prompts:
            first, second = (parts.read(ids, last=True).cpu() for parts in (base, adapted))
            change = float((first - second).abs().max())
            if not math.isfinite(change):
                raise DeadAdapter("the adapter makes the next-token logits not finite: it must not be scored")
            largest = max(largest, change)
    if not largest > 1e-3:
        raise DeadAdapter(f"the adapter changes the next-token logits by at most {largest:.1e}: it has no effect")
    return largest
