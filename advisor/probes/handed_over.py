"""How right approaches are where they are sure, and what one that misses the target could answer with a person for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.drawn import Table
from advisor.material import Material
from advisor.probes.guarded import guard_cells, guard_columns
from advisor.wording import NONE, counted, floor_percent, listed, metric_name, percent
from benchmarks.checked import Handover
from benchmarks.contract import Evaluation, State

_HELD_BACK = (
    " Held back and lost: below a threshold that was set on the selection cases to lose few {}, 5 % where these are "
    "enough. It and others are in the JSON and on the card of an export."
)
_POINTS = " Points: what all answers score, and what they lack of a full score."
_SINGLE = " Figures are of single answers, since {} exists over all of them only."
_NO_THRESHOLD = " A dash: too few selection answers are right to set a threshold, or all answers are alike."
_OPEN = (State.MISSES, State.UNDECIDED)


def handover_table(material: Material) -> Table:
    """Approaches that are not proven to meet the target; no rows where none of them knows what it is unsure of."""
    target, rows = material.benchmark.target, []
    for status in material.suitable:
        found = material.evaluations[status.candidate].handover
        if found is None or status.state not in _OPEN:
            continue
        proven = "meets" if target is not None and found.lower >= target else "undecided"
        rows.append((status.candidate, *_cells(found, target), proven))
    return Table(
        title="With a person for what it is unsure of",
        columns=("approach", "answers alone", "figure of these", "at least", "status of these"),
        rows=tuple(rows),
        note="The threshold above which an approach answers alone was set on the selection cases; figures are of held-out ones. "
        "At least: at 95 % confidence for all approaches together."
        + (f"{_single(material)} They are held against the number of the target." if _single(material) else "")
        if rows
        else "",
        numeric=(1, 2, 3),
    )


def coverage_table(material: Material) -> Table:
    """How right the surest answers of each approach are; no rows where none says how sure it is."""
    evaluations = [material.evaluations[status.candidate] for status in material.suitable]
    found = [(each, known) for each in evaluations if (known := each.coverage) is not None]
    shares = found[0][1].shares if found else ()
    more = guard_columns([each for each, _ in found])
    rows = tuple(
        (
            each.candidate,
            *map(percent, known.figures),
            NONE if known.order is None else percent(known.order),
            *guard_cells(each.guard, more),
        )
        for each, known in found
    )
    named = [f"the surest {percent(share)}" for share in shares[1:]]
    return Table(
        title="How sure, and how right",
        columns=("approach", "all answers", *named, "surer of the better one", *more),
        rows=rows,
        note="Figures of the held-out answers that an approach is surest of. Where they rise, it knows what it does not know, "
        "and a person can take the rest. Surer of the better one: of two answers that differ in score; 50 % is chance."
        + (_held_back(material) if more else "")
        + _single(material)
        + (_NO_THRESHOLD if any(NONE in row for row in rows) else "")
        + _silent(evaluations)
        if rows
        else "",
        numeric=tuple(range(1, len(shares) + 2 + len(more))),
    )


def _single(material: Material) -> str:
    """With a space before it, where the metric is one over rows; else empty."""
    metric = material.benchmark.metric
    return _SINGLE.format(metric_name(metric.name)) if metric.over_rows else ""


def _silent(evaluations: Sequence[Evaluation]) -> str:
    """Who is not in the table, with a space before it; empty where all are."""
    names = [each.candidate for each in evaluations if each.scores and each.coverage is None]
    return f" Not told how sure they are: {listed(names)}." if names else ""


def _held_back(material: Material) -> str:
    graded = material.benchmark.metric.graded
    return _HELD_BACK.format("scored points" if graded else "right answers") + (_POINTS if graded else "")


def let_a_person_help(material: Material) -> Iterator[str]:
    """One next step where nothing is proven to meet the target: the approach that answers most of the cases alone."""
    target = material.benchmark.target
    if target is None or material.recommendation.safe is not None:
        return
    able = [
        (found.alone, status.candidate, found)
        for status in material.statuses
        if (found := material.evaluations[status.candidate].handover) is not None
        and found.lower >= target
        and status.state in _OPEN
    ]
    if able:
        alone, name, found = max(able, key=lambda each: (each[0], each[1]))
        good = "scoring {} on average" if material.benchmark.metric.graded else "{} of them right"
        yield (
            f"Let {name} answer {percent(alone / found.of)} of the requests alone, {good.format(percent(found.figure))} "
            f"(at least {floor_percent(found.lower, target)}), and hand those that it is unsure of to a person, "
            f"{found.of - alone:,} of {counted(found.of, 'case')} here."
        )


def _cells(found: Handover, target: float | None) -> tuple[str, str, str]:
    return percent(found.alone / found.of), percent(found.figure), f"{floor_percent(found.lower, target)} %"
