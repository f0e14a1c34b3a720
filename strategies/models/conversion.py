"""Turns a GGUF file into a plain float32 safetensors model that transformers loads as any other."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from strategies.models.quiet import quiet
from strategies.models.wheels import ModelUnavailable

NOT_THE_MODEL = {"quantization_config", "_name_or_path", "_model_name_or_path", "model_type"}
"""Configuration entries that describe the file the model came from; with the first one it could not be saved."""


def convert(source: Path, folder: Path) -> None:
    """Writes config.json, generation_config.json, model.safetensors (float32) and the tokenizer into `folder`.

    Takes three times the converted size in memory at its peak. Raises `ModelUnavailable` when the file cannot be read.
    """
    import torch
    import transformers as untyped

    transformers: Any = untyped

    try:
        # The dequantizing loop draws its own progress bar on stderr.
        with quiet(), contextlib.redirect_stderr(io.StringIO()):
            place, name = str(source.parent), source.name
            tokenizer = transformers.AutoTokenizer.from_pretrained(place, gguf_file=name, local_files_only=True)
            loaded = transformers.AutoModelForCausalLM.from_pretrained(
                place, gguf_file=name, dtype=torch.float32, local_files_only=True
            )
            entries = {key: value for key, value in loaded.config.to_dict().items() if key not in NOT_THE_MODEL}
            clean = transformers.AutoModelForCausalLM.from_config(
                transformers.AutoConfig.for_model(loaded.config.model_type, **entries)
            )
            clean.load_state_dict(loaded.state_dict())
            clean.generation_config = loaded.generation_config
            clean.save_pretrained(str(folder))
            tokenizer.save_pretrained(str(folder))
    except (ImportError, KeyError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The disk's fault, not the file's.
        raise ModelUnavailable(f"The GGUF file cannot be converted with the installed transformers: {error}") from error
