"""A rung without a language model: the sentence of the documents that lies nearest to the question."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from strategies.approaches.copy_nearest import BATCH
from strategies.contract import (
    Case,
    Evidence,
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
from strategies.prompting.demonstrations import Shown, holds
from strategies.retrieval.chunking import sentences
from strategies.retrieval.index import Mode, PassageIndex
from strategies.spans import standing_answers
from strategies.standalone.alone import CHOICE

MODES: tuple[Mode, ...] = ("dense", "hybrid")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How sentences are searched, and which answer stands by itself where none is at least as similar as `least`."""

    mode: Mode
    otherwise: str = ""
    """Empty: a sentence is always given."""
    least: float = 0.0


@dataclass(frozen=True)
class Quoting:
    """Answers with a sentence, word for word, and says where it stands."""

    index: PassageIndex
    choice: Choice

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for first in range(0, len(queries), BATCH):
            part = queries[first : first + BATCH]
            start = time.perf_counter()
            found = self.index.search([query.input for query in part], 1, self.choice.mode)
            seconds = (time.perf_counter() - start) / len(part)
            for query, evidence in zip(part, found, strict=True):
                usage = Usage(model=self.index.embedder.name, step="answering", seconds=seconds)
                yield query.key, Prediction(text=self._text(evidence), evidence=evidence, usage=(usage,))

    def _text(self, evidence: Sequence[Evidence]) -> str:
        if not evidence or (self.choice.otherwise and evidence[0].score < self.choice.least):
            return self.choice.otherwise
        return quoted(evidence[0])

    def save(self, folder: Path) -> None:
        self.index.save(folder)
        (folder / CHOICE).write_text(json.dumps(asdict(self.choice), ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {"sentences": len(self.index.passages), "embedder": self.index.embedder.name, **asdict(self.choice)}


def quoted(evidence: Evidence) -> str:
    """The sentence as it stands in the document, without the title that is shown before it."""
    return evidence.text[len(evidence.text) - (evidence.end - evidence.start) :]


@dataclass(frozen=True, kw_only=True)
class BestSentence:
    """What looking up alone is worth, where a whole sentence may be the answer."""

    name: ClassVar[str] = "best sentence"
    says: ClassVar[str] = (
        "gives the sentence of the documents that is nearest to the question, without a language model"
    )
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 2
    quotes: ClassVar[bool] = True

    def unsuitable(self, task: Task) -> str:
        if task.labels:
            return "answers are labels, which are no sentences of the documents"
        return (
            ""
            if task.kind == "qa" and task.documents
            else "there are no documents whose sentences could be the answers"
        )

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        start = time.perf_counter()
        index = PassageIndex.made(sentences(task.documents), bench.embedder).taught(task.examples)
        fitted = Quoting(index, _choose(task, index))
        bench.record(Usage(model=bench.embedder.name, step="index", seconds=time.perf_counter() - start))
        return fitted

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        choice = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
        return Quoting(PassageIndex.load(folder, bench.embedder), Choice(**choice))

    def again(self, folder: Path, task: Task, bench: Workbench) -> None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self.fit(task, bench)


def _choose(task: Task, index: PassageIndex) -> Choice:
    """The way to search that brings the answer's own words most often, and from which similarity on a sentence is given."""
    cases, texts = task.examples, [case.input for case in task.examples]
    found = {mode: index.search(texts, 1, mode) for mode in MODES}
    mode = max(MODES, key=lambda each: sum(map(holds, map(Shown, cases, found[each]))))
    standing = standing_answers(cases)
    if not standing:
        return Choice(mode=mode)
    marks = sorted(
        (evidence[0].score, *_worth(task, case, evidence, standing[0]))
        for case, evidence in zip(cases, found[mode], strict=True)
        if evidence
    )
    return Choice(mode=mode, otherwise=standing[0], least=_threshold(marks))


def _worth(task: Task, case: Case, evidence: Sequence[Evidence], standing: str) -> tuple[float, float]:
    """What the sentence and the standing answer score."""
    given, declined = Prediction(text=quoted(evidence[0])), Prediction(text=standing)
    return task.score(case, given), task.score(case, declined)


def _threshold(marks: Sequence[tuple[float, float, float]]) -> float:
    """Of (similarity, worth of the sentence, worth of the standing answer), in rising order of similarity: the lowest
    threshold at which the sum of what is given is the greatest."""
    total = best = sum(given for _, given, _ in marks)
    least = 0.0
    for place, (similarity, given, declined) in enumerate(marks):
        total += declined - given
        last_of_its_kind = place + 1 == len(marks) or marks[place + 1][0] > similarity
        if last_of_its_kind and total > best + 1e-9:
            best = total
            least = marks[place + 1][0] if place + 1 < len(marks) else 2.0
    return least


CANDIDATES: tuple[Strategy, ...] = (BestSentence(),)
