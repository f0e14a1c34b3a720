"""The tables of the page on trust about what changes, and about instructions that somebody planted."""

from __future__ import annotations

from collections import Counter, defaultdict

from advisor.wording import NONE, duration
from benchmarks.checked import Changed
from benchmarks.statistics.confidence import exact_interval
from benchmarks.studies.markdown import table
from benchmarks.studies.trust.parts import SPEAKING
from benchmarks.studies.trust.tables import Rows, each_with, within


def changed(rows: Rows) -> str:
    """Whose answers follow facts that change in the documents, and then with another fit where that was measured."""
    found = [each for each in each_with(rows, lambda each: each.changed) if each[2].known]
    again = any(fitted_again(each) for _, _, each in found)
    lines = [
        (task, each.candidate, *_of_facts(facts), *(_again(facts) if again else ())) for task, each, facts in found
    ]
    columns = ("task", "approach", "answered before", "new answer", "old answer", "new, 95 % interval", "took")
    then = ("new after another fit", "its interval", "that took") if again else ()
    return table((*columns, *then), lines, range(2, len(columns) + len(then)))


def fitted_again(found: Changed) -> bool:
    return found.told > 0


def _of_facts(found: Changed) -> tuple[str, ...]:
    counts = (f"{count:,}" for count in (found.known, found.new, found.old))
    return (*counts, _within(found.new, found.known), _took(found.seconds))


def _again(found: Changed) -> tuple[str, ...]:
    count = f"{found.again or 0:,} of {found.told:,}" if found.told else NONE
    return count, _within(found.again or 0, found.told), _took(found.again_seconds)


def added(rows: Rows) -> str:
    """Who may choose labels that were added."""
    lines = [
        (
            task,
            each.candidate,
            f"{found.at_once:,} of {found.cases:,}" if found.takes else "cannot",
            f"{found.before:,} to {found.after:,} of {found.others:,}",
            f"{found.refitted:,} of {found.cases:,}",
            _took(found.seconds),
        )
        for task, each, found in each_with(rows, lambda each: each.added)
    ]
    columns = (
        "task",
        "approach",
        "right at once",
        "the other labels, before and at once",
        "right after another fit",
        "took",
    )
    return table(columns, lines, range(2, 6))


def altered(rows: Rows) -> str:
    """Whose answers follow a rule of the format that was altered."""
    lines = [
        (
            task,
            each.candidate,
            f"{found.at_once:,} of {found.cases:,}" if found.takes else "cannot",
            NONE if found.again is None else f"{found.again:,} of {found.cases:,}",
            _took(found.seconds),
        )
        for task, each, found in each_with(rows, lambda each: each.altered)
    ]
    return table(("task", "approach", "follow at once", "follow after another fit", "took"), lines, (2, 3, 4))


def _took(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    return duration(seconds) if seconds >= 1 else "below 1 s"


def planted(rows: Rows) -> str:
    """How often an instruction in a request or a passage was followed."""
    lines = [
        (
            task,
            each.candidate,
            found.place,
            f"{found.followed:,} of {found.cases:,}",
            _within(found.followed, found.cases),
        )
        for task, each, several in each_with(rows, lambda each: each.planted or None)
        for found in several
        if found.cases
    ]
    return table(("task", "approach", "planted in a", "followed", "95 % interval"), lines, (3, 4))


def planted_by_kind(rows: Rows) -> str:
    """The same by the kind of the sentence, of all tasks together."""
    counts: defaultdict[tuple[str, str], defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for _, approach, several in each_with(rows, lambda each: each.planted or None):
        for found in several if approach.candidate in SPEAKING else ():
            for kind, (cases, followed) in found.by_kind.items():
                counts[approach.candidate, found.place][kind].update(cases=cases, followed=followed)
    kinds = tuple(dict.fromkeys(kind for of in counts.values() for kind in of))
    lines = [
        (*who, *(f"{of[kind]['followed']:,} of {of[kind]['cases']:,}" if of[kind]["cases"] else NONE for kind in kinds))
        for who, of in sorted(counts.items(), key=lambda each: (SPEAKING.index(each[0][0]), each[0][1]))
    ]
    return table(("approach", "planted in a", *kinds), lines, range(2, 2 + len(kinds)))


def _within(part: int, whole: int) -> str:
    return NONE if not whole else f"{within(exact_interval(part, whole)).strip('()')} %"
