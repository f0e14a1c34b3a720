"""Answers from a file: another system, a hosted fine-tune, people. Matched to the cases by their input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from strategies.contract import (
    Failure,
    Family,
    Fitted,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
    Workbench,
)


@dataclass(frozen=True, kw_only=True)
class RecordedAnswer:
    """One line of the file, with what it cost where the file says so."""

    text: str
    seconds: float | None = None
    """None: the file does not say."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A system that already answered; built from the spec, one for each name in the file. It is its own fit."""

    family: ClassVar[Family] = "recorded"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 8

    name: str
    answers: Mapping[str, RecordedAnswer]
    """By query key."""

    @property
    def digest(self) -> str:
        """A hash of what it answers: another file under the same name is another system."""
        said = sorted((key, row.text) for key, row in self.answers.items())
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:20]

    def unsuitable(self, task: Task) -> str:
        return ""

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        return self

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for query in queries:
            known = self.answers.get(query.key)
            if known is None:
                yield query.key, Failure(kind="refused", message="the file holds no answer to this input")
                continue
            usage = Usage(
                model=self.name,
                step="answering",
                prompt_tokens=known.prompt_tokens,
                answer_tokens=known.answer_tokens,
                seconds=known.seconds or 0.0,
                cost=known.cost,
            )
            yield query.key, Prediction(text=known.text, usage=(usage,))

    def waits(self, queries: Sequence[Query]) -> list[float]:
        """Seconds that the file states for those of the queries that it answers; none where it does not for one of these."""
        found = [self.answers[query.key].seconds for query in queries if query.key in self.answers]
        stated = [seconds for seconds in found if seconds is not None]
        return stated if len(stated) == len(found) else []

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rows = {key: asdict(row) for key, row in self.answers.items()}
        text = json.dumps({"name": self.name, "answers": rows}, ensure_ascii=False)
        (folder / "recorded.json").write_text(text, encoding="utf-8")

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        saved = json.loads((folder / "recorded.json").read_text(encoding="utf-8"))
        rows = {key: RecordedAnswer(**row) for key, row in saved["answers"].items()}
        return Recorded(name=saved["name"], answers=rows)

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def describe(self) -> Mapping[str, Any]:
        return {"recorded answers": len(self.answers)}


CANDIDATES: tuple[Strategy, ...] = ()
"""A run adds one for each system in the spec's `recorded` file."""
