"""A model that is trained here and answers through a vLLM server that the run starts for it."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from strategies.contract import (
    Completion,
    DeadAdapter,
    LanguageModel,
    Prompt,
    Recipe,
    Sampling,
    Step,
    Training,
    TrainingRow,
)
from strategies.models.endpoint import EndpointModel
from strategies.models.local import LocalModel
from strategies.models.probe import PROBE, must_count_alike
from strategies.models.vllm_server import BASE, VllmServer
from strategies.standalone.held import ENDING

ALTERNATIVES = 5
"""Likeliest tokens that are compared to see whether an adapter does something at the server."""
ROUNDS, PAUSE_S = 3, 5.0
"""So often a prompt is asked, and so long it is waited before the next time, unless the server has ended: then it is started."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """Generates at the server, counts and trains in this process (`contract.Generates`, `contract.Trains`)."""

    here: LocalModel
    server: VllmServer
    adapter: Path | None = None

    @property
    def name(self) -> str:
        return self.here.name

    @property
    def fingerprint(self) -> str:
        """Other batches and other kernels give other roundings, so answers of the two engines are not each other's."""
        return hashlib.sha256(f"vllm|{self.here.fingerprint}".encode()).hexdigest()[:20]

    @property
    def context_tokens(self) -> int:
        return self.here.context_tokens

    @property
    def local(self) -> bool:
        return True

    @property
    def folder(self) -> Path:
        return self.here.folder

    def count(self, prompt: Prompt) -> int:
        return self.here.count(prompt)

    def cut(self, text: str, tokens: int) -> str:
        return self.here.cut(text, tokens)

    def generate(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step = "answering"
    ) -> Iterator[tuple[int, Completion]]:
        """As at any server; `seconds` are the time since the last answer, since many are under way at once, and of it the part
        that falls to this process. What it did not answer it is asked again, and one that died is started again for that."""
        left, turned = list(range(len(prompts))), [self.here.chat.turns(prompt) for prompt in prompts]
        for last in (*(False,) * (ROUNDS - 1), True):
            lost: list[int] = []
            for place, completion in self._answers([turned[index] for index in left], max_tokens, sampling, step):
                if completion.error and not completion.lasting and not last:
                    lost.append(left[place])
                else:
                    yield left[place], completion
            left = lost
            if left and self.server.has_ended(PAUSE_S):
                said = "the vLLM server of %s ended by itself and is started again"
                logging.getLogger(__name__).warning(said, self.name)

    def _answers(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: Sampling, step: Step
    ) -> Iterator[tuple[int, Completion]]:
        if not prompts:
            return
        self._must_write_alike()
        asked, waiting, last = self._asked(), self.server.waiting, time.perf_counter()
        waiting.begins(self.server.start)
        try:
            # It brings no answer to its end, so that there is room for one by itself.
            most = max_tokens * (ENDING if sampling.schema else 1)
            for index, completion in asked.generate(prompts, most, sampling, step):
                seconds = (time.perf_counter() - last) * waiting.part()
                last = time.perf_counter()
                yield index, replace(completion, usage=replace(completion.usage, seconds=seconds))
        finally:
            waiting.ends()

    def train(
        self, rows: Sequence[TrainingRow], validation: Sequence[TrainingRow], recipe: Recipe, folder: Path, seed: int
    ) -> Training:
        return self.here.train(rows, validation, recipe, folder, seed)

    def adapted(self, folder: Path) -> LanguageModel:
        tuned = self.here.adapted(folder)
        if not isinstance(tuned, LocalModel):
            raise TypeError(f"{self.name} cannot be adapted here.")
        return replace(self, here=tuned, adapter=folder)

    def _must_write_alike(self) -> None:
        """Once a start of the server: it writes prompts as they are written here, as far as its count of tokens tells."""
        self.server.template = self.here.chat.served_template
        base = self._offered(BASE)
        if not self.server.compared:
            must_count_alike(self.here, base.stated_tokens(self.here.chat.turns(PROBE)))
            self.server.compared = True

    def _asked(self) -> EndpointModel:
        if self.adapter is None:
            return self._offered(BASE)
        self.server.load(self.adapter, self._adapter_name)
        return self._offered(self._adapter_name)

    @cached_property
    def _adapter_name(self) -> str:
        weights = (self.adapter or self.folder) / "adapter_model.safetensors"
        return f"adapter-{hashlib.sha256(weights.read_bytes()).hexdigest()[:16]}"

    @cached_property
    def _known(self) -> dict[tuple[str, str], EndpointModel]:
        """By start of the server and name there: each keeps its connections."""
        return {}

    def _offered(self, name: str) -> EndpointModel:
        start = self.server.start
        if (start, name) not in self._known:
            self._known[start, name] = self._asked_as(name)
        return self._known[start, name]

    def _asked_as(self, name: str) -> EndpointModel:
        closed = self.here.chat.closed
        return EndpointModel(
            name=self.name,
            base_url=self.server.address,
            model=name,
            key_env=self.server.key_env,
            concurrency=self.server.at_once,
            retries=0,
            context_tokens=self.context_tokens,
            timeout_s=600.0,
            copies=True,
            extra_body={"chat_template_kwargs": dict.fromkeys(closed, False)} if closed else {},
        )


def at_hand(model: LanguageModel) -> LocalModel | None:
    """The weights in this process, also of a model that answers elsewhere; None where there are none."""
    found = getattr(model, "here", model)
    return found if isinstance(found, LocalModel) else None


def prove_served(base: LanguageModel, tuned: LanguageModel, prompts: Sequence[Prompt]) -> float:
    """Largest change of the first token's log-probabilities that the adapter makes at the server that will answer.

    NaN where nothing is served. Raises `DeadAdapter` where it changes nothing there, or where that cannot be seen.
    """
    if not isinstance(base, ServedModel) or not isinstance(tuned, ServedModel):
        return math.nan
    wish = Sampling(alternatives=ALTERNATIVES)
    first, second = (dict(model.generate(prompts, 1, wish, "search")) for model in (base, tuned))
    largest = 0.0
    for index in range(len(prompts)):
        for done in (first[index], second[index]):
            if not done.places:
                raise DeadAdapter(f"the server does not show whether the adapter does anything there: {done.error}")
        before, after = first[index].places[0].likely, second[index].places[0].likely
        shared = before.keys() & after.keys()
        largest = max([largest, *(abs(before[token] - after[token]) for token in shared)])
        if len(shared) < len(before):
            largest = math.inf  # Other tokens are among the likeliest.
    if not largest > 1e-3:
        raise DeadAdapter("the adapter changes nothing at the server that is to answer: it has no effect there")
    return largest
