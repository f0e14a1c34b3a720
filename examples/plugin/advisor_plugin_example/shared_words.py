"""An approach: the answer of the example that shares most words with the request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from strategies.contract import Family, Fitted, Outcome, Prediction, Query, Sampling, Strategy, Task, Usage, Workbench


@dataclass(frozen=True)
class Words:
    """What was fitted: the examples."""

    pairs: tuple[tuple[str, str], ...]

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        known = [(set(text.casefold().split()), answer) for text, answer in self.pairs]
        for query in queries:
            words = set(query.input.casefold().split())
            _, answer = max(known, key=lambda pair: len(pair[0] & words) / (len(pair[0] | words) or 1))
            yield query.key, Prediction(text=answer, usage=(Usage(model="", step="answering"),))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pairs.json").write_text(json.dumps(self.pairs, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {"examples": len(self.pairs)}


@dataclass(frozen=True, kw_only=True)
class SharedWords:
    """Fields would be its configuration; it has none, so there is nothing to choose."""

    name: ClassVar[str] = "shared words"
    says: ClassVar[str] = "gives the answer of the example that shares the most words with the request"
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 1

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        return Words(tuple((case.input, case.output) for case in task.examples))

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        pairs = json.loads((folder / "pairs.json").read_text(encoding="utf-8"))
        return Words(tuple((text, answer) for text, answer in pairs))

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self.fit(task, bench)


CANDIDATES: tuple[Strategy, ...] = (SharedWords(),)
