"""What people write themselves with transformers and peft, each at its best batch: the peers in this environment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from benchmarks.studies.speed.contenders import given, part_of, serve

BATCHES = (8, 16, 32, 64)


def load(work: Mapping[str, Any]) -> tuple[Any, Any]:
    """(model, tokenizer), padded on the left."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(work["threads"])
    model: Any = AutoModelForCausalLM.from_pretrained(work["model"], dtype=getattr(torch, work["dtype"]))
    return model.eval(), AutoTokenizer.from_pretrained(work["model"], padding_side="left")


# ---------------------------------------------------------------- labels


class Labels:
    """Each case: the prompt in one pass, then all labels as one batch behind a copy of its cache."""

    settings: Mapping[str, Any] = {"batch": "all labels of a case"}

    def __init__(self, work: Mapping[str, Any]) -> None:
        self.model, self.tokenizer = load(work)
        self.cases = work["cases"]

    def __call__(self, _turn: int = 0) -> Mapping[str, Any]:
        start = time.perf_counter()
        scores = [self.score(case["prompt"], case["labels"]) for case in self.cases]
        seconds = time.perf_counter() - start
        best = [max(range(len(row)), key=row.__getitem__) for row in scores]
        right = sum(place == case["gold"] for place, case in zip(best, self.cases, strict=True))
        rounded = [[round(score, 4) for score in row] for row in scores[:4]]
        return {"seconds": seconds, "cases": len(scores), "right": right, "scores": rounded}

    def score(self, prompt: str, labels: Sequence[str]) -> list[float]:
        import torch
        from transformers import DynamicCache

        ids, cache = torch.tensor([self._ids(prompt)]), DynamicCache(config=self.model.config)
        answers = [self._ids(label) for label in labels]
        width = max(map(len, answers))
        batch = torch.tensor([answer + [0] * (width - len(answer)) for answer in answers])
        with torch.inference_mode():
            read = self.model(input_ids=ids, cache=cache, use_cache=True, logits_to_keep=1).logits
            first = read[0, -1].float().log_softmax(-1)
            cache.batch_repeat_interleave(len(answers))
            after = self.model(input_ids=batch, cache=cache, use_cache=True).logits.float().log_softmax(-1)
        found = []
        for row, answer in enumerate(answers):
            later = sum(float(after[row, place - 1, answer[place]]) for place in range(1, len(answer)))
            found.append(float(first[answer[0]]) + later)
        return found

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


# ---------------------------------------------------------------- free answers


class Answers:
    """`generate`, greedy, at the batch that was quickest on the first cases; with a schema through a logits processor."""

    def __init__(self, work: Mapping[str, Any]) -> None:
        self.model, self.tokenizer = load(work)
        self.work, self.limit, self.schema = work, work["max_tokens"], work.get("schema", "")
        most = max(8, work["per_turn"])
        rates = {size: self._rate(size) for size in BATCHES if size <= most}
        self.batch = max(rates, key=rates.__getitem__)
        self.settings = {"batch": self.batch, "cases a second by batch": rates}

    def _rate(self, size: int) -> float:
        start = time.perf_counter()
        asked = self.work["prompts"][-size:]
        self._written(asked, size)
        return round(len(asked) / (time.perf_counter() - start), 2)

    def __call__(self, turn: int = 0) -> Mapping[str, Any]:
        prompts = part_of(self.work, turn)["prompts"]
        start = time.perf_counter()
        found = self._written(prompts, self.batch)
        seconds = time.perf_counter() - start
        texts = self.tokenizer.batch_decode(found, skip_special_tokens=True)
        tokens = sum(len([token for token in row if token != self.tokenizer.pad_token_id]) for row in found)
        return {"seconds": seconds, "cases": len(texts), "tokens": tokens, "answers": [text.strip() for text in texts]}

    def _written(self, prompts: Sequence[str], size: int) -> list[list[int]]:
        import torch

        order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        found: dict[int, list[int]] = {}
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            batch = self.tokenizer(
                [prompts[row] for row in rows], return_tensors="pt", padding=True, add_special_tokens=False
            )
            width = batch["input_ids"].shape[1]
            with torch.inference_mode():
                out = self.model.generate(
                    **batch, do_sample=False, max_new_tokens=self.limit, logits_processor=self._held(width)
                )
            found |= dict(zip(rows, out[:, width:].tolist(), strict=True))
        return [found[row] for row in range(len(prompts))]

    def _held(self, width: int) -> Any:
        from transformers import LogitsProcessorList

        return LogitsProcessorList([Held(self._grammar, width)] if self.schema else [])

    @cached_property
    def _grammar(self) -> Any:
        from strategies.models.chat import Chat
        from strategies.models.grammar import Grammar

        size = self.model.config.get_text_config().vocab_size
        return Grammar.of(self.schema, Chat(self.tokenizer), size)


class Held:
    """Masks what the grammar does not allow, row by row, as `generate` offers it: (ids, logits) -> logits."""

    def __init__(self, grammar: Any, width: int) -> None:
        self.grammar, self.width = grammar, width
        self.states: list[Any] = []

    def __call__(self, ids: Any, logits: Any) -> Any:
        if not self.states:
            self.states = [self.grammar.follow() for _ in range(len(ids))]
        for row, state in enumerate(self.states):
            if ids.shape[1] > self.width and not state.matcher.is_stopped():
                state.matcher.consume_token(int(ids[row, -1]))
            if not state.matcher.is_stopped():
                state.forbid(logits[row])
        return logits


# ---------------------------------------------------------------- training


class Training:
    """A plain peft loop: padded batches, labels of the prompt left out, AdamW; at the quicker of two batch sizes."""

    def __init__(self, work: Mapping[str, Any]) -> None:
        self.work = work
        _, tokenizer = load(work)
        self.pad = tokenizer.eos_token_id
        self.rows = []
        for prompt, answer in work["rows"]:
            before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            after = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
            self.rows.append((before + after, [-100] * len(before) + after))
        rates = {size: self._rate(size) for size in work["batch_sizes"][:2]}
        self.batch = max(rates, key=rates.__getitem__)
        self.settings = {"batch": self.batch, "tokens a second by batch": rates}

    def _rate(self, size: int) -> float:
        rows = self.rows[: 2 * size]
        return round(sum(len(ids) for ids, _ in rows) / self._epoch(rows, size)[0], 1)

    def __call__(self, _turn: int = 0) -> Mapping[str, Any]:
        seconds, loss = self._epoch(self.rows, self.batch)
        tokens = sum(len(ids) for ids, _ in self.rows)
        return {"seconds": seconds, "cases": len(self.rows), "tokens": tokens, "loss": loss}

    def _epoch(self, rows: Sequence[tuple[list[int], list[int]]], size: int) -> tuple[float, float]:
        """(seconds of one epoch of a fresh adapter, mean loss of a batch)."""
        import torch
        from peft import LoraConfig, get_peft_model

        base, _ = load(self.work)
        rank = self.work["rank"]
        config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
        model: Any = get_peft_model(base, config).train()
        optimizer = torch.optim.AdamW(
            [part for part in model.parameters() if part.requires_grad], lr=self.work["learning_rate"]
        )
        losses = []
        start = time.perf_counter()
        for first in range(0, len(rows), size):
            loss = model(**padded(rows[first : first + size], self.pad)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
        return time.perf_counter() - start, sum(losses) / len(losses)


def padded(rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> dict[str, Any]:
    """A batch from rows of (token ids, labels), padded on the right."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    columns = {
        "input_ids": [[*ids, *[pad] * (width - len(ids))] for ids, _ in rows],
        "labels": [[*labels, *[-100] * (width - len(labels))] for _, labels in rows],
        "attention_mask": [[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows],
    }
    return {name: torch.tensor(values) for name, values in columns.items()}


KINDS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {"labels": Labels, "answers": Answers, "training": Training}


def main() -> None:
    from strategies.models.quiet import quiet

    work = given(sys.argv)
    with quiet():
        contender = KINDS[work["kind"]](work)
        serve(contender.settings, contender)


if __name__ == "__main__":
    main()
