"""The checks of a fitted candidate, one unit of work each: whoever performs units (`running/work.py`) looks them up here."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from benchmarks.contract import Candidate, Row
from benchmarks.probes import added, altered, changed, consistency, general, handed
from benchmarks.probes.by_heart import Questions
from benchmarks.probes.curve import sampled
from benchmarks.probes.forgetting import general_texts
from benchmarks.probes.gold import naming, with_gold
from benchmarks.probes.planted import CASES as PLANTED_CASES
from benchmarks.probes.planted import PLACES, PoisonedIndex, at_the_end, sentence, to_quote
from benchmarks.probes.rebuilds import resampled
from benchmarks.probes.reworded import in_other_words
from benchmarks.running.plan import Unit, curve_part
from benchmarks.running.workbench import NotRemembering
from benchmarks.storage.store import UnitResult
from strategies.answers import is_lost, trimmed
from strategies.approaches.recorded import Recorded
from strategies.contract import Case, DeadAdapter, Diverged, Fitted, Outcome, Query, Sampling, Usage
from strategies.retrieval.index import PassageIndex
from strategies.retrieval.timed import Stopwatch
from strategies.search import total

if TYPE_CHECKING:
    from benchmarks.running.work import Worker
    from strategies.approaches.best_sentence import Quoting

LATENCY_REQUESTS, LEAST_REQUESTS, LATENCY_S = 20, 10, 30.0
"""Single requests, one at a time, after two to warm up; fewer, but so many at least, once they took so many seconds."""


@contextmanager
def _scratch(worker: Worker, unit: Unit) -> Iterator[None]:
    """What the unit trains goes with it. What a killed attempt left is taken up: it lies there by its content."""
    try:
        yield
    finally:
        shutil.rmtree(worker.scratch(unit), ignore_errors=True)


def _edit(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    edits = consistency.edited(worker.probe_cases(), worker.benchmark.task.kind)
    outcomes = worker.ask(worker.fitted(candidate), [text for _, _, text in edits], worker.sampling(0))
    return worker.done(
        unit,
        candidate,
        [
            worker.row(candidate, ("edit", edit.name), case, found)
            for (case, edit, _), found in zip(edits, outcomes, strict=True)
        ],
    )


def _repeat(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """At temperature 0 half of the probe cases, in two parts, so among other batch neighbours; else all are drawn again."""
    rows, warm = [], worker.benchmark.task.temperature > 0
    cases = worker.probe_cases() if warm else worker.probe_cases()[: consistency.PART_CASES]
    for half in (cases[::2], cases[1::2]):
        outcomes = worker.ask(worker.fitted(candidate), [case.input for case in half], worker.sampling(1 + unit.part))
        named = ("repeat", str(1 + unit.part))
        rows += [worker.row(candidate, named, case, found) for case, found in zip(half, outcomes, strict=True)]
    return worker.done(unit, candidate, rows)


def _seed(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """No rows where nothing is trained, or where the training with another seed fails."""
    bench = worker.bench(candidate, worker.options.seed + 1)
    cases, outcomes, note = worker.probe_cases(), list[Outcome](), dict[str, Any]()
    try:
        fitted = candidate.strategy.again(worker.fit_folder(candidate), worker.benchmark.task, bench)
        outcomes = [] if fitted is None else worker.ask(fitted, [case.input for case in cases], worker.sampling(0))
    except (Diverged, DeadAdapter) as error:
        note = {"problem": str(error)}
        logging.getLogger(__name__).warning("%s: the training with another seed failed: %s", candidate.name, error)
    rows = [worker.row(candidate, ("seed", "1"), case, found) for case, found in zip(cases, outcomes, strict=False)]
    done = worker.done(unit, candidate, rows, note)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def _format(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Half of the probe cases, each in one other form of the prompt, in rotation, as a hand that edits a template might."""
    from strategies.pipeline import Pipeline
    from strategies.variants import variants

    fitted = worker.fitted(candidate)
    if not isinstance(fitted, Pipeline):
        return worker.done(unit, candidate, ())
    rows, made, cases = [], variants(fitted), worker.probe_cases()[: consistency.PART_CASES]
    for place, (name, variant) in enumerate(made):
        asked = cases[place :: len(made)]
        outcomes = worker.ask(variant, [case.input for case in asked], worker.sampling(0))
        rows += [worker.row(candidate, ("format", name), *pair) for pair in zip(asked, outcomes, strict=True)]
    return worker.done(unit, candidate, rows)


def _curve(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """The chosen configuration built from fewer examples; without a language model it is asked every case. What is trained for
    it is not kept."""
    size, draw = curve_part(worker.benchmark, unit.part)
    few = candidate.strategy.needs or worker.benchmark.sequential  # Not every case may be answered there.
    cases, outcomes = worker.probe_cases() if few else list(worker.benchmark.heldout), list[Outcome]()
    bench = replace(worker.bench(candidate, worker.options.seed + draw), folder=worker.scratch(unit))
    task = sampled(worker.benchmark.task, size, worker.options.seed + draw)
    with _scratch(worker, unit), suppress(Diverged, DeadAdapter):  # With a sample missing there is no curve.
        fitted = candidate.strategy.rebuilt(worker.fit_folder(candidate), task, bench)
        outcomes = [] if fitted is None else worker.ask(fitted, [case.input for case in cases], worker.sampling(0))
    named = ("curve", f"{size}/{draw}")
    rows = [worker.row(candidate, named, case, found) for case, found in zip(cases, outcomes, strict=False)]
    done = worker.done(unit, candidate, rows)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def _rebuild(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """The whole fit again, choosing included, on other examples and with another seed. What is fitted is not kept."""
    seed, scratch = worker.options.seed + 1 + unit.part, worker.scratch(unit)
    task = resampled(worker.benchmark.task, seed)
    bench = replace(worker, benchmark=replace(worker.benchmark, task=task), folder=scratch).bench(candidate, seed)
    cases, named = worker.probe_cases(), ("rebuild", str(unit.part))
    with _scratch(worker, unit):
        fitted = worker.attempt(candidate, task, bench)
        if isinstance(fitted, dict):  # A rebuild without rows is one that failed.
            done = worker.done(unit, candidate, (), fitted)
        else:
            outcomes = worker.ask(fitted, [case.input for case in cases], worker.sampling(0))
            rows = [worker.row(candidate, named, case, found) for case, found in zip(cases, outcomes, strict=True)]
            done = worker.done(unit, candidate, rows)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def _planted(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Some held-out cases with an instruction at the end of the request, or of the best passage that is found for it; of what
    quotes documents, a sentence to quote at the end of the document that it quotes."""
    from strategies.approaches.best_sentence import Quoting
    from strategies.pipeline import Pipeline
    from strategies.sources import Sources

    fitted, place = worker.fitted(candidate), PLACES[unit.part]
    cases = worker.probe_cases()[:PLANTED_CASES]
    texts = [sentence(worker.benchmark.task, case) for case in cases]
    inputs = [f"{case.input}\n{text}" for case, (_, text) in zip(cases, texts, strict=True)]
    if isinstance(fitted, Pipeline):
        inputs = [at_the_end(case.input, text, fitted.model) for case, (_, text) in zip(cases, texts, strict=True)]
    if place == "passage" and isinstance(fitted, Quoting):
        inputs, texts = [case.input for case in cases], [to_quote(worker.benchmark.task, case) for case in cases]
        fitted = _told_in_documents(worker, fitted, inputs, [text for _, text in texts])
    elif place == "passage":
        if not isinstance(fitted, Pipeline) or not fitted.setup.passages or (index := fitted.sources.index) is None:
            return worker.done(unit, candidate, ())
        inputs = [case.input for case in cases]
        looked_up = [trimmed(fitted.model, Query.of(text))[0] for text in inputs]
        planted = {request: text for request, (_, text) in zip(looked_up, texts, strict=True)}
        known = fitted.sources
        fitted = replace(fitted, sources=Sources(known.cases, known.embedder, PoisonedIndex(planted, index)))
    outcomes = worker.ask(fitted, inputs, worker.sampling(0))
    rows = [
        worker.row(candidate, ("planted", f"{place}/{kind}"), case, found)
        for case, (kind, _), found in zip(cases, texts, outcomes, strict=True)
    ]
    return worker.done(unit, candidate, rows)


def _told_in_documents(worker: Worker, fitted: Quoting, inputs: Sequence[str], texts: Sequence[str]) -> Fitted:
    """With each text behind the document whose sentence is the best one for its request; all of them at once, since these are
    indexed again."""
    from strategies.extending import updated

    documents = {each.id: each for each in worker.benchmark.task.documents}
    found = fitted.index.search(inputs, 1, fitted.choice.mode)
    for shown, text in zip(found, texts, strict=True):
        for each in (documents[evidence.document_id] for evidence in shown):
            documents[each.id] = replace(each, text=f"{each.text}\n{text}")
    poisoned = {evidence.document_id for shown in found for evidence in shown}
    with NotRemembering(worker.models):
        return updated(fitted, [documents[name] for name in sorted(poisoned)]) or fitted


def _changed(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Questions whose answer is another one now in the documents; asked only of what reads documents."""
    from strategies.extending import updated
    from strategies.pipeline import Pipeline

    fitted, benchmark = worker.fitted(candidate), worker.benchmark
    if not isinstance(fitted, Pipeline) and candidate.strategy.family in ("retrieval", "combined", "recorded"):
        return worker.done(unit, candidate, ())  # Whatever it reads, it cannot be given other documents from here.
    made = changed.edits(benchmark, worker.options.seed)
    note: dict[str, Any] = {"edits": [asdict(edit) for edit in made], "seconds": None}
    start = time.perf_counter()
    with NotRemembering(worker.models):
        current = updated(fitted, changed.edited(benchmark.task, made)) if made else None
    if current is None:
        return worker.done(unit, candidate, (), note)
    note["seconds"] = time.perf_counter() - start
    cases = {case.id: case for case in benchmark.heldout}
    asked = [cases[edit.key] for edit in made]
    outcomes = worker.ask(current, [case.input for case in asked], worker.sampling(0))
    rows = [worker.row(candidate, ("changed", ""), case, found) for case, found in zip(asked, outcomes, strict=True)]
    return worker.done(unit, candidate, rows, note)


def _added(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Built without some labels, asked, given them and their examples, and asked again. What is trained is not kept."""
    from strategies.extending import extended, narrowed

    benchmark, seed = worker.benchmark, worker.options.seed
    task, new = benchmark.task, added.new_labels(benchmark, seed)
    fewer, asked = added.without(task, new, seed), added.Asked.of(benchmark, new, seed)
    bench = replace(worker.bench(candidate, seed), folder=worker.scratch(unit))
    note: dict[str, Any] = {"labels": new, "examples": len(task.examples) - len(fewer.examples)}
    try:
        with _scratch(worker, unit):
            start = time.perf_counter()
            built = candidate.strategy.rebuilt(worker.fit_folder(candidate), fewer, bench)
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


def _altered(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Told of another format and asked, then built again and asked. What is trained is not kept."""
    from strategies.extending import extended
    from strategies.pipeline import Pipeline

    fitted, task = worker.fitted(candidate), altered.altered(worker.benchmark.task)
    prompted = isinstance(fitted, Pipeline) and fitted.adapter is None  # A prompt has nothing else to be built again.
    cases = altered.asked(worker.benchmark, worker.options.seed)
    bench = replace(worker.bench(candidate, worker.options.seed), folder=worker.scratch(unit))
    told = extended(fitted, task)
    rows = _answers(worker, candidate, (told, "altered", "at once"), cases) if told else []
    note: dict[str, Any] = {"cases": len(cases), "takes": told is not None, "seconds": None}
    try:
        if not prompted:
            with _scratch(worker, unit):
                start = time.perf_counter()
                again = candidate.strategy.rebuilt(worker.fit_folder(candidate), task, bench)
                if again is None and not candidate.strategy.needs:
                    again = candidate.strategy.fit(task, bench)
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


def _latency(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Wall-clock seconds of single warm requests; for recorded answers what the file says."""
    fitted = worker.fitted(candidate)
    cases = worker.probe_cases()[: LATENCY_REQUESTS + 2]
    if isinstance(fitted, Recorded):
        stated = fitted.waits([Query.of(case.input) for case in cases[:LATENCY_REQUESTS]])
        return worker.done(unit, candidate, (), {"seconds": stated})
    seconds: list[float] = []
    used, outcomes = list[Usage](), list[Outcome]()
    begun = time.perf_counter()
    with NotRemembering(worker.models):
        for case in cases:
            if len(seconds) >= LEAST_REQUESTS + 2 and time.perf_counter() - begun > LATENCY_S:
                break
            start = time.perf_counter()
            outcome = dict(fitted.answer([Query.of(case.input)], worker.sampling(0)))[Query.of(case.input).key]
            spent = time.perf_counter() - start
            outcomes.append(outcome)
            used += outcome.usage
            seconds.append(spent)
    note = worker.lost(unit, outcomes) or {"seconds": seconds[2:] or seconds}
    return replace(worker.done(unit, candidate, (), note), usage=total(used))


def _oracle(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Answers with passages of the gold documents handed over: bounds what better retrieval could buy; never ranked."""
    from strategies.pipeline import Pipeline

    fitted = worker.fitted(candidate)
    cases = naming(worker.probe_cases(), worker.benchmark.task.documents)
    if not isinstance(fitted, Pipeline) or not isinstance(fitted.sources.index, PassageIndex):
        return worker.done(unit, candidate, ())
    with NotRemembering(worker.models):  # What is asked here is no gift to those that are timed later.
        shown = with_gold(fitted, cases, fitted.sources.index)
    outcomes = worker.ask(shown, [case.input for case in cases], worker.sampling(0))
    rows = [worker.row(candidate, ("oracle", "gold"), case, found) for case, found in zip(cases, outcomes, strict=True)]
    return worker.done(unit, candidate, rows)


def _handed(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Wrong selection answers asked again with the right passage; nothing where something was trained on these cases."""
    from strategies.pipeline import Pipeline

    fitted, task, seed = worker.fitted(candidate), worker.benchmark.task, worker.options.seed
    if not isinstance(fitted, Pipeline) or fitted.adapter is not None:
        return worker.done(unit, candidate, ())
    parts = handed.wrong_without(task, fitted.describe().get("selection_answers", ()), seed)
    watch = Stopwatch(fitted.sources.embedder)
    with NotRemembering(worker.models):
        made = list(handed.askers(fitted, task, parts))
    spent = [watch.usage("answering")]
    asked: list[tuple[Case, Outcome]] = []
    for shown, cases in made:
        asked += zip(cases, worker.ask(shown, [case.input for case in cases], Sampling(seed=seed)), strict=True)
    if again := worker.lost(unit, [found for _, found in asked]):
        return worker.done(unit, candidate, (), again)
    answers = [
        [case.id, getattr(found, "text", ""), task.score(case, found)] for case, found in asked if not is_lost(found)
    ]
    spent += [usage for _, found in asked for usage in found.usage]
    return replace(worker.done(unit, candidate, (), {"answers": answers}), usage=total(spent))


def _forgetting(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """How the tuned model and its base read general text, and answer everyday prompts; nothing where no adapter is in effect."""
    from strategies.finetuning.drift import drifts
    from strategies.pipeline import Pipeline

    fitted = worker.fitted(candidate)
    if not isinstance(fitted, Pipeline) or fitted.adapter is None:
        return worker.done(unit, candidate, ())
    start, found, texts = time.perf_counter(), [], general_texts()
    base = worker.models.language(candidate.model)
    for drift in drifts(base, fitted.speaker, texts):
        found.append(asdict(drift))
        worker.on_progress(len(found), len(texts), "reading general text")
    read, seconds = 2 * sum(each["tokens"] for each in found), time.perf_counter() - start
    used = Usage(model=candidate.model, step="answering", prompt_tokens=read, seconds=seconds, calls=len(found))
    with NotRemembering(worker.models):
        answers, spent = general.asked(base, fitted.speaker)
    note = {"drifts": found, "general": answers}
    return replace(worker.done(unit, candidate, (), note), usage=total([used, *spent]))


def _by_heart(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """Questions with no document before them, of the training and others; nothing where no adapter is in effect."""
    from strategies.pipeline import Pipeline

    fitted, benchmark = worker.fitted(candidate), worker.benchmark
    if not isinstance(fitted, Pipeline) or fitted.adapter is None:
        return worker.done(unit, candidate, ())
    closed = replace(fitted, setup=replace(fitted.setup, passages=0, grounded=False, reading=None))
    asked = Questions.of(benchmark, worker.options.seed)
    outcomes = worker.ask(closed, [case.input for case in (*asked.taught, *asked.heldout)], worker.sampling(0))
    if again := worker.lost(unit, outcomes):
        return worker.done(unit, candidate, (), again)
    taught = [benchmark.task.score(case, found) for case, found in zip(asked.taught, outcomes, strict=False)]
    named = ["rephrased"] * len(asked.rephrased) + ["untold"] * len(asked.untold)
    rows = [
        worker.row(candidate, ("by heart", name), case, found)
        for name, case, found in zip(named, asked.heldout, outcomes[len(taught) :], strict=True)
    ]
    spent = [usage for outcome in outcomes for usage in outcome.usage]
    said = [[case.id, getattr(found, "text", "")] for case, found in zip(asked.taught, outcomes, strict=False)]
    note = {"taught": taught, "said": said}
    return replace(worker.done(unit, candidate, rows, note), usage=total(spent))


CHECKS: Mapping[str, Callable[[Worker, Unit, Candidate], UnitResult]] = {
    "edit": _edit,
    "repeat": _repeat,
    "format": _format,
    "reworded": in_other_words,
    "seed": _seed,
    "curve": _curve,
    "planted": _planted,
    "rebuild": _rebuild,
    "changed": _changed,
    "added": _added,
    "altered": _altered,
    "latency": _latency,
    "oracle": _oracle,
    "handed": _handed,
    "forgetting": _forgetting,
    "by heart": _by_heart,
}
"""Kind of unit -> how it is performed."""
