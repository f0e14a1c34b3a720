"""What held-out cases that stood among the examples do to the figures: a table of all approaches, and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import ceil_percent, counted, floor_percent, percent, points
from benchmarks.checked import Leaks
from benchmarks.contract import Benchmark, Evaluation

_PERHAPS = ", perhaps"
"""Behind the name of an approach: the row is of cases that perhaps stood among the examples."""


def leaks_table(material: Material) -> Table:
    """No rows where no held-out case stood among the examples, nor perhaps did."""
    evaluations = [material.evaluations[status.candidate] for status in material.suitable]
    rows = [
        _row(f"{each.candidate}{apart}", each, found)
        for each in evaluations
        for apart, found in (("", each.leaks), (_PERHAPS, each.perhaps_leaked))
        if found is not None
    ]
    return Table(
        title="Held-out cases that stood among the examples",
        columns=("approach", "on all", "on these cases", "without them", "95 % interval", "what they add"),
        rows=tuple(rows),
        note=_note(material.benchmark, evaluations),
        numeric=tuple(range(1, 6)),
    )


def _row(name: str, evaluation: Evaluation, found: Leaks) -> tuple[str, ...]:
    within = f"{floor_percent(found.lower)} to {ceil_percent(found.upper)} %"
    shift = points(evaluation.figure - found.without)
    return (name, *map(percent, (evaluation.figure, found.figure, found.without)), within, shift)


def _note(benchmark: Benchmark, evaluations: Sequence[Evaluation]) -> str:
    notes = [
        *([_of_leaks(benchmark)] if any(each.leaks is not None for each in evaluations) else ()),
        *([_of_perhaps(benchmark)] if any(each.perhaps_leaked is not None for each in evaluations) else ()),
    ]
    return " ".join(notes)


def _of_perhaps(benchmark: Benchmark) -> str:
    told = ", and of ".join(_perhaps_of(len(benchmark.perhaps_leaked), benchmark))
    return (
        f'Rows with "perhaps" are of {told}. Whether they were copied nobody knows, and no verdict rests on these rows.'
    )


def _perhaps_of(cases: int, benchmark: Benchmark) -> Iterator[str]:
    """Which they are, and how many."""
    standing = len(benchmark.in_documents or ())
    unknown = benchmark.in_documents is None and benchmark.task.documents
    if others := cases - standing:
        their = "its" if others == 1 else "their"
        beside = f"beside which examples stayed that have {their} words and answer, or are of {their} group"
        there = f", or {_found_easily(others)}" if unknown else ""
        yield f"{counted(others, 'held-out case')} {beside}{there}"
    if standing:
        yield f"{counted(standing, 'held-out case')} {_found_easily(standing)}"


def _found_easily(cases: int) -> str:
    return f"that documents hold, where what looks things up finds {'it' if cases == 1 else 'them'} easily"


def _of_leaks(benchmark: Benchmark) -> str:
    cases = counted(len(benchmark.leaked), "held-out case")
    if benchmark.stayed:
        return (
            f"{cases}, the same or nearly. {_stayed(len(benchmark.stayed))} Those that are the same were left out for every "
            "approach before anything was fitted. Approaches that look examples up can copy from those that stayed."
        )
    unknown = " (those that are only nearly the same stayed where they are more than a fifth of all)"
    return (
        f"{cases}, the same or nearly. Such examples were left out for every approach before anything was fitted"
        f"{unknown if benchmark.stayed is None else ''}. Left in, they would be answers to copy. What the cases "
        "add even so: they are often the easy ones."
    )


def _stayed(cases: int) -> str:
    return (
        f"{counted(cases, 'held-out case')} {'has' if cases == 1 else 'have'} a nearly identical example; these stayed, since "
        "they are more than a fifth of the examples."
    )


def without_the_leaks(evaluation: Evaluation) -> Iterator[str]:
    """What is said of the figure without them."""
    found = evaluation.leaks
    if found is None:
        return
    without, all_cases = percent(found.without), percent(evaluation.figure)
    figure = f"the same {without}" if without == all_cases else f"{without}, not {all_cases}"
    reaches = f"{evaluation.candidate} reaches {figure}."
    there = f"{counted(found.cases, 'held-out case')} stood among the examples too"
    if not found.stayed:
        yield f"{there}; these examples were left out. Without these cases {reaches}"
    elif found.stayed == found.cases:
        yield f"{_stayed(found.stayed)} Without these cases {reaches}"
    else:
        yield f"{there}, the same or nearly. {_stayed(found.stayed)} Without all of these cases {reaches}"
