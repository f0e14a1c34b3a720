"""A real run in a process of its own, which tells line by line how far it is: it can be weighed, disturbed and killed.

`python -m benchmarks.studies.scale.real JSON` performs what `Asked` says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.contract import Benchmark, Candidate
from benchmarks.running.models import Models
from benchmarks.running.plan import SHARD, Unit
from benchmarks.storage.store import UnitResult
from benchmarks.studies.settings import ROOT

APPROACHES = {
    "light": ("majority", "tf-idf", "linear head", "copy nearest"),
    "default": ("majority", "copy nearest", "linear head", "prompting"),
    "heavy": ("majority", "copy nearest"),
}
"""Of the light runs, whose vectors are hashes of words; of those with the default models, which tell spam from other text
messages; and of light ones beside which stand some whose fits are heavy."""
HEAVY = 4
MODEL = "smollm2-135m"
DATASET, EXAMPLES, TUNING = "sms_spam", 400, 2_000
FIXED = {"ADVISOR_THREADS": "1", "OMP_NUM_THREADS": "1", "ADVISOR_BATCH_TOKENS": "4096"}
"""One thread for each worker, and nothing left to chance that could change a last digit."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One run: approaches, held-out cases, where, and into which folder."""

    what: str
    """`light`, `default` or `heavy`."""
    folder: str
    cases: int
    half: int = 0
    """1 or 2: that half of the held-out cases alone; 0: all."""
    on: str = "here"
    workers: int | None = None


@dataclass(kw_only=True)
class Life:
    """How a process ended, what it told, and how long it lived in seconds, its imports included."""

    code: int = 0
    seconds: float = 0.0
    told: list[dict[str, Any]] = field(default_factory=list)
    errors: str = ""

    def finished(self) -> list[str]:
        """Names of the units that it told to be stored."""
        return [line["unit"] for line in self.told if line["what"] == "finished"]

    def memory_mb(self) -> list[float]:
        """Of the process that writes, while held-out cases were answered."""
        return [line["mb"] for line in self.told if line["what"] == "finished" and line["kind"] == "answer"]


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """Called with the process that runs the comparison once it has told of so many finished units."""

    after: int
    disturb: Callable[[subprocess.Popen[str]], None]


def begun(asked: Asked, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """The run in a process of its own; stderr goes beside its folder."""
    with Path(f"{asked.folder}.err").open("a", encoding="utf-8") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.studies.scale.real", json.dumps(asdict(asked))],
            cwd=ROOT,
            env={**os.environ, **FIXED, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def lived(asked: Asked, environment: Mapping[str, str] | None = None, then: Disturbance | None = None) -> Life:
    """The run from its start to its end, whoever brings that about."""
    (life,) = lived_together([asked], environment, then)
    return life


def lived_together(
    asked: Sequence[Asked], environment: Mapping[str, str] | None = None, then: Disturbance | None = None
) -> list[Life]:
    """Several runs that begin at once. `then` is for a single one."""
    started = time.perf_counter()

    def ended(each: Asked, process: subprocess.Popen[str]) -> Life:
        told = list(_listened(process, then))
        code, seconds = process.wait(), time.perf_counter() - started
        errors = Path(f"{each.folder}.err").read_text(encoding="utf-8", errors="replace")
        return Life(code=code, seconds=seconds, told=told, errors=errors)

    with ThreadPoolExecutor(len(asked)) as listeners:
        return list(listeners.map(ended, asked, [begun(each, environment or {}) for each in asked]))


def _listened(process: subprocess.Popen[str], then: Disturbance | None) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    finished = 0
    with process.stdout:
        for text in process.stdout:
            if text.endswith("\n"):
                line = json.loads(text)
                yield line
                finished += line["what"] == "finished"
                if then is not None and finished == then.after:
                    then.disturb(process)
                    then = None


# ---------------------------------------------------------------- in that process


@dataclass(frozen=True)
class Telling:
    """Events of a run, told to whoever started the process, with the memory of this one."""

    def started(self, unit: Unit, number: int, total: int) -> None: ...

    def progress(self, unit: Unit, done: int, total: int, what: str) -> None: ...

    def finished(self, unit: Unit, done: UnitResult) -> None:
        import psutil

        mb = psutil.Process().memory_info().rss / 1e6
        tell("finished", unit=unit.name, kind=unit.kind, mb=round(mb, 1))


def tell(what: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"what": what, **more}) + "\n")
    sys.stdout.flush()


def perform(asked: Asked) -> None:
    """The run alone, without checks: what is measured is who shares out the work and writes it down."""
    from benchmarks.executors.chosen import chosen
    from benchmarks.running.plan import Options, candidates
    from benchmarks.running.run import Run
    from strategies.approaches.prompting import Prompting
    from strategies.catalog import approaches

    benchmark, models = (_default if asked.what == "default" else _light)(asked)
    Run(
        benchmark=replace(benchmark, heldout=halved(benchmark.heldout, asked.half)),
        candidates=[
            *(
                replace(each, strategy=Prompting(shots=())) if each.name == "prompting" else each
                for each in candidates(approaches(), models.names)
                if each.name in APPROACHES[asked.what]
            ),
            *(_heavy() if asked.what == "heavy" else ()),
        ],
        models=models,
        options=Options(tuning_tokens=TUNING, probes=False),
        folder=Path(asked.folder),
        events=Telling(),
        executor=chosen(asked.on, asked.workers),
    ).execute()


def _heavy() -> list[Candidate]:
    from tests.heavy import Heavy

    return [Candidate(name=f"heavy {number}", strategy=Heavy(number=number), model="") for number in range(HEAVY)]


def _light(asked: Asked) -> tuple[Benchmark, Models]:
    from tests import tiny

    models = Models(specs=(), dtype="float32", _embedder=tiny.WordHashes(), _placement=tiny.FLOAT32)
    return tiny.benchmark(examples=EXAMPLES, heldout=asked.cases), models


def _default(asked: Asked) -> tuple[Benchmark, Models]:
    from benchmarks.data.assemble import assemble
    from benchmarks.specs.spec_models import ModelSpec

    return assemble(written(asked)).benchmark, Models(specs=(ModelSpec(name=MODEL),), dtype="float32")


def written(asked: Asked) -> Path:
    """The task as files beside the run's folder: some messages of the set are examples, as many as asked for held out."""
    from benchmarks.tasks import find

    task = find(DATASET)
    assert task is not None
    spec, folder = task.open()
    rows = [line for name in ("train", "test") for line in (folder / f"{name}.jsonl").open(encoding="utf-8")]
    place = Path(f"{asked.folder}.task")
    place.mkdir(parents=True, exist_ok=True)
    (place / "examples.jsonl").write_text("".join(rows[:EXAMPLES]), encoding="utf-8")
    (place / "heldout.jsonl").write_text("".join(rows[EXAMPLES : EXAMPLES + asked.cases]), encoding="utf-8")
    values = {
        "name": "messages",
        "kind": "classification",
        "instruction": spec.instruction,
        "examples": "examples.jsonl",
        "heldout": "heldout.jsonl",
        "labels": list(spec.labels or ()),
        "target": 0.9,
    }
    (place / "task.yaml").write_text(json.dumps(values), encoding="utf-8")
    return place / "task.yaml"


def halved(cases: Any, half: int) -> Any:
    """One half of the sequence, in whole pieces as they are handed out."""
    middle = (len(cases) // 2 + SHARD - 1) // SHARD * SHARD
    return {0: cases, 1: cases[:middle], 2: cases[middle:]}[half]


if __name__ == "__main__":
    perform(Asked(**json.loads(sys.argv[1])))
