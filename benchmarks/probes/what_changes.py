"""The checks of what changes once an approach is built: facts in the documents, labels, a rule of the format; one unit each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from benchmarks.contract import Candidate, Row
from benchmarks.probes import added, altered, changed
from benchmarks.running.plan import Unit
from benchmarks.running.workbench import Bench, NotRemembering
from benchmarks.storage.store import UnitResult
from strategies.contract import Case, DeadAdapter, Diverged, Fitted, Task
from strategies.search import total
from strategies.traits import quotes_documents

if TYPE_CHECKING:
    from benchmarks.running.work import Worker
    from strategies.pipeline import Pipeline


def facts_changed(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Questions whose answer is another one now in the documents: of what reads documents at once, and of everything once more
    when the examples that told such a fact are rewritten and it is fitted again. What is trained is not kept."""
    from strategies.extending import updated
    from strategies.pipeline import Pipeline

    fitted, benchmark = worker.fitted(candidate), worker.benchmark
    if not isinstance(fitted, Pipeline) and candidate.strategy.family in ("retrieval", "combined", "recorded"):
        return worker.done(unit, candidate, ())  # Whatever it reads, it cannot be given other documents from here.
    made = changed.edits(benchmark, worker.options.seed)
    note: dict[str, Any] = {"edits": [asdict(edit) for edit in made], "seconds": None}
    cases = {case.id: case for case in benchmark.heldout}
    current, rows = fitted, list[Row]()
    start = time.perf_counter()
    with NotRemembering(worker.models):
        given = updated(fitted, changed.edited(benchmark.task, made)) if made else None
    if given is not None:
        note["seconds"], current = time.perf_counter() - start, given
        rows = _answers(worker, candidate, (given, "changed", ""), [cases[edit.key] for edit in made])
    later, bench = changed.Later.of(benchmark.task, made), worker.bench(candidate, worker.options.seed)
    note["examples"] = later.examples

    def answers_again() -> list[Row]:
        with worker.scratch(unit) as folder:
            start = time.perf_counter()
            again = _told_again(worker, candidate, (current, later), replace(bench, folder=folder))
            if again is None:
                return []
            if not _is_prompt(again):  # Of a prompt nothing is fitted.
                note["again_seconds"] = time.perf_counter() - start
            return _answers(worker, candidate, (again, "changed", "again"), [cases[key] for key in later.told])

    found = worker.attempted(answers_again, candidate)
    if isinstance(found, dict):  # What it answers at once stays.
        note |= found
    else:
        rows += found
    done = worker.done(unit, candidate, rows, note)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def _told_again(worker: Worker, candidate: Candidate, of: tuple[Fitted, changed.Later], bench: Bench) -> Fitted | None:
    """What reads the changed documents already, built again from the rewritten examples; a prompt that shows some shows these.

    None where no example told a changed fact, where none can stand in what comes from examples (a prompt without any; how
    documents are quoted), and where nothing can be built here.
    """
    from strategies.extending import extended

    current, later = of
    if not later.told or quotes_documents(candidate.strategy):
        return None
    if _is_prompt(current):
        return extended(current, later.task) if current.setup.shots else None
    return _built_again(worker, candidate, later.task, bench)


def labels_added(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Built without some labels, asked, given them and their examples, and asked again. What is trained is not kept."""
    from strategies.extending import extended, narrowed

    benchmark, seed = worker.benchmark, worker.options.seed
    task, new = benchmark.task, added.new_labels(benchmark, seed)
    fewer, asked = added.without(task, new, seed), added.Asked.of(benchmark, new, seed)
    bench = worker.bench(candidate, seed)
    note: dict[str, Any] = {"labels": new, "examples": len(task.examples) - len(fewer.examples)}
    try:
        with worker.scratch(unit) as folder:
            start = time.perf_counter()
            built = candidate.strategy.rebuilt(worker.fit_folder(candidate), fewer, replace(bench, folder=folder))
            note["seconds"] = time.perf_counter() - start if built is not None else None
            before = narrowed(built or worker.fitted(candidate), task.labels, fewer)
            after = extended(before, task)
            known = asked.others if after else asked.all
            rows = _answers(worker, candidate, (before, "added", "before"), known)
            rows += _answers(worker, candidate, (after, "added", "after"), asked.all) if after else []
            note |= {"asked": asked.keys, "takes": after is not None}
    except (Diverged, DeadAdapter) as error:
        rows, note = [], {"problem": str(error)}  # What could not be built without them is not told of.
    done = worker.done(unit, candidate, rows, note)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def format_altered(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Told of another format and asked, then built again and asked. What is trained is not kept."""
    from strategies.extending import extended

    fitted, task = worker.fitted(candidate), altered.altered(worker.benchmark.task)
    cases = altered.asked(worker.benchmark, worker.options.seed)
    bench = worker.bench(candidate, worker.options.seed)
    told = extended(fitted, task)
    rows = _answers(worker, candidate, (told, "altered", "at once"), cases) if told else []
    note: dict[str, Any] = {"cases": len(cases), "takes": told is not None, "seconds": None}
    try:
        if not _is_prompt(fitted):
            with worker.scratch(unit) as folder:
                start = time.perf_counter()
                again = _built_again(worker, candidate, task, replace(bench, folder=folder))
                note["seconds"] = time.perf_counter() - start
                rows += _answers(worker, candidate, (again, "altered", "again"), cases) if again else []
    except (Diverged, DeadAdapter) as error:
        rows, note = [], {"problem": str(error)}
    done = worker.done(unit, candidate, rows, note)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def _answers(worker: Worker, candidate: Candidate, of: tuple[Fitted, str, str], cases: Sequence[Case]) -> list[Row]:
    """`of`: who is asked, for which purpose, and which variant of it that is."""
    fitted, purpose, when = of
    outcomes = worker.ask(fitted, [case.input for case in cases], worker.sampling(0))
    return [worker.row(candidate, (purpose, when), case, found) for case, found in zip(cases, outcomes, strict=True)]


def _is_prompt(fitted: Fitted) -> TypeGuard[Pipeline]:
    """Whether nothing in it is trained: a prompt is told of other examples at once."""
    from strategies.pipeline import Pipeline

    return isinstance(fitted, Pipeline) and fitted.adapter is None


def _built_again(worker: Worker, candidate: Candidate, task: Task, bench: Bench) -> Fitted | None:
    """In the configuration that it has anyway, from the examples of this task; None where that cannot be done here."""
    again = candidate.strategy.rebuilt(worker.fit_folder(candidate), task, bench)
    return candidate.strategy.fit(task, bench) if again is None and not candidate.strategy.needs else again
