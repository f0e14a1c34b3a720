"""A causal language model in this process: generates, scores labels, trains LoRA adapters."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from strategies.contract import (
    Completion,
    Ends,
    LabelScores,
    LanguageModel,
    Message,
    Narrow,
    Prompt,
    Recipe,
    Sampling,
    Step,
    Training,
    TrainingRow,
    Usage,
)
from strategies.models import causal, engine, quantised
from strategies.models.agreement import unfit
from strategies.models.attention import reach, stated
from strategies.models.batch_size import USUAL
from strategies.models.batching import DecodingOptions
from strategies.models.blockwise import WAYS, use_blockwise
from strategies.models.careful import in_half, in_smaller_batches
from strategies.models.chat import Chat, stated_ends
from strategies.models.device import Placement
from strategies.models.grammar import Grammar
from strategies.models.heap import prepare_heap
from strategies.models.parts import Parts
from strategies.models.trees import LabelTree, Rounds, score_rounds

TRIAL = "A parcel of 12 books left Paris on Monday. Who has it now, and what did it cost?"
"""A text by which is found out whether float16 has room for a model's numbers."""


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """Weights in a folder, loaded at first use. `adapter` names a peft folder that is merged into them."""

    name: str
    folder: Path
    weights_fingerprint: str
    placement: Placement
    adapter: Path | None = None
    batch_tokens: int = USUAL
    """Padded tokens that are read at once; four times as many, answers included, while answers are written."""
    attention: str = WAYS[0]
    """One of `blockwise.WAYS`; the first is taken on the CPU and where the model's logits stay the same."""
    quantised: bool = False
    """Weights in four bits (`quantised.py`), an adapter beside them instead of merged."""

    @cached_property
    def fingerprint(self) -> str:
        parts = [self.weights_fingerprint, self.placement.dtype, self.placement.device, str(self.batch_tokens)]
        if self.quantised:
            parts.append("nf4")
        if self.adapter is not None:
            parts.append(hashlib.sha256((self.adapter / "adapter_model.safetensors").read_bytes()).hexdigest())
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:20]

    @property
    def local(self) -> bool:
        return True

    @cached_property
    def context_tokens(self) -> int:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.folder, trust_remote_code=False)
        _say_if_shorter(self.name, reach(config), stated(config))
        return reach(config)

    @cached_property
    def chat(self) -> Chat:
        from transformers import AutoTokenizer

        return Chat(AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False), stated_ends(self.folder))

    @cached_property
    def parts(self) -> Parts:
        """The model ready to answer, the adapter merged in float32 before the cast to the answering dtype."""
        module = self.base()
        if self.adapter is not None:
            from strategies.finetuning.adapters import loaded, merged

            module = (
                loaded(module, self.adapter).get_base_model()
                if self.quantised
                else merged(module.float(), self.adapter)
            )
        reason = unfit(module.eval())
        return Parts(self.placed(module), reason)

    def placed(self, module: Any) -> Any:
        """The module on its device and in its number format, where it is not there already."""
        import torch

        if self.quantised:
            return module
        if self.placement.dtype == "float16":
            return in_half(module, self.placement.device, self.chat.encode((Message("user", TRIAL),)))
        return module.to(device=self.placement.device, dtype=getattr(torch, self.placement.dtype))

    def base(self) -> Any:
        """A fresh copy of the weights, in float32 on the CPU, or in four bits where it computes. Raises `ModelUnavailable`."""
        import torch

        torch.set_num_threads(self.placement.threads)
        prepare_heap()
        if self.quantised:
            return quantised.load(self.folder, self.placement)
        module = causal.load(self.folder, torch.float32)
        if self.placement.device == "cpu" and self.attention == WAYS[0]:
            use_blockwise(module)
        return module

    def count(self, prompt: Prompt) -> int:
        return len(self.chat.encode(prompt))

    def cut(self, text: str, tokens: int) -> str:
        ids = self.chat.encode_text(self.chat.as_text(text))
        return text if len(ids) <= tokens else str(self.chat.tokenizer.decode(ids[:tokens], skip_special_tokens=True))

    # ------------------------------------------------------------ Generates

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """Yields (index, completion) as they finish. The seconds of a batch are shared out by the row."""
        ids = [self.chat.encode(prompt) for prompt in prompts]
        parts, grammar = self.parts, self._grammar(sampling.schema) if sampling.schema else None
        follow = None if grammar is None else lambda row: grammar.follow(prompts[row][-1].asked, max_tokens)
        decoding = DecodingOptions(self.chat.stop_ids, max_tokens, sampling.temperature, sampling.seed, follow)
        clock = _Clock(len(ids))

        def ask(rows: Sequence[int], tokens: int) -> Iterator[tuple[int, Any, int]]:
            there = decoding if follow is None else replace(decoding, follow=lambda row: follow(rows[row]))
            return engine.generate(parts, [ids[row] for row in rows], there, tokens)

        begun = _Begun(ids)
        for row, written, shared in in_smaller_batches(ask, len(ids), 4 * self.batch_tokens):
            answer, odds = written.ids, written.odds
            _check_number(odds)
            usage = self._usage(step, len(ids[row]), begun.before(row, shared), (len(answer) + 1, clock.share()))
            text, ended = self.chat.decode(answer), len(answer) < max_tokens
            unheld = grammar is None and self.adapter is None  # Else something tells it where to end.
            if unheld and "\n\n" in text and self.chat.ends_with_paragraph(prompts[row]):
                text, ended = text.split("\n\n")[0].strip(), True
                odds = odds[: self.chat.first_paragraph(answer)]
            yield row, Completion(text=text, usage=usage, finished=ended, odds=tuple(odds))

    def _grammar(self, schema: str) -> Grammar | None:
        if schema not in self._grammars:
            size = self.parts.model.config.get_text_config().vocab_size
            self._grammars[schema] = Grammar.of(schema, self.chat, size)
        return self._grammars[schema]

    @cached_property
    def _grammars(self) -> dict[str, Grammar | None]:
        return {}

    # ------------------------------------------------------------ ScoresLabels

    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        """Yields (index, scores): one pass over each prompt and the tree of its labels."""
        known: dict[tuple[str, ...], LabelTree] = {}
        for names in map(tuple, labels):
            if names not in known:
                known[names] = LabelTree.build([self.chat.encode_label(name) for name in names], self.chat.end_id, ends)
        yield from self._scored(prompts, Rounds([known[tuple(names)] for names in labels]), step)

    def score_narrowed(
        self,
        prompts: Sequence[Prompt],
        beginnings: Sequence[Sequence[str]],
        rounds: Sequence[Narrow],
        step: Step = "answering",
    ) -> Iterator[tuple[int, LabelScores]]:
        """Yields (index, scores): each prompt is read once, with one tree after the other behind it."""

        def tree(labels: Sequence[str], ends: Ends = "never") -> LabelTree:
            return LabelTree.build([self.chat.encode_label(label) for label in labels], self.chat.end_id, ends)

        def made(narrow: Narrow, ends: Ends, row: int, scores: Sequence[float]) -> LabelTree:
            return tree(narrow(row, scores), ends)

        then = [partial(made, narrow, "never") for narrow in rounds[:-1]] + [partial(made, rounds[-1], "always")]
        yield from self._scored(prompts, Rounds([tree(labels) for labels in beginnings], then), step)

    def _scored(self, prompts: Sequence[Prompt], rounds: Rounds, step: Step) -> Iterator[tuple[int, LabelScores]]:
        ids = [self.chat.encode(prompt) for prompt in prompts]
        clock = _Clock(len(prompts))

        def ask(rows: Sequence[int], tokens: int) -> Iterator[tuple[int, list[float], int, int]]:
            return score_rounds(self.parts, [ids[row] for row in rows], rounds.of(rows), tokens)

        begun = _Begun(ids)
        for row, scores, nodes, shared in in_smaller_batches(ask, len(ids), self.batch_tokens):
            _check_number(scores)
            usage = self._usage(step, len(ids[row]), begun.before(row, shared), (nodes, clock.share()))
            yield row, LabelScores(log_likelihoods=tuple(scores), usage=usage)

    def _usage(self, step: Step, prompt: int, shared: int, answered: tuple[int, float]) -> Usage:
        return Usage(
            model=self.name,
            step=step,
            prompt_tokens=prompt,
            cached_tokens=shared,
            answer_tokens=answered[0],
            seconds=answered[1],
        )

    # ------------------------------------------------------------ Trains

    def train(
        self, rows: Sequence[TrainingRow], validation: Sequence[TrainingRow], recipe: Recipe, folder: Path, seed: int
    ) -> Training:
        from strategies.finetuning.training import train_adapter

        return train_adapter(self, (rows, validation), recipe, folder, seed)

    def adapted(self, folder: Path) -> LanguageModel:
        return LocalModel(
            name=self.name,
            folder=self.folder,
            weights_fingerprint=self.weights_fingerprint,
            placement=self.placement,
            adapter=folder,
            batch_tokens=self.batch_tokens,
            attention=self.attention,
            quantised=self.quantised,
        )


def _check_number(values: Sequence[float]) -> None:
    """Raises `ArithmeticError` for what is no number: taken for a likelihood, it would make an answer of nothing."""
    if any(map(math.isnan, values)):
        raise ArithmeticError(
            "the model's likelihoods are no numbers; its number format may be too small, so try --dtype float32"
        )


@cache
def _say_if_shorter(name: str, tokens: int, all_of_them: int) -> None:
    """Once for each model."""
    if tokens < all_of_them:
        said = "%s is given texts of at most %d tokens, not %d: longer ones change its answers to others in a batch (LongRoPE)"
        logging.getLogger(__name__).warning(said, name, tokens, all_of_them)


class _Begun:
    """Which beginnings were read before a row of a call: the first that has one pays for it, once in each call, so that the same
    call costs the same whatever was asked before. A request that comes alone goes on behind what the one before left."""

    def __init__(self, ids: Sequence[Sequence[int]]) -> None:
        self.ids = ids
        self.read: set[tuple[int, ...]] = set()

    def before(self, row: int, shared: int) -> int:
        """How many of the row's first tokens had been read for others."""
        beginning = tuple(self.ids[row][:shared])
        if beginning in self.read or len(self.ids) == 1:
            return shared
        self.read.add(beginning)
        return 0


class _Clock:
    """Shares the time since the last finished answers out evenly over all answers of a call."""

    def __init__(self, rows: int) -> None:
        self.last = time.perf_counter()
        self.rows = rows

    def share(self) -> float:
        now = time.perf_counter()
        spent, self.last = now - self.last, now
        return spent
