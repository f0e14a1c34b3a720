"""Evaluations of a stored run, and new scores for its raw answers: no model, no strategy, only what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.contract import Benchmark, Evaluation, PartOf, Row
from benchmarks.evaluation.cascade import APPROACH, DERIVED, asked_of, of_its_parts
from benchmarks.evaluation.cascade_checks import added_in, altered_in, changed_in, planted_in, rebuilt_in
from benchmarks.evaluation.evaluate import About, built_again, evaluate, requests, summed
from benchmarks.evaluation.grounding import Library
from benchmarks.evaluation.mistakes import Answers, Handed
from benchmarks.evaluation.noted_scores import looked_at, rescored_notes
from benchmarks.probes.added import added
from benchmarks.probes.altered import altered_counts, rewritten_case
from benchmarks.probes.changed import changed
from benchmarks.probes.handed import handed
from benchmarks.probes.planted import followed, in_requests
from benchmarks.running.foreign import metric_code
from benchmarks.scored import MetricScore
from benchmarks.storage.store import Store

PURPOSES = (
    "heldout",
    "edit",
    "repeat",
    "format",
    "reworded",
    "seed",
    "oracle",
    "curve",
    "planted",
    "rebuild",
    "changed",
    "added",
    "by heart",
    "altered",
)
NOTED = ("fit", "seed", "latency", "handed", "forgetting", "by heart", "changed", "added", "altered")
"""Kinds of units whose notes tell what their rows do not."""


def evaluations(benchmark: Benchmark, candidates: Sequence[Mapping[str, Any]], store: Store) -> list[Evaluation]:
    """One evaluation for each candidate that the run planned, in its order, and for those made of their rows."""
    kinds = {kind: store.notes(kind) for kind in NOTED} | {"answer": store.problems("answer")}
    library, families = Library.of(benchmark.task), {row["name"]: row["family"] for row in candidates}

    def evaluated(row: Mapping[str, Any]) -> Evaluation:
        notes = {kind: notes[row["name"]] for kind, notes in kinds.items() if row["name"] in notes}
        about = About(**row)
        if about.approach == APPROACH and (fit := notes.get("fit")):
            near = families.get(fit["chosen"].get("first")) == "reference"
            notes[APPROACH] = {"selection_answers": looked_at(fit, kinds["fit"]), "near": near}
        return evaluate(benchmark, about, store, notes, library)

    found = [evaluated(row) for row in candidates]
    measured = {each.candidate: each for each in found}
    made = [of_its_parts(evaluated(row), measured) for row in store.meta(DERIVED) or ()]
    return [*found, *(_with_checks(benchmark, _with_parts(each, measured, store), measured, store) for each in made)]


def _with_parts(cascade: Evaluation, measured: Mapping[str, Evaluation], store: Store) -> Evaluation:
    """With what each part took, where they ask two models."""
    parts = [measured.get(cascade.chosen.get(part, "")) for part in ("first", "second")]
    if len({each.model for each in parts if each is not None} - {""}) < 2:
        return cascade
    asked = asked_of(cascade, store)
    return replace(cascade, parts=tuple(_part(measured[name], rows, len(cascade.keys)) for name, rows in asked.items()))


def _part(alone: Evaluation, rows: Sequence[Row], answers: int) -> PartOf:
    used = [usage for row in rows for usage in row.outcome.usage]
    return PartOf(
        model=alone.model,
        family=alone.family,
        answering=summed(used, answers),
        requests=requests(used),
        beside_s=sum(each.seconds for each in used if each.model != alone.model),
    )


def _with_checks(
    benchmark: Benchmark, cascade: Evaluation, measured: Mapping[str, Evaluation], store: Store
) -> Evaluation:
    """With what its parts made of planted text and of changes, and what they answered when they were built again; put together
    here, since that may be asked for after the cascade was made. Where nothing is known of the passages of a part, nothing is of
    its own."""
    before = {row.key: row for row in store.rows(cascade.candidate, "heldout")}
    parts = [measured.get(cascade.chosen.get(part, "")) for part in ("first", "second")]
    why = next((each.unplanted for each in parts if each is not None and each.unplanted), "")
    asked = planted_in(cascade, store)
    planted = followed(benchmark, in_requests(asked) if why else asked, before)
    rows = rebuilt_in(cascade, store)
    built = built_again(benchmark, rows, store, (cascade.chosen["first"], cascade.chosen["second"])) if rows else None
    note, later = changed_in(cascade, store)
    rule, ruled = altered_in(cascade, store)
    labels, labelled = added_in(cascade, store)
    return replace(
        cascade,
        planted=planted,
        unplanted=why,
        rebuilds=built,
        changed=changed(benchmark, note, before, later),
        added=added(benchmark, labels, before, labelled),
        altered=altered_counts(benchmark, rule, ruled),
    )


def selection_answers(found: Sequence[Evaluation], store: Store) -> Answers:
    """What the candidates with usable figures answered on the selection cases while they were chosen."""
    notes = store.notes("fit")
    return {
        each.candidate: {
            row[0]: (row[1], row[2], row[4] if len(row) > 4 else None)
            for row in notes.get(each.candidate, {}).get("selection_answers", ())
        }
        for each in found
        if each.state is None
    }


def handed_over(store: Store) -> Handed:
    """What became of wrong selection answers that were asked again with the right passage."""
    return {name: handed(note) for name, note in store.notes("handed").items()}


def rescored(benchmark: Benchmark, store: Store) -> int:
    """Scores every stored answer again, those of notes too; returns how many scores changed."""
    cases = {case.id: case for case in benchmark.heldout}
    changes, score_by = [], MetricScore(metric=benchmark.metric)
    for candidate in store.candidates():
        for purpose in PURPOSES:
            for row in store.rows(candidate, purpose):
                case = cases[row.key]
                if purpose == "altered":
                    case = rewritten_case(case, benchmark.task.kind)
                score = score_by(case, row.outcome)
                if score != row.score:
                    changes.append((score, candidate, purpose, row.key, row.variant))
    store.rescore(changes)
    if known := store.meta("identity"):  # What goes on from here has to score by the same code.
        store.set_meta("identity", {**known, "metric_code": metric_code(benchmark.metric)})
    return len(changes) + rescored_notes(benchmark, store)
