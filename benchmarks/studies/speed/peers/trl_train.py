"""Trains a LoRA adapter with TRL's SFTTrainer, and says how long one epoch took.

A plain script for TRL's Python; it imports nothing of ours but `lines.py` beside it.

    python trl_train.py WORK.json

It loads the model and prints a line of JSON, `{"ready": ...}`. Each line of standard input is then answered with one
repetition (a fresh model, one epoch) and its line of JSON. Everything else that is printed goes to standard error.

The batch size is the quickest of those offered, on the first rows. Beside it two of TRL's defaults are changed, as one
would for a small model on a CPU: activations are kept and not computed twice, and batches are made of rows of similar
length, which spares padding.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lines import protected_output, say  # type: ignore[import-not-found]

WARM_UP_ROWS = 2
PACKAGES = ("trl", "peft", "torch", "transformers", "accelerate", "datasets")
SEED = 0


def main() -> None:
    output = protected_output()
    os.environ["HF_HUB_OFFLINE"] = "1"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="trl-") as folder:
        rates = tune(work, folder)
        batch = max(rates, key=lambda size: rates[size])
        versions = {name: version(name) for name in PACKAGES}
        say(output, {"ready": {"versions": versions, "settings": settings(work, batch, rates)}})
        for _ in sys.stdin:
            epoch = train(work, work["rows"], batch, folder)
            cases = len(work["rows"])
            say(output, {"seconds": epoch.seconds, "cases": cases, "tokens": epoch.tokens, "loss": epoch.loss})


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One training over some rows."""

    seconds: float
    """Of `trainer.train()` alone."""
    tokens: int
    """Of the rows, without padding."""
    loss: float
    """Mean over the steps, as the trainer says it."""


def tune(work: dict[str, Any], folder: str) -> dict[int, float]:
    """Tokens a second for each batch size, on two batches of the first rows."""
    rows = work["rows"]
    train(work, rows[:WARM_UP_ROWS], WARM_UP_ROWS, folder)
    rates = {}
    for size in work["batch_sizes"]:
        epoch = train(work, rows[: 2 * size], size, folder)
        rates[size] = epoch.tokens / epoch.seconds
    return rates


def train(work: dict[str, Any], rows: Sequence[Sequence[str]], batch: int, folder: str) -> Epoch:
    """One epoch over the rows with a fresh model and a fresh adapter."""
    trainer = trainer_of(work, rows, batch, folder)
    tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
    start = time.perf_counter()
    done = trainer.train()
    return Epoch(seconds=time.perf_counter() - start, tokens=tokens, loss=float(done.training_loss))


def trainer_of(work: dict[str, Any], rows: Sequence[Sequence[str]], batch: int, folder: str) -> Any:
    import torch
    from datasets import Dataset  # type: ignore[import-not-found]
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found]

    torch.set_num_threads(work["threads"])
    config = SFTConfig(
        output_dir=folder,
        num_train_epochs=1,
        per_device_train_batch_size=batch,
        learning_rate=work["learning_rate"],
        completion_only_loss=True,
        packing=False,
        max_length=None,
        bf16=work["dtype"] == "bfloat16",
        use_cpu=True,
        gradient_checkpointing=False,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(work["model"], dtype=getattr(torch, work["dtype"])),
        processing_class=AutoTokenizer.from_pretrained(work["model"]),
        args=config,
        train_dataset=Dataset.from_list([{"prompt": prompt, "completion": answer} for prompt, answer in rows]),
        peft_config=LoraConfig(
            r=work["rank"], lora_alpha=2 * work["rank"], target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )


def settings(work: dict[str, Any], batch: int, rates: dict[int, float]) -> dict[str, Any]:
    import torch

    return {
        "batch_size": batch,
        "tokens_per_second": {str(size): round(rate, 1) for size, rate in rates.items()},
        "dtype": work["dtype"],
        "autocast": "bfloat16" if work["dtype"] == "bfloat16" else "none",
        "threads": torch.get_num_threads(),
        "gradient_checkpointing": False,
        "sampling": "group_by_length",
        "packing": False,
        "rank": work["rank"],
        "lora_alpha": 2 * work["rank"],
        "tokens": "prompt, answer and end of every row, without padding",
    }


if __name__ == "__main__":
    main()
