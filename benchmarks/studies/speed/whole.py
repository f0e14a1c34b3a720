"""A whole bake-off against the tools of a plain script: every call that ours made of the model, made again in their way.

Ours runs a small bake-off while each call is written down: which prompts, which rows to train on. Then the same calls go
to `transformers.generate` in batches of 8 and to a plain peft loop. So both have the same arms, sizes and tries; what is
not the model's (embedding, bookkeeping, reports) counts for ours alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.studies.speed import measures
from benchmarks.studies.speed.measures import Measure
from benchmarks.studies.speed.plain import padded
from strategies.contract import Completion, Ends, LabelScores, Prompt, Recipe, Sampling, Step, Training, TrainingRow
from strategies.models.local import LocalModel

if TYPE_CHECKING:
    from benchmarks.studies.speed.turns import Turns

TABLE = "whole"
TASK, EXAMPLES, HELDOUT = "banking77", 200, 60
OURS, PLAIN = "this product", "the same calls with plain tools"
BATCH = 8


@dataclass
class Call:
    """One call of the model: prompts to answer with at most so many tokens, or rows to train on; what it took both."""

    kind: str
    prompts: Sequence[Prompt] = ()
    max_tokens: int = 0
    rows: Sequence[TrainingRow] = ()
    validation: Sequence[TrainingRow] = ()
    recipe: Recipe = field(default_factory=Recipe)
    epochs: int = 0
    """That were trained; fewer than the recipe's where training stopped early."""
    seconds: float = 0.0
    plain_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Watched(LocalModel):
    """The product's model; it writes down what it is asked."""

    calls: list[Call]

    @classmethod
    def of(cls, model: LocalModel, calls: list[Call]) -> Watched:
        return cls(
            name=model.name,
            folder=model.folder,
            weights_fingerprint=model.weights_fingerprint,
            placement=model.placement,
            adapter=model.adapter,
            calls=calls,
        )

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        yield from self._timed(
            Call("free answers", prompts, max_tokens), super().generate(prompts, max_tokens, sampling, step)
        )

    def score_labels(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[Sequence[str]],
        step: Step = "answering",
        ends: Ends = "where needed",
    ) -> Iterator[tuple[int, LabelScores]]:
        """A plain script writes the label freely, so it needs as many tokens as the longest one has."""
        longest = max(len(self.chat.encode_label(name)) for name in labels[0]) + 1
        scored = super().score_labels(prompts, labels, step, ends)
        yield from self._timed(Call("labels", prompts, longest), scored)

    def _timed(self, call: Call, answers: Iterator[Any]) -> Iterator[Any]:
        """Without what the asker does between two answers."""
        self.calls.append(call)
        while True:
            start = time.perf_counter()
            found = next(answers, None)
            call.seconds += time.perf_counter() - start
            if found is None:
                return
            yield found

    def train(
        self, rows: Sequence[TrainingRow], validation: Sequence[TrainingRow], recipe: Recipe, folder: Path, seed: int
    ) -> Training:
        done = super().train(rows, validation, recipe, folder, seed)
        call = Call(
            "training",
            rows=rows,
            validation=validation,
            recipe=recipe,
            epochs=len(done.losses),
            seconds=sum(usage.seconds for usage in done.usage),
        )
        self.calls.append(call)
        return done

    def adapted(self, folder: Path) -> LocalModel:
        return replace(self, adapter=folder)


class WatchedModels:
    """The models of a run, with the language model watched."""

    def __init__(self, models: Any, calls: list[Call]) -> None:
        self._models, self._calls, self._watched = models, calls, dict[str, Watched]()

    def language(self, name: str) -> Watched:
        if name not in self._watched:
            self._watched[name] = Watched.of(self._models.language(name), self._calls)
        return self._watched[name]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)


def measure(turns: Turns) -> None:
    found = measures.figures(measures.read(turns.rows), TABLE, TASK)
    if {OURS, PLAIN} <= set(found):
        turns.say(f"{TABLE}, {TASK}: done before")
        return
    session = measures.session()
    calls: list[Call] = []
    seconds, model = ours(calls)
    plain = Plain(model).again(calls, turns.say)
    told = {"examples": EXAMPLES, "held-out cases": HELDOUT, "calls": len(calls), "seconds in the model": by_kind(calls)}
    for who, spent in ((OURS, seconds), (PLAIN, plain)):
        kept = Measure(
            table=TABLE, task=TASK, who=who, session=session, seconds=spent, amount=1, unit="bake-offs", extra=told
        )
        measures.add(kept, turns.rows)
        turns.say(f"{TABLE}, {who}: {spent:.0f} s")


def by_kind(calls: Sequence[Call]) -> dict[str, dict[str, float]]:
    """What calls of each kind took ours and the plain tools together, so that it is seen where either is slow."""
    found: dict[str, dict[str, float]] = {}
    for call in calls:
        spent = found.setdefault(call.kind, {"calls": 0, OURS: 0.0, PLAIN: 0.0})
        spent["calls"] += 1
        spent[OURS] = round(spent[OURS] + call.seconds, 1)
        spent[PLAIN] = round(spent[PLAIN] + call.plain_seconds, 1)
    return found


def ours(calls: list[Call]) -> tuple[float, LocalModel]:
    """Seconds of a quick bake-off, from the spec to the report, and the model that it asked."""
    from advisor.comparison import Wishes, execute, prepare
    from strategies.models.quiet import quiet

    wishes = Wishes(examples=EXAMPLES, heldout=HELDOUT, target=0.7, effort="quick", second_seed=False)
    with tempfile.TemporaryDirectory() as folder, quiet():
        start = time.perf_counter()
        prepared = prepare(TASK, wishes)
        models: Any = WatchedModels(prepared.models, calls)
        prepared.models = models
        execute(prepared, Path(folder) / "run")
        return time.perf_counter() - start, models.language(prepared.candidates[-1].model)


class Plain:
    """Makes calls again with transformers' `generate` and a plain peft loop."""

    def __init__(self, model: LocalModel) -> None:
        self.chat, self.folder, self.placement = model.chat, model.folder, model.placement

    def again(self, calls: Sequence[Call], say: Any) -> float:
        """Seconds of all of them."""
        total = 0.0
        for place, call in enumerate(calls):
            start = time.perf_counter()
            if call.rows:
                self._train(call)
            else:
                self._answer(call)
            call.plain_seconds = time.perf_counter() - start
            total += call.plain_seconds
            took = f"ours {call.seconds:.1f} s, plain {call.plain_seconds:.1f} s, so far {total:.0f} s"
            say(f"{TABLE}, {place + 1} of {len(calls)}: {call.kind}, {len(call.prompts or call.rows)} rows, {took}")
        return total

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
