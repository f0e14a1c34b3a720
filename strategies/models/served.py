"""A model that is trained here and answers through a vLLM server that the run starts for it."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
from strategies.models.vllm_server import BASE, KEY, VllmServer

ALTERNATIVES = 5
"""Likeliest tokens that are compared to see whether an adapter does something at the server."""


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
        """As at any server; `seconds` are the time since the last answer, since many are under way at once."""
        if not prompts:
            return
        self._must_write_alike()
        prompts = [self.here.chat.turns(prompt) for prompt in prompts]
        asked, last = self._asked(), time.perf_counter()
        for index, completion in asked.generate(prompts, max_tokens, sampling, step):
            now = time.perf_counter()
            yield index, replace(completion, usage=replace(completion.usage, seconds=now - last))
            last = now

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
        base = self._offered(BASE)
        if not self.server.compared:
            must_count_alike(self.here, base.stated_tokens(self.here.chat.turns(PROBE)))
            self.server.compared = True

    def _asked(self) -> EndpointModel:
        return self._offered(BASE if self.adapter is None else self.server.load(self.adapter))

    def _offered(self, name: str) -> EndpointModel:
        return EndpointModel(
            name=self.name,
            base_url=self.server.address,
            model=name,
            key_env=KEY,
            concurrency=self.server.at_once,
            context_tokens=self.context_tokens,
            timeout_s=600.0,
            copies=True,
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
