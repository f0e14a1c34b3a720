"""From stored rows to evaluations: scores, failures, costs, consistency, without running any model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np

from benchmarks.checked import Agreement, ByGroup, Latency, Leaks, Rebuilds
from benchmarks.contract import Answered, Benchmark, Evaluation, Row, State
from benchmarks.evaluation.cascade import APPROACH as CASCADE
from benchmarks.evaluation.coverage import coverage
from benchmarks.evaluation.found_evidence import failing, oracle, oracle_named, retrieval_quality, searches
from benchmarks.evaluation.grounding import Library, grounding
from benchmarks.evaluation.guard import guard
from benchmarks.evaluation.handover import handover
from benchmarks.evaluation.misfits import INVALID, misfit
from benchmarks.evaluation.noted_scores import selection_figure
from benchmarks.evaluation.planted_text import planted
from benchmarks.evaluation.scoring import shown_figures
from benchmarks.evaluation.sliced import by_slice, slice_upper
from benchmarks.learning import Curve, CurvePoint
from benchmarks.probes import consistency
from benchmarks.probes.added import added
from benchmarks.probes.altered import altered_counts
from benchmarks.probes.by_heart import by_heart
from benchmarks.probes.changed import changed
from benchmarks.probes.curve import DRAWS, sizes
from benchmarks.probes.forgetting import forgetting
from benchmarks.probes.rebuilds import rebuilds
from benchmarks.running.economical import SPARED, TOO_FEW
from benchmarks.running.left import kinds_left
from benchmarks.scored import figure_over
from benchmarks.statistics.confidence import anytime, resampled_metric, shown_interval
from benchmarks.statistics.counted import by_group
from benchmarks.statistics.families import REST
from benchmarks.statistics.looks import level_of
from benchmarks.statistics.resampling import draws_for, resting
from benchmarks.storage.outcomes import text_of
from benchmarks.storage.store import Store
from strategies.answers import FAULTS_ALLOWED, is_fault, is_lost, lost_of, too_many_lost
from strategies.contract import Abstention, Case, Failure, Outcome, Prediction, Task, Usage
from strategies.search import add

SHOWN = 0.025
"""Level of each side of an interval that is shown."""
NAMES = {"edit": "edits", "repeat": "repeats", "format": "prompt forms", "reworded": "rewordings", "seed": "seed"}


@dataclass(frozen=True, kw_only=True)
class About:
    """What a stored run says of a candidate: its name and what kind of approach it is."""

    name: str
    approach: str
    family: str
    model: str
    simplicity: int


def evaluate(
    benchmark: Benchmark,
    candidate: About,
    store: Store,
    notes: Mapping[str, Mapping[str, Any]],
    library: Library | None = None,
) -> Evaluation:
    """`notes`: what its finished units noted, by kind; under `answer` why it stopped, under `cascade` what its parts noted."""
    fit = notes.get("fit", {})
    common: dict[str, Any] = {
        "candidate": candidate.name,
        "approach": candidate.approach,
        "family": candidate.family,
        "model": candidate.model,
        "simplicity": candidate.simplicity,
        "fingerprint": benchmark.fingerprint,
        "fitting": tuple(store.usage(candidate.name, "fit")),
        "chosen": fit.get("chosen", {}),
        "selection_score": fit.get("chosen", {}).get("selection_score"),
        "selection_figure": selection_figure(benchmark, candidate.name, store),
        "rising": bool(fit.get("chosen", {}).get("rising", False)),
        "trials": len(store.trials(candidate.name)),
        "left": kinds_left(store, candidate.name),
    }
    ended = fit if fit.get("problem") else notes.get("answer", {})
    if ended.get("problem"):
        state, spared, few = State(ended.get("state", "invalid")), bool(ended.get(SPARED)), bool(ended.get(TOO_FEW))
        return Evaluation(**common, state=state, problem=str(ended["problem"]), spared=spared, too_few=few)
    rows = {row.key: row for row in store.rows(candidate.name, "heldout")}
    asked = _asked(benchmark, rows, "answer" not in common["left"])
    if not asked:
        missing = sum(case.id not in rows for case in benchmark.heldout)
        problem = f"{missing} held-out cases were not answered yet"
        return Evaluation(**common, state=State.OPEN, problem=problem)
    ordered = [rows[case.id] for case in asked]
    failures = count_failures(ordered, benchmark.task)
    if failures.get("infrastructure", 0) > FAULTS_ALLOWED * len(ordered):
        if said := too_many_lost([row.outcome for row in ordered]):
            problem = f"{said}; resuming the run asks for them again"
            return Evaluation(**common, failures=failures, state=State.OPEN, problem=problem)
        problem = lost_of([outcome for row in ordered if is_fault(outcome := row.outcome)], len(ordered))
        return Evaluation(**common, failures=failures, state=State.INVALID, problem=problem)
    if problem := _nothing_said(ordered):
        return Evaluation(**common, failures=failures, state=State.INVALID, problem=problem)
    with_gold = list(store.rows(candidate.name, "oracle"))
    sure_by = notes.get(CASCADE, {**fit, "near": candidate.family == "reference"})
    looked, near = sure_by.get("selection_answers", ()), sure_by["near"]
    return Evaluation(
        **common,
        **figures(benchmark, asked, ordered, _level(benchmark, store) * REST),
        failures=failures,
        valid_by_group=_valid_by_group(asked, ordered, benchmark.task),
        answering=summed([usage for row in ordered for usage in row.outcome.usage], _told_of(candidate, ordered)),
        requests=requests([usage for row in ordered for usage in row.outcome.usage]),
        beside_s=sum(used.seconds for row in ordered for used in row.outcome.usage if used.model != candidate.model),
        latency=latency_of(notes.get("latency"), ordered, timed=candidate.family != "recorded"),
        agreements=agreements(benchmark, rows, candidate, store),
        passes=passes(benchmark, rows, candidate, store),
        leaks=leaks(benchmark, asked, ordered),
        perhaps_leaked=perhaps_leaked(benchmark, asked, ordered),
        searches=searches(benchmark.task, ordered),
        retrieval=retrieval_quality(benchmark, asked, ordered, failing(benchmark.task, notes)),
        oracle=oracle(benchmark.task.documents, asked, ordered, with_gold),
        oracle_named=oracle_named(benchmark.task, asked, ordered, with_gold),
        curve=curve(benchmark, candidate, store, rows),
        grounding=None if library is None else grounding(library, _answered(candidate, asked, ordered)),
        **planted(benchmark, candidate.name, store, rows),
        rebuilds=built_again(benchmark, list(store.rows(candidate.name, "rebuild")), store, (candidate.name,)),
        second_training=str(notes.get("seed", {}).get("problem", "")),
        changed=changed(benchmark, notes.get("changed", {}), rows, list(store.rows(candidate.name, "changed"))),
        added=added(benchmark, notes.get("added", {}), rows, list(store.rows(candidate.name, "added"))),
        altered=altered_counts(benchmark, notes.get("altered", {}), list(store.rows(candidate.name, "altered"))),
        by_heart=by_heart(benchmark, notes.get("by heart", {}), list(store.rows(candidate.name, "by heart"))),
        coverage=coverage(benchmark, ordered, near),
        guard=guard(benchmark, looked, ordered, near),
        handover=handover(benchmark, looked, ordered, _level(benchmark, store), near),
        forgetting=forgetting(
            notes.get("forgetting", {}).get("drifts", ()), notes.get("forgetting", {}).get("general")
        ),
    )


def _nothing_said(rows: Sequence[Row]) -> str:
    """Why there is no figure where every single answer failed: 0 % would say that it tried."""
    messages = [row.outcome.message for row in rows if isinstance(row.outcome, Failure)]
    return (
        f"none of the {len(rows):,} held-out cases was answered ({messages[0]})" if len(messages) == len(rows) else ""
    )


def _told_of(candidate: About, rows: Sequence[Row]) -> int:
    """Answers of which it is known what they took: those that a recorded file lacks are not among them."""
    return sum(bool(row.outcome.usage) for row in rows) if candidate.family == "recorded" else len(rows)


def _level(benchmark: Benchmark, store: Store) -> float:
    """Of one claim about one candidate."""
    return level_of(benchmark.look.number) / max(1, len(store.candidates()))


def _answered(candidate: About, cases: Sequence[Case], rows: Sequence[Row]) -> list[tuple[Case, Outcome, bool]]:
    told = [(case, row.outcome, right(row)) for case, row in zip(cases, rows, strict=True)]
    return [each for each in told if candidate.family != "recorded" or each[1].usage]  # A file may lack lines.


def _asked(benchmark: Benchmark, rows: Mapping[str, Row], over: bool) -> tuple[Case, ...]:
    """The held-out cases with an answer: all or none, but the first ones where asking ends with a decision, and is `over`."""
    answered = sum(1 for _ in takewhile(lambda case: case.id in rows, benchmark.heldout))
    whole = answered == len(benchmark.heldout) or (benchmark.sequential and over)
    return benchmark.heldout[:answered] if whole else ()


def figures(benchmark: Benchmark, cases: Sequence[Case], rows: Sequence[Row], level: float) -> dict[str, Any]:
    """Primary figure with an interval for showing, the other metrics, and the figure by slice. `level`: the smallest at
    which the figure is tested."""
    metric = benchmark.metric
    answered = answered_rows(cases, rows)
    scores = [row.score for row in rows]
    groups = [case.group or case.id for case in cases]
    figure = figure_over(metric, answered)
    resampled, lower, upper = _interval(benchmark, answered, level)
    return {
        "keys": tuple(case.id for case in cases),
        "scores": tuple(scores),
        "groups": tuple(groups),
        "figure": figure,
        "lower": lower,
        "upper": upper,
        "over_rows": metric.over_rows,
        "resampled": resampled,
        "resting": resting(metric, answered) if metric.over_rows else 0.0,
        "shown": shown_figures(benchmark, cases, rows),
        "by_slice": by_slice(benchmark, answered),
        "slice_upper": slice_upper(benchmark, answered),
    }


def _interval(
    benchmark: Benchmark, answered: Sequence[Answered], level: float = SHOWN
) -> tuple[tuple[float, ...], float, float]:
    """Bootstrap figures of a metric over rows (else none), and the two-sided 95 % interval."""
    scores = [row.score for row in answered]
    groups = [row.case.group or row.case.id for row in answered]
    if benchmark.metric.over_rows:
        drawn = resampled_metric(benchmark.metric, answered, draws_for(level), labels=benchmark.task.labels)
        return drawn.figures, drawn.lower(SHOWN), drawn.upper(SHOWN)
    if (largest := benchmark.stops_with) is not None:
        bounds = anytime(largest)
        return (), bounds.lower(scores, groups, SHOWN), bounds.upper(scores, groups, SHOWN)
    return (), *shown_interval(scores, groups)


def leaks(benchmark: Benchmark, cases: Sequence[Case], rows: Sequence[Row]) -> Leaks | None:
    """What the figure would be without the held-out cases that stood among the examples."""
    return _with_and_without(benchmark, answered_rows(cases, rows), frozenset(benchmark.leaked))


def perhaps_leaked(benchmark: Benchmark, cases: Sequence[Case], rows: Sequence[Row]) -> Leaks | None:
    """The same without those that perhaps did."""
    return _with_and_without(benchmark, answered_rows(cases, rows), frozenset(benchmark.perhaps_leaked))


def _with_and_without(benchmark: Benchmark, answered: Sequence[Answered], leaked: frozenset[str]) -> Leaks | None:
    inside = [row for row in answered if row.case.id in leaked]
    outside = [row for row in answered if row.case.id not in leaked]
    if not inside or not outside:
        return None
    _, lower, upper = _interval(benchmark, outside)
    return Leaks(
        cases=len(inside),
        figure=figure_over(benchmark.metric, inside),
        others=len(outside),
        without=figure_over(benchmark.metric, outside),
        lower=lower,
        upper=upper,
        stayed=len({row.case.id for row in inside}.intersection(benchmark.stayed or ())),
    )


def built_again(benchmark: Benchmark, rows: Sequence[Row], store: Store, parts: Sequence[str]) -> Rebuilds | None:
    """What moved between the rebuilds of a candidate, or of both parts of a cascade; None where there is none."""
    done, left = store.done("rebuild"), store.waiting("rebuild")
    waiting = max(left.get(name, 0) for name in parts)
    finished = min(done.get(name, 0) + left.get(name, 0) for name in parts) - waiting
    found = rebuilds(rows, finished, waiting)
    if found is None:
        return None
    of = {(row.variant, row.key): row for row in rows}
    samples = [[of[str(draw), key] for key in found.keys] for draw in found.draws]
    return replace(found, of_rows=_of_rows(benchmark, samples))


def curve(benchmark: Benchmark, candidate: About, store: Store, heldout: Mapping[str, Row]) -> Curve | None:
    """Scores with fewer examples, and those of the same cases with all; None where a sample is still missing."""
    examples = len(benchmark.task.examples)
    samples: dict[int, dict[str, dict[str, Row]]] = {size: defaultdict(dict) for size in sizes(examples)}
    for row in store.rows(candidate.name, "curve"):
        samples[int(row.variant.partition("/")[0])][row.variant][row.key] = row
    keys = next((list(rows) for variants in samples.values() for rows in variants.values()), [])
    if any(len(variants) < DRAWS for variants in samples.values()) or not keys:
        return None
    points = [_point(benchmark, size, keys, list(samples[size].values())) for size in sorted(samples)]
    return Curve(keys=tuple(keys), points=(*points, _point(benchmark, examples, keys, [heldout])))


def _point(
    benchmark: Benchmark, examples: int, keys: Sequence[str], samples: Sequence[Mapping[str, Row]]
) -> CurvePoint:
    rows = [[sample[key] for key in keys] for sample in samples]
    scores = tuple(tuple(row.score for row in sample) for sample in rows)
    of = {case.id: case.group or case.id for case in benchmark.heldout}
    groups = tuple(of[key] for key in keys)
    return CurvePoint(examples=examples, scores=scores, of_rows=_of_rows(benchmark, rows), groups=groups)


def _of_rows(benchmark: Benchmark, samples: Iterable[Sequence[Row]]) -> tuple[float, ...]:
    """Figure of each sample of rows by a metric over rows; empty where the figure is the mean of the scores."""
    if not benchmark.metric.over_rows:
        return ()
    cases = {case.id: case for case in benchmark.heldout}
    return tuple(
        figure_over(benchmark.metric, answered_rows([cases[row.key] for row in rows], rows)) for rows in samples if rows
    )


def answered_rows(cases: Sequence[Case], rows: Sequence[Row]) -> list[Answered]:
    return [
        Answered(case=case, text=text_of(row.outcome), score=row.score) for case, row in zip(cases, rows, strict=True)
    ]


def count_failures(rows: Sequence[Row], task: Task) -> dict[str, int]:
    """What went wrong, by kind; only kinds that occurred. Some metrics forgive a form: what is right by them is no misfit, and
    what was cut may be one too."""
    counts: Counter[str] = Counter()
    misfit_of = misfit(task)
    for row in rows:
        if isinstance(row.outcome, Prediction):
            counts["truncated"] += row.outcome.truncated
        counts[_fault(row, misfit_of)] += 1
    return {kind: count for kind, count in counts.items() if kind and count}


def _fault(row: Row, misfit_of: Callable[[str], str]) -> str:
    """What was wrong but for the end of an answer; empty where it may be right."""
    if isinstance(row.outcome, Abstention):
        return "abstained"
    if isinstance(row.outcome, Failure):
        return row.outcome.kind
    return "" if right(row) else misfit_of(row.outcome.text)


def _valid_by_group(cases: Sequence[Case], rows: Sequence[Row], task: Task) -> ByGroup:
    misfit_of = misfit(task)
    told = zip(cases, rows, strict=True)
    arrived = [each for each in told if getattr(each[1].outcome, "kind", "") != "infrastructure"]
    return by_group([case for case, _ in arrived], (_fault(row, misfit_of) not in INVALID for _, row in arrived))


def summed(usages: Sequence[Usage], answers: int) -> Usage:
    """One usage row with `calls` = answers; models are named together."""
    if not usages:
        return Usage(model="", step="answering", calls=answers)
    result = usages[0]
    for usage in usages[1:]:
        result = add(result, usage)
    return Usage(
        model=result.model,
        step="answering",
        prompt_tokens=result.prompt_tokens,
        cached_tokens=result.cached_tokens,
        answer_tokens=result.answer_tokens,
        seconds=result.seconds,
        calls=answers,
        cost=result.cost,
    )


def requests(usages: Sequence[Usage]) -> tuple[tuple[int, int, int], ...]:
    """Prompt, cached and answer tokens of each request; nothing where some are told together."""
    told = [usage for usage in usages if usage.prompt_tokens or usage.answer_tokens]
    if any(usage.calls != 1 for usage in told):
        return ()
    return tuple((usage.prompt_tokens, usage.cached_tokens, usage.answer_tokens) for usage in told)


def latency_of(note: Mapping[str, Any] | None, rows: Sequence[Row], timed: bool = True) -> Latency | None:
    """Percentiles of single requests; throughput from the held-out answers, which ran in batches, if they were `timed` here."""
    seconds = sorted(note["seconds"]) if note and note.get("seconds") else []
    if not any(seconds):
        return None
    spent = sum(usage.seconds for row in rows for usage in row.outcome.usage)
    return Latency(
        p50_s=float(np.percentile(seconds, 50)),
        p95_s=float(np.percentile(seconds, 95)),
        requests=len(seconds),
        throughput_per_s=len(rows) / spent if timed and spent > 0 else None,
        seconds=tuple(seconds),
    )


def agreements(benchmark: Benchmark, rows: Mapping[str, Row], candidate: About, store: Store) -> tuple[Agreement, ...]:
    found, of = [], {case.id: case for case in benchmark.heldout}
    for purpose in NAMES:
        again: dict[str, list[Row]] = defaultdict(list)
        for row in store.rows(candidate.name, purpose):
            again[row.key].append(row)
        # What nobody answered was not answered otherwise.
        whole = [[row for row in (rows[key], *more) if not is_lost(row.outcome)] for key, more in again.items()]
        asked = [given for given in whole if len(given) > 1]
        if asked:
            says = consistency.varied(purpose, benchmark.task)
            answers = [[(text_of(row.outcome), right(row)) for row in given] for given in asked]
            scores = [[row.score for row in given] for given in asked] if benchmark.metric.graded else None
            cases = [of[given[0].key] for given in asked]
            found.append(consistency.agreement(NAMES[purpose], says, answers, cases, scores))
    return tuple(found)


def passes(benchmark: Benchmark, rows: Mapping[str, Row], candidate: About, store: Store) -> tuple[float, ...]:
    """Of the cases that were drawn again, the first answer counted as a draw; nothing where draws are no draws."""
    if not benchmark.task.temperature:
        return ()
    draws: dict[str, list[Row]] = defaultdict(list)
    for row in store.rows(candidate.name, "repeat"):
        draws[row.key].append(row)
    drawn = [[rows[key], *again] for key, again in draws.items()]
    whole = [each for each in drawn if not any(is_lost(row.outcome) for row in each)]
    return consistency.passes([[*map(right, each)] for each in whole])


def right(row: Row) -> bool:
    """A graded score counts as right from 0.999 on."""
    return row.score >= 0.999
