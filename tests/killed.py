"""A bake-off with tiny models in a process of its own, which kills itself without warning where it is told to.

`python -m tests.killed RUN_FOLDER MODEL_FOLDER` performs it once for each line `WHERE NUMBER` that it reads; WHERE is
`progress`, `step` (of an optimizer), `stored`, one of `POINTS`, or `nowhere`. Each is a fork, since loading torch takes longer
than the run, and its exit code is written as a line.
`python -m tests.killed WHERE NUMBER -- ARGUMENTS` does so to the command line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contract import Evaluation
from benchmarks.evaluation.stored import evaluations, rescored
from benchmarks.running import plan
from benchmarks.running.plan import Options, Unit, candidates
from benchmarks.running.run import Run
from benchmarks.storage.store import Store, UnitResult
from strategies.catalog import approaches
from tests import tiny

OPTIONS = Options(tuning_tokens=20_000)


@dataclass
class Dying:
    """Events of a run that count down to SIGKILL (`benchmarks.running.run.Events`)."""

    where: str = ""
    left: int = 0
    before: Callable[[], object] = object
    """The last thing that it does."""

    def count(self, what: str) -> None:
        if what == self.where:
            self.left -= 1
            if self.left == 0:
                self.before()
                os.kill(os.getpid(), signal.SIGKILL)

    def started(self, unit: Unit, number: int, total: int) -> None: ...

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None:
        self.count("progress")

    def finished(self, unit: Unit, done: UnitResult) -> None:
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


POINTS = ("commit", "adapter", "index", "report", "send", "keep")
"""Between the rows of a unit and their commit; with half of an adapter, an index or a report written; before a question is sent
to a server; after it was answered, and before the answer is written down."""


def dying_at_points(events: Dying) -> None:
    """From now on this process counts down whenever it comes to one of `POINTS`."""
    import numpy as np
    from peft import peft_model

    from benchmarks.storage import store
    from strategies.models import endpoint

    def first(what: str, method: Any) -> Any:
        def counted(*given: Any, **more: Any) -> Any:
            if what != "commit" or given[1] is None:
                events.count(what)
            return method(*given, **more)

        return counted

    def half(what: str, write: Any, *names: str) -> Any:
        def written(*given: Any, **more: Any) -> Any:
            done = write(*given, **more)
            path = next(Path(each) for each in given if isinstance(each, str | Path))
            if events.where == what and any(path.match(name) for name in names):
                events.before = lambda: os.truncate(path, path.stat().st_size // 2)
                events.count(what)
            return done

        return written

    places: Any = (store._Transaction, store.Store, endpoint._Caller, peft_model, np, Path)
    transaction, kept, asking, peft, numpy, path = places
    transaction.__exit__ = first("commit", transaction.__exit__)
    kept.keep_completion = first("keep", kept.keep_completion)
    asking._send = first("send", asking._send)
    peft.safe_save_file = half("adapter", peft.safe_save_file, "adapter_model.safetensors")
    numpy.save = half("index", numpy.save, "nearest.npy", "partial.npy")
    path.write_text = half("report", path.write_text, "report.*.partial")


def main(folder: str, model: str) -> None:
    """Loads what a run takes, starts no thread, and forks."""
    import faiss  # noqa: F401
    import peft  # noqa: F401
    import sentence_transformers  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import torch

    torch.set_num_threads(1)
    for line in sys.stdin:
        where, number = line.split()
        pid = os.fork()
        if pid == 0:
            perform(Path(folder), Path(model), Dying(where, int(number)))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def perform(folder: Path, model: Path, events: Dying) -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from strategies.finetuning import checkpoints

    checkpoints.EVERY_S, checkpoints.SHARE = 0.0, float("inf")  # After each step.
    register_optimizer_step_post_hook(lambda *_: events.count("step"))
    dying_at_points(events)
    bakeoff(folder, model, events).execute()


def command(where: str, number: str, _: str, *arguments: str) -> None:
    """The command line, which dies there."""
    from advisor.cli import run_command_line

    dying_at_points(Dying(where, int(number)))
    run_command_line(arguments)


if __name__ == "__main__":
    (command if "--" in sys.argv[3:4] else main)(*sys.argv[1:])
