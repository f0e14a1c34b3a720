"""A cascade of two: a simpler or cheaper approach answers, and where it is not sure the next one does; made of stored rows.

Which two, and from which sureness on, is chosen on the selection cases that both answered there; the held-out rows are
only put together. So it costs nothing to have, and is often the cheapest that meets a target: so where some pair reaches it
there, as few cases are handed on as it takes, to a model that is no dearer than it takes. What models cost beside each other
is what is known before the run.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.contract import Benchmark, Candidate, Evaluation, FittedPart, Row
from benchmarks.costs.dearer import Dearer
from benchmarks.evaluation.handover import too_many_unknown
from benchmarks.probes.consistency import probe_cases
from benchmarks.storage.store import Store, UnitResult
from strategies.answers import sureness
from strategies.contract import TUNED
from strategies.search import total

DERIVED = "derived"
"""Key of the store under which candidates that are made of others' rows are described."""
APPROACH = "cascade"
FEWEST = 30
"""Selection cases that both must have answered."""
SHARES = tuple(step / 20 for step in range(1, 20))
"""Shares of the selection cases that may be handed on."""
NOTHING_KNOWN = Dearer()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One candidate as part of a cascade, with its selection answers: case id -> (score, how sure or None)."""

    candidate: Candidate
    answers: Mapping[str, tuple[float, float | None]]

    @property
    def name(self) -> str:
        return self.candidate.name

    @property
    def model(self) -> str:
        return self.candidate.model

    def comes_before(self, other: Stage, dearer: Dearer) -> bool:
        """Whether it is the simpler one, with the same model or none; or asks a model that is known to cost less."""
        if self.model in ("", other.model):
            return self.candidate.strategy.simplicity < other.candidate.strategy.simplicity
        return dearer.than(other.model, self.model)


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """The second answers where the first is less sure than `below`."""

    first: Stage
    second: Stage
    below: float
    score: float
    """On the selection cases that both answered."""
    alone: tuple[float, float]
    """Of the first and of the second, on the same cases."""
    cases: int
    handed_on: float
    """Share of these cases."""

    @property
    def name(self) -> str:
        return f"{self.second.name} after {self.first.name}"

    @property
    def least(self) -> float:
        """One standard error below the score."""
        return self.score - math.sqrt(max(0.0, self.score * (1 - self.score)) / self.cases)

    def passes(self, sure: float | None) -> bool:
        """Whether an answer is handed on."""
        return is_handed_on(sure, self.below)


def score_of(below: float, first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]]) -> float:
    """Mean score of a cascade on the selection cases that both answered; an answer is [case id, text, score, how sure]."""
    answers = put_together(below, first, second)
    return float(sum(row[2] for row in answers) / len(answers))


def put_together(below: float, first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Its answers to these cases."""
    later = {row[0]: row for row in second}
    return [later[row[0]] if is_handed_on(row[3], below) else row for row in first if row[0] in later]


def add_cascade(
    benchmark: Benchmark,
    candidates: Sequence[Candidate],
    store: Store,
    *,
    anew: bool = False,
    dearer: Dearer = NOTHING_KNOWN,
) -> None:
    """Writes the cascade that the selection cases name into the store, where one is of use (`best_cascade`).

    Its first part states how sure it is of its selection answers, but for a few, which are handed on: of a label by its share,
    of what it wrote or read by how likely that is, else by how near the evidence is.

    It takes the place of the one of an earlier start, from before what had failed then was measured. `anew`: of the same one too,
    which was made while checks of its parts were left.
    """
    target = None if benchmark.metric.over_rows else benchmark.target
    found = best_cascade(stages(candidates, store), target, dearer)
    lacks = found is not None and bool({found.first.name, found.second.name} & store.lacking())
    before = _made_before(store)
    if before == ({} if found is None else {found.name: found.below}) and (lacks or not anew):
        return
    if lacks:
        found = None  # It would be made of answers that were lost; a run that goes on makes it.
    made = [] if found is None else list(_units(benchmark, found, store))
    store.exchange(before, made, (DERIVED, [] if found is None else [_about(found)]))


def _made_before(store: Store) -> dict[str, float]:
    """Name -> from which sureness on the first part of it answers."""
    notes = store.notes("fit")
    return {row["name"]: notes[row["name"]]["chosen"]["below"] for row in store.meta(DERIVED) or ()}


def stages(candidates: Sequence[Candidate], store: Store) -> list[Stage]:
    """The candidates that were measured and whose selection answers are known, the simplest first."""
    notes, ended = store.notes("fit"), store.problems("answer")
    found = []
    for candidate in candidates:
        note = notes.get(candidate.name, {})
        answers = {row[0]: (row[2], row[3]) for row in note.get("selection_answers", ()) if len(row) > 3}
        gone = note.get("problem") or candidate.name in ended
        if answers and not gone and candidate.strategy.family != "recorded":
            found.append(Stage(candidate=candidate, answers=answers))
    return sorted(found, key=lambda stage: stage.candidate.strategy.simplicity)


def best_cascade(found: Sequence[Stage], target: float | None = None, dearer: Dearer = NOTHING_KNOWN) -> Cascade | None:
    """The fewest cases handed on among those that reach the target with a standard error to spare, where nothing that comes
    before the second part does alone; else the highest score of those that do better than both parts. None where there is
    neither. A cascade that ends in a cheaper model is preferred to one that ends in a dearer one, as long as it reaches the
    target.

    The first part is the simpler approach, with the model of the second or with none, or one on a cheaper model.
    """
    pairs = [(first, second) for first in found for second in found if first.comes_before(second, dearer)]
    options = [option for first, second in pairs for option in _options(first, second)]
    enough = [option for option in options if target is not None and target <= option.least]
    enough = [option for option in enough if not any(_reaches(each, option.second, target, dearer) for each in found)]
    if enough:
        return min(
            enough,
            key=lambda option: (
                dearer.place(option.second.model),
                option.handed_on,
                option.second.candidate.strategy.simplicity,
            ),
        )
    better = [option for option in options if option.score >= option.alone[1] - 1e-9]
    return max(better, key=lambda option: (option.score, -option.handed_on), default=None)


def _reaches(stage: Stage, second: Stage, target: float | None, dearer: Dearer) -> bool:
    """Whether it reaches the target on its selection cases and comes before the second: then it needs no cascade."""
    scores = [score for score, _ in stage.answers.values()]
    return stage.comes_before(second, dearer) and target is not None and sum(scores) >= target * len(scores)


def _options(first: Stage, second: Stage) -> Iterator[Cascade]:
    """One for each share that may be handed on, where it beats the first."""
    common = sorted(first.answers.keys() & second.answers.keys())
    marks = [first.answers[case][1] for case in common]
    if len(common) < FEWEST or too_many_unknown(marks):
        return
    sure = sorted(mark for mark in marks if mark is not None)
    alone = tuple(sum(stage.answers[case][0] for case in common) / len(common) for stage in (first, second))
    for share in SHARES:
        below = sure[int(share * len(sure))]
        handed = [case for case in common if is_handed_on(first.answers[case][1], below)]
        gained = sum(second.answers[case][0] - first.answers[case][0] for case in handed)
        if gained > 1e-9:
            yield Cascade(
                first=first,
                second=second,
                below=below,
                score=alone[0] + gained / len(common),
                alone=(alone[0], alone[1]),
                cases=len(common),
                handed_on=len(handed) / len(common),
            )


def of_its_parts(cascade: Evaluation, measured: Mapping[str, Evaluation]) -> Evaluation:
    """The same with what holds of a cascade since it holds of a part of it. `measured`: all others, by name.

    A part that was tuned has the same adapter here as alone, and forgot as much; of two the one that is shown to have
    forgotten more counts.
    """
    parts = [measured.get(name) for name in parts_of(cascade)]
    lost = [each.forgetting for each in parts if each is not None and each.forgetting is not None]
    left = dict.fromkeys(kind for each in parts if each is not None for kind in each.left)
    return replace(
        cascade,
        begins_here=bool(parts) and parts[0] is not None and not parts[0].model,
        forgetting=max(lost, key=lambda each: each.lower, default=None),
        left=tuple(left),
        made_of=tuple(
            FittedPart(model=each.model, family=each.family, searches=each.searches, fitting=each.fitting)
            for each in parts
            if each is not None
        ),
    )


def asked_of(cascade: Evaluation, store: Store) -> dict[str, list[Row]]:
    """What each of its parts answered of its held-out cases, the second what it was handed; nothing where it has no scores."""
    if len(parts := parts_of(cascade)) < 2 or not cascade.keys:
        return {}
    first, second = ({row.key: row for row in store.rows(name, "heldout")} for name in parts)
    handed = [key for key in cascade.keys if is_handed_on(sureness(first[key].outcome), cascade.chosen["below"])]
    return {parts[0]: [first[key] for key in cascade.keys], parts[1]: [second[key] for key in handed]}


def parts_of(cascade: Evaluation) -> list[str]:
    """Names, the first one first; none of a cascade that could not be made."""
    return [cascade.chosen[part] for part in ("first", "second") if part in cascade.chosen]


def is_handed_on(sure: float | None, below: float) -> bool:
    return sure is None or sure < below


# ---------------------------------------------------------------- its rows


def _units(benchmark: Benchmark, cascade: Cascade, store: Store) -> Iterator[UnitResult]:
    """A fit without any work, and the rows of both parts put together."""
    parts = (cascade.first.name, cascade.second.name)
    fitting = [usage for name in parts for usage in store.usage(name, "fit")]
    chosen = {
        "first": parts[0],
        "second": parts[1],
        "below": cascade.below,
        "handed_on": cascade.handed_on,
        "selection_score": cascade.score,
        "selection_cases": cascade.cases,
    }
    yield _done("fit", cascade, usage=tuple(fitting), note={"chosen": chosen})
    both = _asked_of_both(benchmark, cascade, store)
    for kind, purpose in (("answer", "heldout"), ("edit", "edit"), ("repeat", "repeat"), ("reworded", "reworded")):
        if kind != "answer" and len({store.done(kind).get(name, 0) for name in parts}) > 1:
            continue  # Where one of the two was cut off, the rows would be those of easy cases.
        rows = tuple(row for row in _rows(cascade, store, purpose) if row.key in both)
        if rows:
            usage = total([usage for row in rows for usage in row.outcome.usage])
            yield _done(kind, cascade, rows=rows, usage=usage)
    seconds = _seconds(benchmark, cascade, store)
    if seconds:
        yield _done("latency", cascade, note={"seconds": seconds})


def _asked_of_both(benchmark: Benchmark, cascade: Cascade, store: Store) -> set[str]:
    """Ids of the first held-out cases, up to where the first of the parts was decided; all where nobody stopped."""
    asked = min(len(list(store.rows(stage.name, "heldout"))) for stage in (cascade.first, cascade.second))
    return {case.id for case in benchmark.heldout[:asked]}


def _rows(cascade: Cascade, store: Store, purpose: str) -> Iterator[Row]:
    seconds = {(row.key, row.variant): row for row in store.rows(cascade.second.name, purpose)}
    for row in store.rows(cascade.first.name, purpose):
        if not cascade.passes(sureness(row.outcome)):
            yield replace(row, candidate=cascade.name)
        elif (later := seconds.get((row.key, row.variant))) is not None:
            outcome = replace(later.outcome, usage=(*row.outcome.usage, *later.outcome.usage))
            yield replace(later, candidate=cascade.name, outcome=outcome)


def _seconds(benchmark: Benchmark, cascade: Cascade, store: Store) -> list[float]:
    """Of the single requests that both parts were timed on: both together where the first hands on."""
    noted = store.notes("latency")
    first, second = (noted.get(stage.name, {}).get("seconds", []) for stage in (cascade.first, cascade.second))
    rows = {row.key: row for row in store.rows(cascade.first.name, "heldout")}
    timed = probe_cases(benchmark, int((store.meta("identity") or {}).get("options", {}).get("seed", 0)))
    both = min(len(first), len(second))  # Of slow answers fewer are timed: the first ones of the same requests.
    timed = timed[2 : 2 + both] if len(timed) > 2 else timed
    if not both or len(timed) != both:
        return []
    handed = [cascade.passes(sureness(rows[case.id].outcome)) for case in timed]
    return [one + (two if on else 0.0) for one, two, on in zip(first, second, handed, strict=False)]


def _done(kind: str, cascade: Cascade, **more: Any) -> UnitResult:
    name = hashlib.sha256(f"{APPROACH}|{cascade.name}|{kind}".encode()).hexdigest()[:24]
    return UnitResult(unit=name, kind=kind, candidate=cascade.name, **more)


def _about(cascade: Cascade) -> dict[str, Any]:
    """As `evaluate.About`. What it is, and who runs it, is what its second part is, but what holds a tuned part is tuned."""
    strategy, first = cascade.second.candidate.strategy, cascade.first.candidate.strategy
    return {
        "name": cascade.name,
        "approach": APPROACH,
        "family": first.family if first.family in TUNED and strategy.family not in TUNED else strategy.family,
        "model": cascade.second.candidate.model,
        "simplicity": max(strategy.simplicity, first.simplicity) + 1,
    }
