"""The runs that faults are injected into: all kinds of approaches with tiny random models, on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.running.plan import Unit
from benchmarks.storage.store import UnitResult
from benchmarks.studies.faults_injected.children import REFUSED, Tell

APPROACHES = ("majority", "copy nearest", "prompting", "lora")
"""One of each kind: nothing to fit, an index, a search, trainings."""


@dataclass(frozen=True)
class Telling:
    """Events of a run that are told to the parent."""

    tell: Tell
    also: Callable[[Unit], None] = lambda unit: None
    """Called with each unit that begins."""

    def started(self, unit: Unit, number: int, total: int) -> None:
        self.also(unit)
        self.tell("started", unit=unit.name, kind=unit.kind, candidate=unit.candidate)

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None: ...

    def finished(self, unit: Unit, done: UnitResult) -> None:
        """The unit is in the database now."""
        self.tell("finished", unit=unit.name, kind=unit.kind, candidate=unit.candidate)


def load() -> None:
    """Everything heavy, once, so that forks of this process start at once.

    The size of batches is set: for tiny models on a busy machine it is chance which is quickest, and another one changes
    last digits.
    """
    os.environ["ADVISOR_BATCH_TOKENS"] = "4096"
    import sentence_transformers  # noqa: F401
    import torch
    import transformers  # noqa: F401

    from benchmarks.running import (
        work,  # noqa: F401
    )
    from strategies.catalog import approaches
    from strategies.finetuning import training  # noqa: F401
    from strategies.models import engine, local  # noqa: F401

    torch.set_num_threads(1)
    approaches()


def write_model(place: Path) -> Path:
    from tests.tiny import model_folder

    return model_folder(place)


def bakeoff(
    folder: Path, model: Path, names: tuple[str, ...] = APPROACHES, short: bool = False
) -> Callable[[Tell], int]:
    """The work of a child: messages of four topics, 24 examples and 12 held-out cases, whatever is left to do of it.

    In a `short` one a training has fewer steps, and nothing is probed: as many kinds of files are written, fewer times.
    """

    def work(tell: Tell) -> int:
        from benchmarks.running.plan import Options, candidates
        from benchmarks.running.run import Run
        from benchmarks.storage.disk import disk_fault
        from strategies.catalog import approaches
        from tests import tiny

        models = tiny.models(model)
        chosen = [each for each in candidates(approaches(), models.names) if each.name in names]
        run = Run(
            benchmark=tiny.benchmark(),
            candidates=chosen,
            models=models,
            options=Options(tuning_tokens=1_000, probes=False, second_seed=False)
            if short
            else Options(tuning_tokens=20_000),
            folder=folder,
            events=Telling(tell),
        )
        try:
            run.execute()
        except Exception as error:
            if said := disk_fault(error):
                tell("refused", said=said)
                return REFUSED
            raise
        return 0

    return work
