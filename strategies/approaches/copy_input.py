"""A rung for tasks that rewrite their input: the input as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from strategies.contract import Family, Fitted, Outcome, Prediction, Query, Sampling, Strategy, Task, Usage, Workbench
from strategies.standalone.alone import COPIED


@dataclass(frozen=True)
class Echo:
    """Every query is its own answer."""

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            yield query.key, Prediction(text=query.input, usage=(Usage(model="", step="answering"),))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / COPIED).write_text("{}", encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, kw_only=True)
class CopyInput:
    """What a rewriting is worth that changes nothing."""

    name: ClassVar[str] = "copy input"
    says: ClassVar[str] = "gives the input back as it came: what a rewriting has to beat"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 1

    def unsuitable(self, task: Task) -> str:
        return "" if task.kind == "generation" else "only a task that rewrites its input can be answered with the input"

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        return Echo()

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return Echo()

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None


CANDIDATES: tuple[Strategy, ...] = (CopyInput(),)
