"""Loads a causal language model from a folder, with all weights that it has: none of them is drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strategies.models.quiet import quiet
from strategies.models.wheels import ModelUnavailable

NAMED = 3
"""Missing weights that are told by name."""


def load(folder: Path, dtype: Any, **how: Any) -> Any:
    """The model in a torch dtype, ready to answer; `how` is what else `from_pretrained` is to do with its layers.

    Raises `ModelUnavailable` where the files lack weights, which transformers would draw at random, or a package is missing.
    """
    from transformers import AutoModelForCausalLM

    causal: Any = AutoModelForCausalLM
    try:
        with quiet():
            module, found = causal.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True, **how
            )
    except ImportError as error:
        raise ModelUnavailable(f"The model in {folder} cannot be loaded: {' '.join(str(error).split())}") from error
    if missing := sorted(found["missing_keys"]):
        more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        raise ModelUnavailable(
            f"The model in {folder} lacks weights that its config.json asks for ({', '.join(missing[:NAMED])}{more}). They would "
            "be drawn at random; take a whole copy of the model."
        )
    return module.eval()
