"""Linear layers whose weights are kept in four bits (NF4), for models that do not fit a graphics card otherwise.

An adapter is trained beside such weights, and answers beside them (QLoRA, arXiv 2305.14314). It is a plain peft adapter that
fits the whole weights as well.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from strategies.models import causal
from strategies.models.device import Placement, fits
from strategies.models.quiet import quiet
from strategies.models.sizes import copy_bytes, needed_for


def wanted(folder: Path, placement: Placement, before: bool | None = None) -> bool:
    """Whether the model is held in four bits: where the graphics card has no room for the whole weights, or as it was held
    `before` where a run goes on. Only on such a card, and where bitsandbytes is there to do it."""
    if not placement.device.startswith("cuda") or find_spec("bitsandbytes") is None:
        return False
    if before is not None:
        return before
    return not fits(needed_for(copy_bytes(folder, placement)), placement.device).fits


def unreadable(folder: Path) -> str:
    """Behind a model's name: why transformers cannot read it here, since it knows no such models, or since its weights are
    quantised already (GPTQ, AWQ and others). Empty where it can."""
    from transformers import AutoConfig

    try:
        stated = getattr(AutoConfig.from_pretrained(folder, trust_remote_code=False), "quantization_config", None)
    except ValueError as error:
        return f"cannot be read here. {str(error).partition(chr(10))[0]}"
    if not stated:
        return ""
    from transformers.quantizers import auto

    quantizers: Any = auto.AutoHfQuantizer
    if not quantizers.supports_quant_method(stated):
        return ""
    try:
        with quiet():
            quantizers.from_config(stated, pre_quantized=True).validate_environment(device_map=None, weights_only=True)
    except (ImportError, RuntimeError, ValueError) as error:
        return f"is quantised and cannot be read here ({str(error).rstrip('.')}). Name the model that it was made from."
    return ""


def load(folder: Path, placement: Placement) -> Any:
    """The model on its device, linear layers but the head in four bits, everything else in the placement's number format."""
    import torch
    from transformers import BitsAndBytesConfig

    dtype = getattr(torch, placement.dtype)
    settings = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return causal.load(folder, dtype, quantization_config=settings, device_map={"": placement.device})
