"""The workbench that a strategy fits on: models, budget, journal, and the record of what it spent and tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.running.completion_cache import CachingModel, CompletionCache
from benchmarks.running.models import Models
from strategies.contract import Embedder, Journal, LanguageModel, Reranker, Trial, Usage

Progress = Callable[[int, int, str], None]


@dataclass(kw_only=True)
class Bench:
    """`contract.Workbench` for one unit of work."""

    models: Models
    model_name: str
    seed: int
    tuning_tokens: int
    journal: Journal
    folder: Path
    on_progress: Progress
    teacher: Bench | None = None
    cache: CompletionCache | None = None
    """What servers have answered; None: nothing of it is kept."""
    spent: list[Usage] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    @property
    def model(self) -> LanguageModel:
        found = self.models.language(self.model_name)
        if self.cache is None or not self.models.served(self.model_name):
            return found
        return CachingModel(inner=found, cache=self.cache)

    @property
    def embedder(self) -> Embedder:
        return self.models.embedder

    @property
    def reranker(self) -> Reranker | None:
        return self.models.reranker

    def record(self, usage: Usage) -> None:
        self.spent.append(usage)

    def tried(self, trial: Trial) -> None:
        self.trials.append(trial)

    def progress(self, done: int, total: int, what: str) -> None:
        self.on_progress(done, total, what)


class NoJournal:
    """A journal in which nothing stands and nothing is kept."""

    def get(self, key: str) -> None:
        return None

    def put(self, key: str, value: Mapping[str, Any]) -> None: ...


def bare(models: Models, model_name: str, folder: Path) -> Bench:
    """A workbench for what is loaded or fitted outside of a run: no budget, nothing remembered."""
    return Bench(
        models=models,
        model_name=model_name,
        seed=0,
        tuning_tokens=0,
        journal=NoJournal(),
        folder=folder,
        on_progress=lambda done, total, what: None,
    )


class NotRemembering:
    """While held-out cases are answered the embedder keeps no vectors: every approach pays for its own queries."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def __enter__(self) -> None:
        self.models.remember(False)

    def __exit__(self, *_: Any) -> None:
        self.models.remember(True)
