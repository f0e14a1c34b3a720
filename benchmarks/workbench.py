"""The workbench that a strategy fits on: models, budget, journal, and the record of what it spent and tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.models import Models
from strategies.contract import Embedder, Journal, LanguageModel, Trial, Usage

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
    spent: list[Usage] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)

    @property
    def model(self) -> LanguageModel:
        return self.models.language(self.model_name)

    @property
    def embedder(self) -> Embedder:
        return self.models.embedder

    def record(self, usage: Usage) -> None:
        self.spent.append(usage)

    def tried(self, trial: Trial) -> None:
        self.trials.append(trial)

    def progress(self, done: int, total: int, what: str) -> None:
        self.on_progress(done, total, what)
