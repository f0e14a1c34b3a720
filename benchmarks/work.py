"""Performs one unit of work: fit, answer, or one of the checks. Whoever answers gets queries only."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import consistency
from benchmarks.contract import BadInput, Benchmark, Candidate, Row, ScoreFailure
from benchmarks.curve import sampled
from benchmarks.disk import disk_fault
from benchmarks.forgetting import general_texts
from benchmarks.models import Models
from benchmarks.paths import without_folders
from benchmarks.plan import Options, Unit, curve_part, shards
from benchmarks.remembering import Memory, Settling
from benchmarks.store import Finished
from benchmarks.workbench import Bench, Progress
from strategies.answers import sureness
from strategies.contract import (
    Case,
    DeadAdapter,
    Diverged,
    Evidence,
    Failure,
    Fitted,
    Fold,
    Journal,
    Outcome,
    Prediction,
    Query,
    Sampling,
    Strategy,
    Task,
    Usage,
)
from strategies.models.weights import ModelUnavailable
from strategies.retrieval.index import Finder, Mode
from strategies.search import total

LATENCY_REQUESTS = 20
"""Single requests, one at a time, after two to warm up."""
SILENT = Failure(kind="infrastructure", message="the approach gave no answer to this query")
AGAIN = "again"
"""In the note of a fit that failed by a fault that may pass: it is not finished when the run goes on."""


@dataclass
class Worker:
    """Everything that units of one run share. Fits lie in `folder`/fits, named by their unit."""

    benchmark: Benchmark
    models: Models
    options: Options
    folder: Path
    journal: Callable[[str], Journal]
    on_progress: Progress
    fits: Mapping[str, str] = field(default_factory=dict)
    """candidate -> name of its fit unit."""
    memory: Memory | None = None
    """Answers of servers within a unit that was cut off."""
    _fitted: tuple[str, Fitted] | None = field(default=None, repr=False)

    def perform(self, unit: Unit, candidate: Candidate) -> Finished:
        work: Mapping[str, Callable[[Unit, Candidate], Finished]] = {
            "fit": self._fit,
            "answer": self._answer,
            "edit": self._edit,
            "repeat": self._repeat,
            "latency": self._latency,
            "seed": self._seed,
            "oracle": self._oracle,
            "forgetting": self._forgetting,
            "curve": self._curve,
        }
        if self.memory is not None:
            self.memory.turn_to("" if unit.kind == "latency" else unit.name)
        return work[unit.kind](unit, candidate)

    # ------------------------------------------------------------ fitting

    def _fit(self, unit: Unit, candidate: Candidate) -> Finished:
        """Fits and saves. A fit that cannot be used becomes a problem with a sentence, never a score."""
        bench = self.bench(candidate, self.options.seed)
        start = time.perf_counter()
        try:
            fitted = candidate.strategy.fit(self.benchmark.task, bench)
        except (Diverged, DeadAdapter) as error:
            note: dict[str, Any] = {"problem": str(error)}
        except (BadInput, ModelUnavailable, ScoreFailure):
            raise
        except Exception as error:
            if disk_fault(error):
                raise
            logging.getLogger(__name__).debug("fit of %s failed", candidate.name, exc_info=True)
            said = without_folders(f"fitting failed with {type(error).__name__}: {error}")
            note = {"problem": f"{said}; resuming the run tries it again", AGAIN: True}
        else:
            folder = self.fit_folder(candidate)
            shutil.rmtree(folder, ignore_errors=True)
            fitted.save(folder)
            (folder / "complete.json").write_text(json.dumps({"candidate": candidate.name}), encoding="utf-8")
            chosen = dict(fitted.describe())
            if "selection_score" not in chosen and not candidate.strategy.needs:
                chosen |= untuned(candidate.strategy, self.benchmark.task, bench)
            note = {"selection_answers": chosen.pop("selection_answers", []), "chosen": chosen}
        self._fitted = None  # What is measured is what was saved, in an uninterrupted run as in a resumed one.
        note["seconds"] = time.perf_counter() - start
        return Finished(
            unit=unit.name,
            kind="fit",
            candidate=candidate.name,
            usage=total(bench.spent),
            trials=tuple(bench.trials),
            note=note,
        )

    def bench(self, candidate: Candidate, seed: int) -> Bench:
        model = self.models.language(candidate.model).fingerprint if candidate.model else ""
        journal = self.journal(f"{self.benchmark.task.name}|{task_hash(self.benchmark)}|{model}|{seed}")
        return Bench(
            models=self.models,
            model_name=candidate.model,
            seed=seed,
            tuning_tokens=self.options.tuning_tokens,
            journal=journal if self.memory is None else Settling(journal=journal, memory=self.memory),
            folder=self.folder,
            on_progress=self.on_progress,
            memory=self.memory,
        )

    def fit_folder(self, candidate: Candidate) -> Path:
        return self.folder / "fits" / self.fits[candidate.name]

    def fitted(self, candidate: Candidate) -> Fitted:
        """The saved artifact, loaded: what is measured is what would be deployed."""
        if self._fitted is None or self._fitted[0] != candidate.name:
            bench = self.bench(candidate, self.options.seed)
            self._fitted = (candidate.name, candidate.strategy.load(self.fit_folder(candidate), bench))
        if not (candidate.model and self.models.served(candidate.model)):
            self._warm(self._fitted[1])
        return self._fitted[1]

    def _warm(self, fitted: Fitted) -> None:
        """One example is answered before anything is timed, so that loading and indexing are not charged to answers.

        A server is not asked: it times its own requests, and each may cost money.
        """
        first = self.benchmark.task.examples[0]
        list(fitted.answer([Query.of(first.input)], Sampling()))

    # ------------------------------------------------------------ answering

    def _answer(self, unit: Unit, candidate: Candidate) -> Finished:
        first, last = shards(self.benchmark)[unit.part]
        cases = self.benchmark.heldout[first:last]
        outcomes = self.ask(self.fitted(candidate), [case.input for case in cases], self.sampling(0))
        rows = tuple(
            self.row(candidate, ("heldout", ""), case, found) for case, found in zip(cases, outcomes, strict=True)
        )
        return self._done(unit, candidate, rows)

    def sampling(self, repeat: int) -> Sampling:
        return Sampling(temperature=self.benchmark.task.temperature, seed=self.options.seed + repeat)

    def ask(self, fitted: Fitted, inputs: Sequence[str], sampling: Sampling) -> list[Outcome]:
        """Outcomes in the order of the inputs; equal inputs are asked once. A missing answer is a failure."""
        queries = list({query.key: query for query in map(Query.of, inputs)}.values())
        found: dict[str, Outcome] = {}
        with _NotRemembering(self.models):
            for key, outcome in fitted.answer(queries, sampling):
                found[key] = outcome
                self.on_progress(len(found), len(queries), "answering")
        return [found.get(Query.of(text).key, SILENT) for text in inputs]

    def row(self, candidate: Candidate, purpose: tuple[str, str], case: Case, outcome: Outcome) -> Row:
        return Row(
            candidate=candidate.name,
            purpose=purpose[0],
            variant=purpose[1],
            key=case.id,
            outcome=outcome,
            score=self.benchmark.task.score(case, outcome),
        )

    def _done(self, unit: Unit, candidate: Candidate, rows: Iterable[Row], note: Any = None) -> Finished:
        kept = tuple(rows)
        usage = total([spent for row in kept for spent in row.outcome.usage])
        return Finished(unit=unit.name, kind=unit.kind, candidate=candidate.name, rows=kept, usage=usage, note=note)

    # ------------------------------------------------------------ checks

    def _probe_cases(self) -> list[Case]:
        return consistency.probe_cases(self.benchmark, self.options.seed)

    def _edit(self, unit: Unit, candidate: Candidate) -> Finished:
        edits = consistency.edited(self._probe_cases(), self.benchmark.task.kind)
        outcomes = self.ask(self.fitted(candidate), [text for _, _, text in edits], self.sampling(0))
        return self._done(
            unit,
            candidate,
            [
                self.row(candidate, ("edit", edit.name), case, found)
                for (case, edit, _), found in zip(edits, outcomes, strict=True)
            ],
        )

    def _repeat(self, unit: Unit, candidate: Candidate) -> Finished:
        """At temperature 0 the probe cases in two halves, so among other batch neighbours; else drawn again."""
        rows = []
        for half in (self._probe_cases()[::2], self._probe_cases()[1::2]):
            outcomes = self.ask(self.fitted(candidate), [case.input for case in half], self.sampling(1))
            rows += [
                self.row(candidate, ("repeat", "1"), case, found) for case, found in zip(half, outcomes, strict=True)
            ]
        return self._done(unit, candidate, rows)

    def _seed(self, unit: Unit, candidate: Candidate) -> Finished:
        bench = self.bench(candidate, self.options.seed + 1)
        fitted = candidate.strategy.again(self.fit_folder(candidate), self.benchmark.task, bench)
        if fitted is None:
            return self._done(unit, candidate, ())
        cases = self._probe_cases()
        outcomes = self.ask(fitted, [case.input for case in cases], self.sampling(0))
        rows = [self.row(candidate, ("seed", "1"), case, found) for case, found in zip(cases, outcomes, strict=True)]
        done = self._done(unit, candidate, rows)
        return replace(done, usage=(*total(bench.spent), *done.usage))

    def _curve(self, unit: Unit, candidate: Candidate) -> Finished:
        """The chosen configuration built from fewer examples. What is trained for it is not kept."""
        size, draw = curve_part(self.benchmark, unit.part)
        cases, scratch = self._probe_cases(), self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        bench = replace(self.bench(candidate, self.options.seed + draw), folder=scratch)
        task = sampled(self.benchmark.task, size, self.options.seed + draw)
        try:
            fitted = candidate.strategy.rebuilt(self.fit_folder(candidate), task, bench)
            outcomes = [] if fitted is None else self.ask(fitted, [case.input for case in cases], self.sampling(0))
        except Diverged:
            outcomes = []  # With a sample missing there is no curve.
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        named = ("curve", f"{size}/{draw}")
        rows = [self.row(candidate, named, case, found) for case, found in zip(cases, outcomes, strict=False)]
        done = self._done(unit, candidate, rows)
        return replace(done, usage=(*total(bench.spent), *done.usage))

    def _latency(self, unit: Unit, candidate: Candidate) -> Finished:
        """Wall-clock seconds of single warm requests; for recorded answers what the file says."""
        fitted = self.fitted(candidate)
        cases = self._probe_cases()[: LATENCY_REQUESTS + 2]
        seconds: list[float] = []
        used: list[Usage] = []
        with _NotRemembering(self.models):
            for case in cases:
                start = time.perf_counter()
                outcome = dict(fitted.answer([Query.of(case.input)], self.sampling(0)))[Query.of(case.input).key]
                spent = time.perf_counter() - start
                recorded = candidate.strategy.family == "recorded"
                used += () if recorded else outcome.usage
                seconds.append(sum(row.seconds for row in outcome.usage) if recorded else spent)
        done = self._done(unit, candidate, (), {"seconds": seconds[2:] or seconds})
        return replace(done, usage=total(used))

    def _oracle(self, unit: Unit, candidate: Candidate) -> Finished:
        """Answers with the gold documents handed over: bounds what better retrieval could buy; never ranked."""
        from strategies.pipeline import Pipeline, Sources
        from strategies.retrieval.chunking import heading

        fitted = self.fitted(candidate)
        cases = [case for case in self._probe_cases() if case.document_ids]
        if not isinstance(fitted, Pipeline) or not fitted.setup.passages:
            return self._done(unit, candidate, ())
        documents = {document.id: document for document in self.benchmark.task.documents}
        texts = {
            case.input: tuple(
                heading(documents[name]) + documents[name].text for name in case.document_ids if name in documents
            )
            for case in cases
        }
        known = fitted.sources
        gold = replace(fitted, sources=Sources(known.cases, known.embedder, GoldIndex(texts, known.index)))
        outcomes = self.ask(gold, [case.input for case in cases], self.sampling(0))
        rows = [
            self.row(candidate, ("oracle", "gold"), case, found) for case, found in zip(cases, outcomes, strict=True)
        ]
        return self._done(unit, candidate, rows)

    def _forgetting(self, unit: Unit, candidate: Candidate) -> Finished:
        """How the tuned model and its base read general text; nothing where no adapter is in effect."""
        from strategies.finetuning.drift import drifts
        from strategies.pipeline import Pipeline

        fitted = self.fitted(candidate)
        if not isinstance(fitted, Pipeline) or fitted.adapter is None:
            return self._done(unit, candidate, ())
        start, found, texts = time.perf_counter(), [], general_texts()
        for drift in drifts(self.models.language(candidate.model), fitted.speaker, texts):
            found.append(asdict(drift))
            self.on_progress(len(found), len(texts), "reading general text")
        read, seconds = 2 * sum(each["tokens"] for each in found), time.perf_counter() - start
        used = Usage(model=candidate.model, step="answering", prompt_tokens=read, seconds=seconds, calls=len(found))
        return replace(self._done(unit, candidate, (), {"drifts": found}), usage=(used,))


@dataclass(frozen=True)
class GoldIndex:
    """Stands in for a passage index and finds the gold documents: only the benchmark's side can make one.

    For texts without any, such as the questions of demonstrations, it is the index that it stands in for.
    """

    passages: Mapping[str, tuple[str, ...]]
    index: Finder | None = None

    def search(self, texts: Sequence[str], k: int, mode: Mode = "hybrid") -> list[tuple[Evidence, ...]]:
        others = [text for text in texts if text not in self.passages]
        found = dict(zip(others, self.index.search(others, k, mode) if self.index else (), strict=False))
        return [
            tuple(Evidence(document_id="", text=text, score=1.0) for text in self.passages[asked][:k])
            if asked in self.passages
            else found.get(asked, ())
            for asked in texts
        ]


class _NotRemembering:
    """While held-out cases are answered the embedder keeps no vectors: every approach pays for its own queries."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def __enter__(self) -> None:
        self.models.remember(False)

    def __exit__(self, *_: Any) -> None:
        self.models.remember(True)


def untuned(strategy: Strategy, task: Task, bench: Bench) -> Mapping[str, Any]:
    """The selection score of an approach that has nothing to choose: fits on the training parts, scored on the rest.

    Some procedures test the candidates in the order of these scores (`benchmarks/families.py`). Empty for answers from a
    file that holds none to the examples.
    """
    answers: list[list[Any]] = []
    for fold in task.folds:
        fitted = strategy.fit(replace(task, folds=(Fold(train=fold.train, selection=()),)), bench)
        found = dict(fitted.answer([Query.of(case.input) for case in fold.selection], Sampling()))
        outcomes = [found.get(Query.of(case.input).key, SILENT) for case in fold.selection]
        if strategy.family == "recorded" and not all(isinstance(outcome, Prediction) for outcome in outcomes):
            return {}
        answers += [
            [case.id, getattr(outcome, "text", ""), task.score(case, outcome), sureness(outcome)]
            for case, outcome in zip(fold.selection, outcomes, strict=True)
        ]
    mean = sum(row[2] for row in answers) / len(answers)
    return {"selection_score": mean, "selection_cases": len(answers), "selection_answers": answers}


def task_hash(benchmark: Benchmark) -> str:
    """A hash of all that a fit may learn from."""
    import hashlib

    task = benchmark.task
    parts = [
        task.kind,
        task.instruction,
        json.dumps(list(task.labels)),
        json.dumps(task.schema, sort_keys=True),
        json.dumps([[asdict(case) for case in part] for fold in task.folds for part in (fold.train, fold.selection)]),
        json.dumps([asdict(document) for document in task.documents]),
        benchmark.metric.name,
        repr(benchmark.metric),
    ]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
