"""A bake-off with tiny models in a process of its own, which kills itself without warning where it is told to.

`python -m tests.killed RUN_FOLDER MODEL_FOLDER [WHERE NUMBER]`; WHERE is `progress`, `step` (of an optimizer) or `stored`.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import plan
from benchmarks.contract import Evaluation
from benchmarks.plan import Options, Unit, candidates
from benchmarks.run import Run
from benchmarks.store import Finished, Store
from benchmarks.stored import evaluations, rescored
from strategies.catalog import approaches
from tests import tiny

OPTIONS = Options(tuning_tokens=20_000)


@dataclass
class Dying:
    """Events of a run that count down to SIGKILL (`benchmarks.run.Events`)."""

    where: str = ""
    left: int = 0

    def count(self, what: str) -> None:
        if what == self.where:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def started(self, unit: Unit, number: int, total: int) -> None: ...

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
        self.count("progress")

    def finished(self, unit: Unit, done: Finished) -> None:
        self.count("stored")


def bakeoff(folder: Path, model: Path, events: Dying | None = None) -> Run:
    """All approaches on messages of four topics."""
    models = tiny.models(model)
    return Run(
        benchmark=tiny.benchmark(),
        candidates=candidates(approaches(), models.names),
        models=models,
        options=OPTIONS,
        folder=folder,
        events=events or Dying(),
    )


def described(run: Run) -> list[dict[str, Any]]:
    """The candidates as run.json holds them."""
    return [plan.described(candidate) for candidate in run.candidates]


def told(run: Run) -> dict[str, Evaluation]:
    """What the stored rows of a run say of each candidate; scored again they say the same."""
    with closing(Store(run.folder / "run.sqlite")) as store:
        assert rescored(run.benchmark, store) == 0
        return {each.candidate: each for each in evaluations(run.benchmark, described(run), store)}


def main(folder: str, model: str, where: str = "", number: str = "0") -> None:
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from strategies.finetuning import checkpoints

    torch.set_num_threads(1)
    checkpoints.EVERY_S, checkpoints.SHARE = 0.0, float("inf")  # After each step.
    events = Dying(where, int(number))
    register_optimizer_step_post_hook(lambda *_: events.count("step"))
    bakeoff(Path(folder), Path(model), events).execute()


if __name__ == "__main__":
    main(*sys.argv[1:])
