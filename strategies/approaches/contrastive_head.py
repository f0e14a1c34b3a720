"""A rung without a language model: the embedder is trained on the examples, then a linear head on its vectors (SetFit's idea)."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from strategies.approaches.copy_nearest import BATCH
from strategies.contract import (
    Case,
    DeadAdapter,
    Family,
    Fitted,
    Outcome,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
    Workbench,
)
from strategies.heads import Head, Looked, best_of, joined, looked
from strategies.leaning import shift_in, shift_told
from strategies.models.contrastive import Lessons
from strategies.models.embedding import LocalEmbedder
from strategies.search import Look, content_key, journalled
from strategies.standalone.alone import HEAD

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse regularisation of the head, chosen by the selection parts; every one is tried on the same trained embedder."""
EPOCHS, LEARNING_RATE = 8, 5e-5
"""At most so many epochs: as many as the budget pays for."""
TRAINED = 2
"""Tokens of the budget that a token of training counts for."""


@dataclass(frozen=True)
class TunedHead:
    """A head on the vectors of the trained embedder, which lies in a folder."""

    embedder: LocalEmbedder
    head: Head
    record: Mapping[str, Any] = field(default_factory=dict)

    def answer(self, queries: Sequence[Query], sampling: Sampling) -> Iterator[tuple[str, Outcome]]:
        for first in range(0, len(queries), BATCH):
            part = queries[first : first + BATCH]
            start = time.perf_counter()
            shares = self.head.probabilities(self.embedder.embed([query.input for query in part]))
            seconds = (time.perf_counter() - start) / len(part)
            for query, row in zip(part, shares, strict=True):
                usage = Usage(model=self.embedder.name, step="answering", seconds=seconds)
                yield query.key, self.head.label(row, (usage,))

    def save(self, folder: Path) -> None:
        import numpy as np

        shutil.copytree(self.embedder.folder, folder / "embedder", dirs_exist_ok=True)
        np.save(folder / "head.npy", self.head.table, allow_pickle=False)
        manifest = {"classes": self.head.classes, "record": dict(self.record)}
        (folder / HEAD).write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")

    def describe(self) -> Mapping[str, Any]:
        return {"embedder": self.embedder.name, **self.record}


@dataclass(frozen=True, kw_only=True)
class ContrastiveHead:
    """Supervised contrastive training (compare SetFit, arXiv 2209.11055), where embeddings as they are do not tell labels
    apart: of moods, styles and meanings that are a trade's own."""

    name: ClassVar[str] = "contrastive head"
    says: ClassVar[str] = (
        "a small text classifier on embeddings that were trained on the examples, without a language model"
    )
    family: ClassVar[Family] = "reference"
    needs: ClassVar[tuple[type, ...]] = ()
    simplicity: ClassVar[int] = 3

    def unsuitable(self, task: Task) -> str:
        return "" if task.labels else "examples are pulled together by their labels, and there are none"

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        epochs = self._epochs(task, bench)
        looks = [self._fold(task, bench, epochs, number) for number in range(len(task.folds))]
        tried = [joined([Looked(*look.notes[str(each)]) for look in looks]).leant(task) for each in STRENGTHS]
        tokens = sum(look.notes["tokens"] for look in looks) // len(STRENGTHS)
        for strength, each in zip(STRENGTHS, tried, strict=True):
            bench.tried(each.trial(self.name, {"C": strength, "epochs": epochs}, tokens))
        place = best_of(tried)
        record = {
            "C": STRENGTHS[place],
            **shift_told(tried[place].shift),
            "epochs": epochs,
            "examples": len(task.examples),
            "selection_score": tried[place].score,
            "selection_cases": len(tried[place].rows),
            "configurations_tried": len(STRENGTHS),
            "rising": epochs < EPOCHS,
            "selection_answers": tried[place].rows,
        }
        return self._whole(task, bench, record)

    def _epochs(self, task: Task, bench: Workbench) -> int:
        """As many as the budget pays for on all folds; a token of training counts as two."""
        folds = [[case.input for case in fold.train] for fold in task.folds]
        tokens = sum(_trainable(bench).count(texts) for texts in folds)
        return _paid_for(tokens, bench.tuning_tokens)

    def trained_characters(self, task: Task, most: float) -> float:
        """Of the inputs that the embedder is trained on in one fit, each as often as it is read; `most`: what the tuning budget
        pays for, in characters."""
        folds = sum(len(case.input) for fold in task.folds for case in fold.train)
        return float(_paid_for(folds, most) * (folds + sum(len(case.input) for case in task.examples)))

    def _fold(self, task: Task, bench: Workbench, epochs: int, number: int) -> Look:
        """What each strength answers on the selection part of one fold, after one training on the other part."""
        fold = task.folds[number]
        ids = [[case.id for case in each] for each in (fold.train, fold.selection)]
        part = ("contrastive, shares", bench.embedder.fingerprint, epochs, ids)
        bench.progress(number, len(task.folds), f"{self.name}: training the embedder")
        (look,) = journalled(bench, [part], lambda _: [self._measured(task, bench, epochs, number)])
        for usage in look.usage:
            bench.record(usage)
        return look

    def _measured(self, task: Task, bench: Workbench, epochs: int, number: int) -> Look:
        fold, folder = task.folds[number], bench.folder / "adapters" / f"embedder-fold-{number}"
        try:
            embedder, tokens, usage = _trained(bench, (fold.train, epochs), folder)
            embedder.remember = True  # All heads look at the same vectors.
            vectors = embedder.embed([case.input for case in fold.train])
            wanted = [case.output for case in fold.train]
            heads = {each: TunedHead(embedder, Head.fit(vectors, wanted, each)) for each in STRENGTHS}
            notes = {str(each): astuple(looked(task, number, head)) for each, head in heads.items()}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Look((), (usage,), {**notes, "tokens": TRAINED * tokens})

    def _whole(self, task: Task, bench: Workbench, record: Mapping[str, Any]) -> TunedHead:
        """Trained on all examples; taken from the run's folder where that was done before."""
        inputs = [[case.input, case.output] for case in task.examples]
        key = content_key(["contrastive", inputs, record["epochs"], bench.seed, bench.embedder.fingerprint])
        folder, known = bench.folder / "adapters" / key[:24], bench.journal.get(key)
        if known is None or not folder.is_dir():
            bench.progress(0, 1, f"{self.name}: training on all {len(inputs)} examples")
            _, _, usage = _trained(bench, (task.examples, record["epochs"]), folder)
            known = {"usage": asdict(usage)}
            bench.journal.put(key, known)
        bench.record(Usage(**known["usage"]))
        embedder = _trainable(bench).at(folder)
        vectors = embedder.embed([case.input for case in task.examples])
        head = Head.fit(vectors, [case.output for case in task.examples], record["C"])
        return TunedHead(embedder, head.leant(shift_in(record)), record)

    def load(self, folder: Path, bench: Workbench) -> TunedHead:
        import numpy as np

        manifest = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        table = np.load(folder / "head.npy", allow_pickle=False)
        embedder = _trainable(bench).at(folder / "embedder")
        return TunedHead(embedder, Head.from_table(manifest["classes"], table), manifest["record"])

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self._whole(task, bench, self.load(folder, bench).record)

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted:
        return self._whole(task, bench, self.load(folder, bench).record)


def _paid_for(size: float, budget: float) -> int:
    """Epochs over so much text, at most `EPOCHS`."""
    return max(1, min(EPOCHS, int(budget / (TRAINED * max(1, size)))))


def _trainable(bench: Workbench) -> LocalEmbedder:
    if not isinstance(bench.embedder, LocalEmbedder):
        raise DeadAdapter(f"the embedder {bench.embedder.name} cannot be trained here")
    return bench.embedder


def _trained(bench: Workbench, on: tuple[Sequence[Case], int], folder: Path) -> tuple[LocalEmbedder, int, Usage]:
    """The embedder trained on (cases, epochs) into the folder, which is made anew, the tokens read, and what that cost.

    Tokens of an embedder are none that anybody would be billed for: its cost is its seconds.
    """
    (cases, epochs), start = on, time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    lessons = Lessons(
        texts=[case.input for case in cases],
        labels=[case.output for case in cases],
        epochs=epochs,
        learning_rate=LEARNING_RATE,
    )
    embedder = _trainable(bench)
    tokens = embedder.tuned(lessons, folder, bench.seed)
    seconds = time.perf_counter() - start
    return embedder.at(folder), tokens, Usage(model=embedder.name, step="training", seconds=seconds)


CANDIDATES: tuple[Strategy, ...] = (ContrastiveHead(),)
