"""What a model takes of memory, reckoned from its number of weights: on the device that answers, and where it is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from strategies.models.device import Placement
from strategies.models.parts import STATES
from strategies.models.quiet import quiet
from strategies.models.unpickled import weight_files

COPIES = 2
"""Of a model that are at hand at once: the base, and one with an adapter."""
FIXED_BYTES = 900_000_000
"""Python, torch and the libraries, and the embedder."""
CONVERTED = 1.5
"""Bytes of a copy to those in float32 on a processor, where it lies or computes in sixteen bits: both formats are at hand, and
what is freed leaves gaps. Two copies took 12 to 13 bytes a weight of files in sixteen bits; those in float32 are mapped, and
took 8 in float32 and up to 10 in bfloat16."""
FOUR_BITS = 0.516
"""Bytes of a weight in four bits: NF4 in blocks of 64, whose scales are in eight bits (`quantised.py`)."""


def parameters(folder: Path) -> int:
    """How many weights a model has, by the headers of its safetensors files."""
    from safetensors import safe_open

    found = 0
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            found += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return found


def bytes_as_float32(folder: Path) -> int:
    """Of the weights, whatever number format their files are in."""
    return 4 * parameters(folder)


def copy_bytes(folder: Path, placement: Placement, quantised: bool = False) -> int:
    """Bytes that one copy of the model takes of the memory of its device: on a graphics card the weights as they answer."""
    weights, width = parameters(folder), 4 if placement.dtype == "float32" else 2
    if not placement.device.startswith("cuda"):
        return round(4 * weights * (1 if width == 4 and _mapped(folder) else CONVERTED))
    small = min(weights, _in_linear_layers(folder)) if quantised else 0
    return round(FOUR_BITS * small + width * (weights - small))


def read_bytes(folder: Path, trains: bool) -> int:
    """Bytes of the machine's own memory that a model takes on its way to a graphics card, where it is not kept in four bits:
    it is read in float32. To merge an adapter takes as much again, unless the files are in float32 and mapped."""
    return bytes_as_float32(folder) * (2 if trains and not _mapped(folder) else 1)


def needed_for(copy: int, copies: int = COPIES) -> int:
    """Bytes of the device's memory in which a model can be asked and trained that takes so many a copy; 0: no model is."""
    return FIXED_BYTES + (copies * copy + STATES if copy else 0)


def _mapped(folder: Path) -> bool:
    """Whether the files are in float32, which are not read into memory but mapped there."""
    return sum(path.stat().st_size for path in weight_files(folder)) >= bytes_as_float32(folder)


def _in_linear_layers(folder: Path) -> int:
    """Weights that four bits are for: of linear layers but the head, by the model's own layers. None is loaded."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    causal: Any = AutoModelForCausalLM
    try:
        with quiet(), torch.device("meta"):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            module = causal.from_config(config, trust_remote_code=False)
    except (ImportError, ValueError):
        return 0  # It cannot be loaded either, and why is said then.
    head, kinds = module.get_output_embeddings(), (torch.nn.Linear, Conv1D)
    return sum(layer.weight.numel() for layer in module.modules() if type(layer) in kinds and layer is not head)
