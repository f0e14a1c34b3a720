"""Performs one unit of work: fit, answer, or one of the checks. Whoever answers gets queries only."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.contract import BadInput, Benchmark, Candidate, Row, State
from benchmarks.probes import consistency
from benchmarks.probes.checks import CHECKS
from benchmarks.running.completion_cache import CompletionCache, SettlingJournal
from benchmarks.running.foreign import code_of
from benchmarks.running.models import Models
from benchmarks.running.plan import Options, Unit, is_advised, is_taught, shards
from benchmarks.running.workbench import Bench, NotRemembering, Progress
from benchmarks.specs.paths import without_folders
from benchmarks.storage.disk import disk_fault
from benchmarks.storage.store import AGAIN, UnitResult
from strategies.answers import sureness, too_many_lost
from strategies.catalog import package_behind
from strategies.contract import (
    Case,
    DeadAdapter,
    Diverged,
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
    Unanswered,
)
from strategies.models.weights import ModelUnavailable
from strategies.prompting.fitting import too_long
from strategies.search import total

Made = TypeVar("Made")
SCRATCH = "scratch-"
"""How the folders begin in which units train for themselves."""
TAKEN_UP = ("rebuild", "curve")
"""Units whose training goes on where it was stopped. The others tell how long it took."""
NO_ANSWER = Failure(kind="infrastructure", message="the approach gave no answer to this query")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What whoever performs the units of a run has to know: plain enough to be handed to another process."""

    benchmark: Benchmark
    models: Models
    options: Options
    folder: Path
    candidates: Mapping[str, Candidate]
    fits: Mapping[str, str]
    """candidate -> name of its fit unit."""

    def worker(self, journal: Callable[[str], Journal], cache: CompletionCache, on_progress: Progress) -> Worker:
        self.models.read_together(case.input for case in self.benchmark.task.examples)
        return Worker(
            benchmark=self.benchmark,
            models=self.models,
            options=self.options,
            folder=self.folder,
            journal=journal,
            on_progress=on_progress,
            fits=self.fits,
            cache=cache,
        )


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
    cache: CompletionCache | None = None
    """Answers of servers within a unit that was cut off."""
    _fitted: tuple[str, Fitted] | None = field(default=None, repr=False)

    def perform(self, unit: Unit, candidate: Candidate) -> UnitResult:
        if self.cache is not None:
            self.cache.turn_to("" if unit.kind == "latency" else unit.name)
        try:
            if unit.kind in CHECKS:
                return CHECKS[unit.kind](self, unit, candidate)
            return self._fit(unit, candidate) if unit.kind == "fit" else self._answer(unit, candidate)
        except ModelUnavailable as error:
            raise BadInput(str(error)) from error
        except BadInput:
            raise
        except Exception as error:
            if disk_fault(error) or not (_its_own(error) or code_of(candidate.strategy)):
                raise
            return _given_up(unit, candidate, error)

    # ------------------------------------------------------------ fitting

    def _fit(self, unit: Unit, candidate: Candidate) -> UnitResult:
        """Fits and saves. A fit that cannot be used becomes a problem with a sentence, never a score."""
        self._fitted = None  # That of another candidate has weights of its own, for which fitting needs the room.
        bench = self.bench(candidate, self.options.seed)
        start = time.perf_counter()
        fitted = self.attempt(candidate, self.benchmark.task, bench)
        if isinstance(fitted, dict):
            note = fitted
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
        return UnitResult(
            unit=unit.name,
            kind="fit",
            candidate=candidate.name,
            usage=total(bench.spent),
            trials=tuple(bench.trials),
            note=note,
        )

    def attempt(self, candidate: Candidate, task: Task, bench: Bench) -> Fitted | dict[str, Any]:
        """The fit, or a note that says why there is none. Errors that are not the approach's own go on."""
        if candidate.model and (said := too_long(bench.model, task)):
            return {"problem": said, "state": str(State.CANNOT_RUN)}
        return self.attempted(lambda: candidate.strategy.fit(task, bench), candidate)

    def attempted(self, make: Callable[[], Made], candidate: Candidate) -> Made | dict[str, Any]:
        """What is made where something is fitted, or such a note."""
        try:
            return make()
        except (Diverged, DeadAdapter) as error:
            return {"problem": str(error)}
        except Unanswered as error:
            said = f"{without_folders(str(error))}; resuming the run asks for them again"
            return {"problem": said, "state": str(State.OPEN), AGAIN: True}
        except (BadInput, ModelUnavailable):
            raise
        except Exception as error:
            if disk_fault(error):
                raise
            logging.getLogger(__name__).debug("fit of %s failed", candidate.name, exc_info=True)
            said = without_folders(f"fitting failed with {type(error).__name__}: {error}")
            return {"problem": f"{said}; resuming the run tries it again", AGAIN: True}

    def bench(self, candidate: Candidate, seed: int) -> Bench:
        bench = self._bench(candidate.model, seed, code_of(candidate.strategy))
        teacher = self.models.teacher
        if teacher and (is_taught(candidate) or is_advised(candidate, teacher)):
            bench.teacher = replace(self._bench(teacher, seed), spent=bench.spent)
        return bench

    def bench_of(self, name: str) -> Bench:
        """For a model by itself, whoever is checked with it."""
        return self._bench(name, self.options.seed)

    def _bench(self, name: str, seed: int, code: str = "") -> Bench:
        """`code` names that of another package, whose edited version finds nothing of what the one before it found."""
        model = self.models.language(name).fingerprint if name else ""
        own = [code] if code else []
        journal = self.journal("|".join([self.benchmark.task.name, task_hash(self.benchmark), model, str(seed), *own]))
        return Bench(
            models=self.models,
            model_name=name,
            seed=seed,
            tuning_tokens=self.options.tuning_tokens,
            journal=journal if self.cache is None else SettlingJournal(journal=journal, cache=self.cache),
            folder=self.folder,
            on_progress=self.on_progress,
            cache=self.cache,
        )

    @contextmanager
    def scratch(self, unit: Unit) -> Iterator[Path]:
        """A folder for what the unit trains and nobody keeps: it goes with the unit, and no other unit has the same one. What
        an attempt of `TAKEN_UP` left that was stopped or killed is taken up, since it lies there by its content."""
        folder, stopped = self.folder / f"{SCRATCH}{unit.name}", False
        try:
            yield folder
        except KeyboardInterrupt:
            stopped = True
            raise
        finally:
            if not (stopped and unit.kind in TAKEN_UP):
                shutil.rmtree(folder, ignore_errors=True)

    def fit_folder(self, candidate: Candidate) -> Path:
        return self.folder / "fits" / self.fits[candidate.name]

    def fitted(self, candidate: Candidate) -> Fitted:
        """The saved artifact, loaded: what is measured is what would be deployed."""
        if self._fitted is None or self._fitted[0] != candidate.name:
            bench = self.bench(candidate, self.options.seed)
            self._fitted = (candidate.name, candidate.strategy.load(self.fit_folder(candidate), bench))
        self._warm(self._fitted[1], served=bool(candidate.model) and self.models.served(candidate.model))
        return self._fitted[1]

    def _warm(self, fitted: Fitted, served: bool) -> None:
        """One example is answered before anything is timed, so that loading and indexing are not charged to answers.

        A server is not asked: it times its own requests, and each may cost money. What it would be asked is looked up.
        """
        from strategies.pipeline import Pipeline

        first = Query.of(self.benchmark.task.examples[0].input)
        if not served:
            list(fitted.answer([first], Sampling()))
        elif isinstance(fitted, Pipeline):
            fitted.requests([first])

    # ------------------------------------------------------------ answering

    def _answer(self, unit: Unit, candidate: Candidate) -> UnitResult:
        first, last = shards(self.benchmark)[unit.part]
        cases = self.benchmark.heldout[first:last]
        outcomes = self.ask(self.fitted(candidate), [case.input for case in cases], self.sampling(0))
        rows = tuple(
            self.row(candidate, ("heldout", ""), case, found) for case, found in zip(cases, outcomes, strict=True)
        )
        return self.done(unit, candidate, rows)

    def sampling(self, repeat: int) -> Sampling:
        return Sampling(temperature=self.benchmark.task.temperature, seed=self.options.seed + repeat)

    def ask(self, fitted: Fitted, inputs: Sequence[str], sampling: Sampling) -> list[Outcome]:
        """Outcomes in the order of the inputs; equal inputs are asked once. A missing answer is a failure."""
        queries = list({query.key: query for query in map(Query.of, inputs)}.values())
        found: dict[str, Outcome] = {}
        with NotRemembering(self.models):
            for key, outcome in fitted.answer(queries, sampling):
                found[key] = outcome
                self.on_progress(len(found), len(queries), "answering")
        return [found.get(Query.of(text).key, NO_ANSWER) for text in inputs]

    def row(self, candidate: Candidate, purpose: tuple[str, str], case: Case, outcome: Outcome) -> Row:
        return Row(
            candidate=candidate.name,
            purpose=purpose[0],
            variant=purpose[1],
            key=case.id,
            outcome=outcome,
            score=self.benchmark.task.score(case, outcome),
        )

    def done(self, unit: Unit, candidate: Candidate, rows: Iterable[Row], note: Any = None) -> UnitResult:
        """What a unit brought that answered: its rows with their usage.

        One that lost too many answers is asked again when the run goes on. Until then a check has no rows, and what was
        answered lies with the answers of servers, which hold its usage too.
        """
        kept = tuple(rows)
        if again := self.lost(unit, [row.outcome for row in kept]):
            shown = kept if unit.kind == "answer" else ()
            return UnitResult(unit=unit.name, kind=unit.kind, candidate=candidate.name, rows=shown, note=again)
        asked = {
            id(row.outcome): row.outcome for row in kept
        }.values()  # Rows with one input have one, which was paid once.
        usage = total([spent for outcome in asked for spent in outcome.usage])
        return UnitResult(unit=unit.name, kind=unit.kind, candidate=candidate.name, rows=kept, usage=usage, note=note)

    def lost(self, unit: Unit, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """The note of a unit that lost too many of these; empty where it did not."""
        said = too_many_lost(outcomes)
        if said:
            what = f"{unit.candidate}, {unit.kind}: {said}; resuming the run asks for them again"
            logging.getLogger(__name__).warning(what)
        return {AGAIN: True} if said else {}

    def probe_cases(self) -> list[Case]:
        """Held-out cases that the checks look at."""
        return consistency.probe_cases(self.benchmark, self.options.seed)


def _its_own(error: Exception) -> str:
    """What a model's own trouble is, as the end of a sentence; empty for other errors: a request that alone takes more memory
    than a graphics card has, likelihoods that are no numbers."""
    if type(error).__name__ == "OutOfMemoryError":  # Of torch, which may not be loaded.
        return f"took more graphics memory than is free, for one request alone ({str(error).splitlines()[0]})"
    return f"failed: {error}" if type(error) is ArithmeticError else ""


def _given_up(unit: Unit, candidate: Candidate, error: Exception) -> UnitResult:
    """What a unit brought in which an approach of another package raised, or a model cannot be asked: a
    problem of that approach alone, or where it is a check no rows. A run that goes on tries it again."""
    doing = {"fit": "fitting", "answer": "answering"}.get(unit.kind, f"the check {unit.kind!r}")
    if own := _its_own(error):
        said = f"{doing} {own}"
    else:
        package = package_behind(type(candidate.strategy).__module__)
        said = without_folders(f"{doing} failed in the package {package} with {type(error).__name__}: {error}")
    logging.getLogger(__name__).warning("%s: %s", candidate.name, said)
    problem = {"problem": f"{said}; resuming the run tries it again"} if unit.kind in ("fit", "answer") else {}
    return UnitResult(unit=unit.name, kind=unit.kind, candidate=candidate.name, note={**problem, AGAIN: True})


def untuned(strategy: Strategy, task: Task, bench: Bench) -> Mapping[str, Any]:
    """The selection score of an approach that has nothing to choose: fits on the training parts, scored on the rest.

    Some procedures test the candidates in the order of these scores (`statistics/families.py`). Empty for answers from a
    file that holds none to the examples.
    """
    answers: list[list[Any]] = []
    for fold in task.folds:
        fitted = strategy.fit(replace(task, folds=(Fold(train=fold.train, selection=()),)), bench)
        found = dict(fitted.answer([Query.of(case.input) for case in fold.selection], Sampling()))
        outcomes = [found.get(Query.of(case.input).key, NO_ANSWER) for case in fold.selection]
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
