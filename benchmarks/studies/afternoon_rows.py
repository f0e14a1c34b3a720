"""How the rows of an afternoon lie in a file: which cases, which arms with their time, and every answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from advisor.wording import listed
from benchmarks.contract import BadInput, Benchmark
from benchmarks.running.machine_load import NOTICED
from benchmarks.storage.packed import read_lines, write_lines
from strategies.models.measured import cores

FILE = "afternoon-{}.jsonl.gz"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One answer of one arm. `seconds` is its share of its batch."""

    arm: str
    id: str
    text: str
    score: float
    seconds: float
    prompt_tokens: int


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One finished arm: when, by which code, where, and the seconds before the first answer."""

    arm: str
    placement: str
    cores: int
    fit_seconds: float
    commit: str
    finished: str
    versions: Mapping[str, str] = field(default_factory=dict)
    others: float | None = None
    """Cores that other programs kept busy meanwhile; None: not known."""

    @classmethod
    def of(cls, name: str, placement: str, fit_seconds: float, begun_by: str, others: float | None = None) -> Arm:
        """`begun_by`: the commit before its work, as the tree may change meanwhile."""
        packages = ("torch", "transformers", "peft", "faiss-cpu", "sentence-transformers")
        return cls(
            arm=name,
            placement=placement,
            cores=cores(),
            fit_seconds=fit_seconds,
            commit=begun_by,
            finished=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            versions={package: version(package) for package in packages},
            others=others,
        )


@dataclass(kw_only=True)
class Record:
    """The file of one task. `arms` holds the finished ones, `rows` their answers in the order of the held-out cases."""

    file: Path
    about: Mapping[str, Any]
    arms: dict[str, Arm] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Record:
        """The record in the file. Raises `BadInput` where the file is none."""
        lines = read_lines(file)
        about = next(lines, {})
        if about.get("study") != "afternoon":
            raise BadInput(f"{file.name} holds no rows of an afternoon. Remove it and run the study again.")
        record = cls(file=file, about=about)
        for line in lines:
            if "id" in line:
                record.rows[line["arm"]].append(Row(**line))
            else:
                record.arms[line["arm"]] = Arm(**line)
                record.rows[line["arm"]] = []
        return record

    @classmethod
    def opened(cls, file: Path, benchmark: Benchmark) -> Record:
        """The record to go on with, or a new one. Raises `BadInput` where the file is about other cases."""
        about = {
            "study": "afternoon",
            "task": benchmark.task.name,
            "fingerprint": benchmark.fingerprint,
            "examples": examples_hash(benchmark),
            "example_cases": len(benchmark.task.examples),
            "heldout_cases": len(benchmark.heldout),
            "metric": benchmark.metric.name,
        }
        if not file.exists():
            return cls(file=file, about=about)
        record = cls.read(file)
        if record.about != about:
            raise BadInput(
                f"{file.name} holds answers on other cases of {benchmark.task.name}. Remove it to begin anew, or name "
                "another folder with --rows."
            )
        return record

    def disturbed(self) -> str:
        """A sentence on the arms that other programs slowed down; empty where none is known to have been."""
        told = [f"{arm.arm} ({arm.others:.1f} cores)" for arm in self.arms.values() if (arm.others or 0) > NOTICED]
        return f" Other programs ran beside {listed(told)}: seconds there are too high." if told else ""

    def add(self, arm: Arm, rows: Sequence[Row]) -> None:
        """Takes a finished arm and writes the file anew, whole."""
        self.arms[arm.arm] = arm
        self.rows[arm.arm] = list(rows)
        lines: list[Mapping[str, Any]] = [self.about]
        for name, known in self.arms.items():
            lines.append(asdict(known))
            lines += [asdict(row) for row in self.rows[name]]
        write_lines(self.file, lines)


def examples_hash(benchmark: Benchmark) -> str:
    """A hash of the examples and the names of the documents: what an arm may learn from, and look things up in."""
    task = benchmark.task
    cases = [[case.id, case.input, *case.accepted] for case in task.examples]
    text = json.dumps([cases, [document.id for document in task.documents]], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]
