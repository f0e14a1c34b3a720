"""The calls that a bake-off made of the model, made again with transformers' `generate` and a plain peft loop.

Where ours scores all labels of a case, a plain script writes one of them freely, which is less: no answer is held to
the list and no probability comes out. So those calls are timed in both ways, scored by a loop over the labels only on
every 20th prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchmarks.studies.speed.plain import Labels, padded
from strategies.contract import Prompt, Recipe, TrainingRow
from strategies.models.local import LocalModel

BATCH = 8
EVERY = 20
"""One prompt of so many is scored by the loop over labels; the others are taken to last as long on average."""


@dataclass
class Call:
    """One call of the model: prompts to answer with at most so many tokens, or rows to train on; what it took both."""

    kind: str
    prompts: Sequence[Prompt] = ()
    max_tokens: int = 0
    labels: Sequence[Sequence[str]] = ()
    """Of each prompt, where they are scored."""
    rows: Sequence[TrainingRow] = ()
    validation: Sequence[TrainingRow] = ()
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int = 0
    """That were trained; fewer than the recipe's where training stopped early."""
    seconds: float = 0.0
    plain_seconds: float = 0.0
    """With a label written freely."""
    looped_seconds: float = 0.0
    """With labels scored by a loop over them."""


class Plain:
    """Makes calls again with transformers' `generate` and a plain peft loop."""

    def __init__(self, model: LocalModel) -> None:
        self.chat, self.folder, self.placement = model.chat, model.folder, model.placement
        self._labelled, self._scored = 0, list[float]()

    def again(self, call: Call, say: Callable[[str], None]) -> None:
        """Notes in the call what it took, and scores its part of the sample by a loop over the labels."""
        start = time.perf_counter()
        if call.rows:
            self._train(call)
        else:
            self._answer(call)
        call.plain_seconds = call.looped_seconds = time.perf_counter() - start
        took = f"ours {call.seconds:.1f} s, plain {call.plain_seconds:.1f} s"
        say(f"{call.kind}, {len(call.prompts or call.rows)} rows, {took}")
        for prompt, labels in zip(call.prompts, call.labels, strict=False):
            if self._labelled % EVERY == 0:
                self._score(prompt, labels)
            self._labelled += 1

    def _score(self, prompt: Prompt, labels: Sequence[str]) -> None:
        loop, text = self._loop, self.chat.text(prompt)
        start = time.perf_counter()
        loop.score(text, labels)
        self._scored.append(time.perf_counter() - start)

    def spread(self, calls: Sequence[Call]) -> None:
        """Tells scoring by a loop of the prompts that were not scored by the others."""
        mean = sum(self._scored) / max(1, len(self._scored))
        for call in calls:
            if call.labels:
                call.looped_seconds = mean * len(call.prompts)

    @cached_property
    def _loop(self) -> Labels:
        placement = self.placement
        return Labels({"model": self.folder, "dtype": placement.dtype, "threads": placement.threads, "cases": []})

    @cached_property
    def _asked(self) -> Any:
        return self._model().eval()

    def _model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=getattr(torch, self.placement.dtype))

    def _answer(self, call: Call) -> None:
        import torch

        tokenizer = self.chat.tokenizer
        tokenizer.padding_side = "left"
        texts = [self.chat.text(prompt) for prompt in call.prompts]
        for first in range(0, len(texts), BATCH):
            part = tokenizer(texts[first : first + BATCH], return_tensors="pt", padding=True, add_special_tokens=False)
            with torch.inference_mode():
                self._asked.generate(**part, do_sample=False, max_new_tokens=call.max_tokens)

    def _train(self, call: Call) -> None:
        import torch
        from peft import LoraConfig, get_peft_model

        recipe = call.recipe
        config = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
        model: Any = get_peft_model(self._model(), config)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=recipe.learning_rate)
        self._validate(model, call)
        for _ in range(call.epochs):
            model.train()
            for batch in self._batches(call.rows, recipe.batch_size):
                model(**batch).loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            self._validate(model, call)

    def _validate(self, model: Any, call: Call) -> None:
        import torch

        model.eval()
        with torch.inference_mode():
            for batch in self._batches(call.validation, BATCH):
                float(model(**batch).loss)

    def _batches(self, rows: Sequence[TrainingRow], size: int) -> Iterator[dict[str, Any]]:
        for first in range(0, len(rows), size):
            pairs = [
                (self.chat.encode(row.prompt), self.chat.encode_answer(row.answer))
                for row in rows[first : first + size]
            ]
            labelled = [([*before, *after], [*[-100] * len(before), *after]) for before, after in pairs]
            yield padded(labelled, self.chat.end_id)
