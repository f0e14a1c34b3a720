"""Trains a LoRA adapter with TRL's SFTTrainer and peft, and answers with it as transformers generates.

    python trl_lora.py WORK.json FOUND.json

The adapter is that of TRL's guide to LoRA: all linear layers, ten times the learning rate of full tuning. As the guide asks
for the rate to be looked at, two are tried for one epoch on some of the examples, then twice the highest as long as that has
the lowest loss on others, and the best of them trains on all. The adapter is left beside FOUND.json, so that it can be decoded
in other ways too.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RATES, RANK, ALPHA, DROPOUT = (2e-4, 1e-3), 16, 32, 0.05
EPOCHS, BATCH = 3, 8
TRIED, JUDGED = 150, 50
"""Examples that a rate is tried on, and those that it is judged by."""
ANSWERED = 16
"""Requests that are answered together."""
PACKAGES = ("trl", "peft", "torch", "transformers", "accelerate", "datasets")


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = trained_and_asked(work, Path(sys.argv[2]).parent / "adapter")
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def trained_and_asked(work: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`work["rows"]` are (messages, answer), `work["asked"]` messages, `work["losses"]`, where it is there, those of the rates.
    The adapter goes into the folder."""
    import torch

    torch.set_num_threads(work["threads"])
    start = time.perf_counter()
    losses = work["losses"] if "losses" in work else losses_of(work)
    rate = min(losses, key=losses.__getitem__)
    trainer = trainer_of(work, work["rows"], rate, EPOCHS)
    trainer.train()
    trainer.save_model(str(folder))
    fitting = time.perf_counter() - start
    model = trainer.model.merge_and_unload().eval()
    answers = list(generated(model, trainer.processing_class, work["asked"], work["answer_tokens"]))
    return {
        "answers": answers,
        "seconds": {"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        "settings": {
            "learning rate": rate,
            "losses": {str(rate): round(loss, 4) for rate, loss in losses.items()},
            "epochs": EPOCHS,
            "batch": BATCH,
            "rank": RANK,
            "dtype": work["dtype"],
        },
        "versions": {name: version(name) for name in PACKAGES},
    }


def losses_of(work: dict[str, Any]) -> dict[float, float]:
    """Rate -> loss, until a higher one is worse."""
    losses = {rate: loss_of(work, rate) for rate in RATES}
    while (highest := max(losses)) == min(losses, key=losses.__getitem__):
        losses[2 * highest] = loss_of(work, 2 * highest)
    return losses


def loss_of(work: dict[str, Any], rate: float) -> float:
    """Mean loss on some examples after an epoch on others. Where `work["judged"]` is there, the rows as they are asked."""
    pairs = list(zip(work["rows"], work.get("judged", work["rows"]), strict=True))
    random.Random(work["seed"]).shuffle(pairs)
    count = min(JUDGED, len(pairs) // 4)
    rows, judged = [row for row, _ in pairs[count:][:TRIED]], [row for _, row in pairs[:count]]
    trainer = trainer_of(work, rows, rate, 1, judged)
    trainer.train()
    return float(trainer.evaluate()["eval_loss"])


def trainer_of(work: dict[str, Any], rows: Sequence[Any], rate: float, epochs: int, judged: Sequence[Any] = ()) -> Any:
    import torch
    from datasets import Dataset  # type: ignore[import-not-found]
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found]

    def told(rows: Sequence[Any]) -> Any:
        return Dataset.from_list(
            [{"prompt": prompt, "completion": [{"role": "assistant", "content": answer}]} for prompt, answer in rows]
        )

    config = SFTConfig(
        output_dir=tempfile.mkdtemp(prefix="trl-"),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=BATCH,
        learning_rate=rate,
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
        seed=work["seed"],
    )
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(work["model"], dtype=getattr(torch, work["dtype"])),
        processing_class=AutoTokenizer.from_pretrained(work["model"]),
        args=config,
        train_dataset=told(rows),
        eval_dataset=told(judged) if judged else None,
        peft_config=LoraConfig(
            r=RANK, lora_alpha=ALPHA, lora_dropout=DROPOUT, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )


def generated(model: Any, tokenizer: Any, prompts: Sequence[Any], most: int) -> list[str]:
    """Greedy answers, in batches of similar length."""
    import torch

    tokenizer.padding_side = "left"
    texts = [tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True) for prompt in prompts]
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    answers = [""] * len(texts)
    for first in range(0, len(order), ANSWERED):
        part = order[first : first + ANSWERED]
        batch = tokenizer([texts[place] for place in part], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            ids = model.generate(**batch, max_new_tokens=most, do_sample=False)
        said = tokenizer.batch_decode(ids[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        for place, text in zip(part, said, strict=True):
            answers[place] = text.strip()
    return answers


if __name__ == "__main__":
    main()
