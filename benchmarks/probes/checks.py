"""The checks of a fitted candidate, one unit of work each: whoever performs units (`running/work.py`) looks them up here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from benchmarks.contract import Candidate
from benchmarks.probes import consistency, general, handed
from benchmarks.probes.by_heart import Questions
from benchmarks.probes.curve import sampled
from benchmarks.probes.forgetting import general_texts
from benchmarks.probes.gold import naming, with_gold
from benchmarks.probes.planted import CASES as PLANTED_CASES
from benchmarks.probes.planted import PLACES, PoisonedIndex, at_the_end, sentence, to_quote
from benchmarks.probes.rebuilds import resampled
from benchmarks.probes.reworded import in_other_words
from benchmarks.probes.what_changes import facts_changed, format_altered, labels_added
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
    bench = worker.bench(candidate, worker.options.seed + draw)
    task = sampled(worker.benchmark.task, size, worker.options.seed + draw)
    with worker.scratch(unit) as folder, suppress(Diverged, DeadAdapter):  # With a sample missing there is no curve.
        bench = replace(bench, folder=folder)
        fitted = candidate.strategy.rebuilt(worker.fit_folder(candidate), task, bench)
        outcomes = [] if fitted is None else worker.ask(fitted, [case.input for case in cases], worker.sampling(0))
    named = ("curve", f"{size}/{draw}")
    rows = [worker.row(candidate, named, case, found) for case, found in zip(cases, outcomes, strict=False)]
    done = worker.done(unit, candidate, rows)
    return replace(done, usage=(*total(bench.spent), *done.usage))


def _rebuild(worker: Worker, unit: Unit, candidate: Candidate) -> UnitResult:
    """The whole fit again, choosing included, on other examples and with another seed. What is fitted is not kept."""
    seed = worker.options.seed + 1 + unit.part
    task = resampled(worker.benchmark.task, seed)
    cases, named = worker.probe_cases(), ("rebuild", str(unit.part))
    with worker.scratch(unit) as folder:
        bench = replace(worker, benchmark=replace(worker.benchmark, task=task), folder=folder).bench(candidate, seed)
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
    "changed": facts_changed,
    "added": labels_added,
    "altered": format_altered,
    "latency": _latency,
    "oracle": _oracle,
    "handed": _handed,
    "forgetting": _forgetting,
    "by heart": _by_heart,
}
"""Kind of unit -> how it is performed."""
