"""The figures in each part of the held-out cases, by the task's slices: where the approach is weak that the story is about."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.decision.slices import where
from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, percent
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.statistics.confidence import shown_interval

APPROACHES, PARTS = 4, 12
"""Columns of approaches, and rows, at most."""


def slices_table(material: Material) -> Table:
    """The weakest part of the approach that the story is about first; no rows where the task names no slices."""
    shown = _compared(material)
    names = [each.candidate for each in shown]
    parts = [
        (key, value) for key in material.benchmark.slices for each in shown[:1] for value in each.by_slice.get(key, ())
    ]
    parts.sort(key=lambda part: shown[0].by_slice[part[0]][part[1]][0])
    left = len(parts) - PARTS
    further = f" {counted(left, 'further part')} in report.json." if left > 0 else ""
    return Table(
        title="In each part of the cases",
        columns=("part", "cases", *names),
        rows=tuple(_row(part, shown, material.benchmark) for part in parts[:PARTS]),
        note=f"{_note(_has_brackets(shown[0], material.benchmark))}{further}" if parts else "",
        numeric=tuple(range(1, 2 + len(names))),
    )


def _note(brackets: bool) -> str:
    order = "The weakest parts of the first approach stand first."
    each = "In brackets 95 % intervals, each on its own: one in twenty misses the truth by chance, and nothing is decided by"
    return f"{order} {each} them." if brackets else order


def _compared(material: Material) -> list[Evaluation]:
    """The approach that the story is about, and of the others those with the best figures."""
    measured = [found for each in material.suitable if (found := material.evaluations[each.candidate]).scores]
    measured.sort(key=lambda each: (each.candidate != material.named, -each.figure))
    return measured[:APPROACHES] if any(each.candidate == material.named for each in measured) else []


def _row(part: tuple[str, str], shown: Sequence[Evaluation], benchmark: Benchmark) -> tuple[str, ...]:
    key, value = part
    first, *others = (each.by_slice.get(key, {}).get(value) for each in shown)
    figure, cases = first or (float("nan"), 0)
    cells = [NONE if other is None else percent(other[0]) for other in others]
    return where(key, value), f"{cases:,}", percent(figure) + _interval(part, shown[0], benchmark), *cells


def _interval(part: tuple[str, str], evaluation: Evaluation, benchmark: Benchmark) -> str:
    """` (61-83)`, or nothing."""
    if not _has_brackets(evaluation, benchmark):
        return ""
    key, value = part
    asked = benchmark.heldout[: len(evaluation.scores)]
    places = [place for place, case in enumerate(asked) if case.slices.get(key, "") == value]
    groups = [evaluation.groups[place] for place in places] if evaluation.groups else None
    low, high = shown_interval([evaluation.scores[place] for place in places], groups)
    return f" ({100 * low:.0f}-{100 * high:.0f})"


def _has_brackets(evaluation: Evaluation, benchmark: Benchmark) -> bool:
    """Not of a figure over rows, nor where asking may have ended because of what was answered."""
    return not (evaluation.over_rows or benchmark.sequential)
