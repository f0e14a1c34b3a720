"""Linear layers whose weights are kept in four bits (NF4), for models that do not fit a graphics card otherwise.

An adapter is trained beside such weights, and answers beside them (QLoRA, arXiv 2305.14314). It is a plain peft adapter that
fits the whole weights as well.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from strategies.models import causal
from strategies.models.device import Placement, fits
from strategies.models.quiet import quiet
from strategies.models.unpickled import weight_files

COPIES = 2
"""Of a model that are at hand at once: the base, and one with an adapter."""
SPARE = 1.25
"""Times the weights: what reading a batch takes beside them, about."""


def wanted(folder: Path, placement: Placement) -> bool:
    """Whether the graphics card holds the model in four bits only, and bitsandbytes is there to do that."""
    if not placement.device.startswith("cuda") or find_spec("bitsandbytes") is None:
        return False
    width = 4 if placement.dtype == "float32" else 2
    return not fits(round(COPIES * SPARE * width * parameters(folder)), placement.device).fits


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


def parameters(folder: Path) -> int:
    """How many weights a model has, by the headers of its safetensors files."""
    from safetensors import safe_open

    found = 0
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            found += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return found


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
