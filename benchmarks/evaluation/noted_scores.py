"""New scores for the answers that notes of finished units hold: those to selection cases, and to examples asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.contract import Answered, Benchmark
from benchmarks.evaluation.cascade import DERIVED, put_together, score_of
from benchmarks.scored import figure_over, text_score
from benchmarks.storage.store import Store

CHOSEN_BY = "chosen_by"
"""In the note of a fit whose answers have other scores by now: the `score` by which it was chosen, and their `mean` then."""
Score = Callable[[str, str, float], float]
"""Case id, text and the score so far: the score by the metric as it is. What is no answer has no text and keeps its score."""


def rescored_notes(benchmark: Benchmark, store: Store) -> int:
    """Scores what notes hold again; returns how many scores changed."""
    cases, changed = {case.id: case for case in benchmark.task.examples}, list[str]()

    def score(key: str, text: str, before: float) -> float:
        after = text_score(benchmark.metric, cases[key], text) if text and key in cases else before
        changed.extend([key] if after != before else [])
        return after

    store.renote("fit", lambda note: _fit(note, score))
    store.renote(
        "handed", lambda note: {**note, "answers": _rows(note["answers"], score)} if "answers" in note else note
    )
    store.renote("by heart", lambda note: _by_heart(note, score))
    if changed and store.meta(DERIVED):
        notes = store.notes("fit")
        store.renote("fit", lambda note: _cascade(note, notes))
    return len(changed)


def selection_figure(benchmark: Benchmark, candidate: str, store: Store) -> float | None:
    """The figure of a metric over rows on the selection answers; None of any other metric, and where they were not kept."""
    if not benchmark.metric.over_rows:
        return None
    notes, cases = store.notes("fit"), {case.id: case for case in benchmark.task.examples}
    rows = looked_at(notes.get(candidate, {}), notes)
    answered = [Answered(case=cases[key], text=text, score=score) for key, text, score, *_ in rows if key in cases]
    return figure_over(benchmark.metric, answered) if answered else None


def looked_at(note: Mapping[str, Any], notes: Mapping[str, Mapping[str, Any]]) -> Sequence[Sequence[Any]]:
    """The selection answers that the note of a fit tells of, [case id, text, score, how sure, ...]: of a cascade those of its
    parts, put together. `notes`: of all fits."""
    parts = _parts(note.get("chosen", {}), notes)
    return put_together(note["chosen"]["below"], *parts) if parts else note.get("selection_answers", ())


def chosen_by_others(store: Store) -> bool:
    """Whether a configuration was chosen by other scores than its answers have now."""
    return any(CHOSEN_BY in note for note in store.notes("fit").values())


def _rows(rows: Sequence[Sequence[Any]], score: Score) -> list[list[Any]]:
    """Of [case id, text, score, ...]."""
    return [[key, text, score(key, text, before), *rest] for key, text, before, *rest in rows]


def _fit(note: Mapping[str, Any], score: Score) -> Mapping[str, Any]:
    old, chosen = note.get("selection_answers") or (), note.get("chosen", {})
    new = _rows(old, score)
    if not old or new == [[*row] for row in old]:
        return note
    if "selection_score" not in chosen:
        return {**note, "selection_answers": new}
    by = note.get(CHOSEN_BY) or {"score": chosen["selection_score"], "mean": _mean(old)}
    kept = {key: value for key, value in note.items() if key != CHOSEN_BY} | {"selection_answers": new}
    if (mean := _mean(new)) == by["mean"]:
        return {**kept, "chosen": {**chosen, "selection_score": by["score"]}}
    return {**kept, "chosen": {**chosen, "selection_score": mean}, CHOSEN_BY: by}


def _mean(rows: Sequence[Sequence[Any]]) -> float:
    return float(sum(row[2] for row in rows) / len(rows))


def _by_heart(note: Mapping[str, Any], score: Score) -> Mapping[str, Any]:
    if "taught" not in note:
        return note
    both = zip(note["said"], note["taught"], strict=True)
    return {**note, "taught": [score(key, text, before) for (key, text), before in both]}


def _cascade(note: Mapping[str, Any], notes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """One that is made of two others has their answers."""
    chosen = note.get("chosen", {})
    parts = _parts(chosen, notes)
    if not parts:
        return note
    return {**note, "chosen": {**chosen, "selection_score": score_of(chosen["below"], *parts)}}


def _parts(chosen: Mapping[str, Any], notes: Mapping[str, Mapping[str, Any]]) -> list[Sequence[Sequence[Any]]]:
    """The selection answers of the two that a cascade is made of; none of anything else, and where they were not kept."""
    names = [chosen.get(part) for part in ("first", "second")]  # An approach may have settings of these names.
    parts = [notes.get(name, {}).get("selection_answers", ()) for name in names if isinstance(name, str)]
    return parts if len(parts) == len(names) and all(parts) and "below" in chosen else []
