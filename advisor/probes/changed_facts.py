"""What each approach answers on the day on which facts in the documents change: a table and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.drawn import Table
from advisor.material import Material
from advisor.probes.added_labels import added_table
from advisor.probes.following import Following, any_known, following, unknown_says
from advisor.wording import NONE, counted, listed, start
from benchmarks.checked import Changed
from benchmarks.statistics.counted import interval


def changed_table(material: Material) -> Table:
    """No rows where it was not asked for, and only a note where no fact could be changed; of labels that were added where
    the task has labels."""
    if of_labels := added_table(material):
        return of_labels
    found = _found(material)
    takes = {name: following(material, name).get("changed") for name in found}
    known = any_known([each for each in takes.values() if each])
    columns = ("approach", "questions", "answered before", "new answer", "95 % interval", "old answer", "neither")
    measured = [each for each in found.values() if each.told or each.again_failed]
    then = ("new when fitted again", "95 % interval then") if measured else ()
    again = _AGAIN.format(examples=counted(examples_telling(material), "example")) if measured else ""
    rows = tuple(
        (name, *_counts(each), *_counts_again(each)[: len(then)], _takes(each, takes[name], known))
        for name, each in found.items()
        if each.cases
    )
    note = _NOTE + again + _ELSEWHERE + unknown_says(material, [each for each in takes.values() if each])
    return Table(
        title="The day facts in the documents change",
        columns=(*columns, *then, "what following takes"),
        rows=rows,
        note=note if rows else _NOTHING if found else "",
        numeric=tuple(range(1, len(columns) + len(then))),
    )


def examples_telling(material: Material) -> int:
    """Examples that told a changed fact and were rewritten for another fit: of the task, alike for every approach."""
    return max((each.examples for each in _found(material).values()), default=0)


_NOTE = (
    "A program replaced numbers and names in the documents by others of their kind from the task's examples, only where "
    "the answer stands once in the document that the question names. At first nothing was fitted again: what reads documents was "
    "given the changed ones, what reads none answers as before. New, old and neither: of the questions whose old answer it had "
    "given. New examples: one for each question, which somebody has to write."
)
_AGAIN = (
    " Fitted again: with the {examples} that told such a fact in other words, rewritten by program, nothing being chosen anew; a "
    "prompt that shows examples has them rewritten. Counted are the questions for a fact that they tell and that it had answered."
)
_ELSEWHERE = " A fact that another document states too may still be found there."
_NOTHING = (
    "No fact could be changed with certainty: no answer is a number or a name that stands once in the document that its "
    "question names, with another of its kind among the examples."
)


def _counts(found: Changed) -> tuple[str, ...]:
    counts = (found.new, found.old, found.known - found.new - found.old)
    new, old, neither = (f"{count:,}" if found.known else NONE for count in counts)
    share = _within(_interval(found)) if found.known else NONE
    return (f"{found.cases:,}", f"{found.known:,}", new, share, old, neither)


def _counts_again(found: Changed) -> tuple[str, str]:
    if not found.told:
        return ("failed" if found.again_failed else NONE), NONE
    return f"{found.again or 0:,} of {found.told:,}", _within(_interval_again(found))


def _within(bounds: tuple[float, float]) -> str:
    return " to ".join(f"{100 * bound:.0f}" for bound in bounds) + " %"


def _takes(found: Changed, each: Following | None, known: bool) -> str:
    if each is None:
        return NONE
    new, again = f"{counted(each.examples, 'new example')}, ", f"{counted(found.documents, 'document')} indexed again"
    if found.seconds is None:
        return each.told(f"{new}and fitting again", known)
    return each.told(f"{new}fitting again, and {again}" if each.examples else again, known)


def _interval(found: Changed) -> tuple[float, float]:
    return interval(found.new, found.known, found.by_group)


def the_day_it_changes(material: Material) -> Iterator[str]:
    """One sentence on who gives the new answers at once, and who goes on giving the old ones."""
    found = {name: each for name, each in _found(material).items() if each.known}
    readers = {name: each for name, each in found.items() if each.seconds is not None}
    others = {name: each for name, each in found.items() if each.seconds is None}
    told = []
    if readers:
        best = max(readers, key=lambda name: _interval(readers[name])[0])
        each = readers[best]
        low, high = _interval(each)
        told.append(
            f"{best} at once gives the new answer to {each.new:,} of the {counted(each.known, 'question')} that it had answered "
            f"({100 * low:.0f} to {100 * high:.0f} %), with no new example and no training"
        )
    if others:
        gives, it = ("gives", "it is") if len(others) == 1 else ("give", "they are")
        told.append(f"{listed(list(others))} {gives} the old answers until {it} fitted again{_then(material, others)}")
    if told:
        yield start(f"when facts in the documents change, {'; '.join(told)}.")


def _then(material: Material, others: Mapping[str, Changed]) -> str:
    """What fitting again brings those that read no documents, and do not copy the rewritten example."""
    measured = {
        name: each for name, each in others.items() if each.told and material.evaluations[name].family != "reference"
    }
    if not measured:
        return ", and what that would bring was not measured"
    low_high = {name: _within(_interval_again(each)) for name, each in measured.items()}
    first, *rest = measured.items()
    counts = [
        f"{first[0]} gives the new answer to {first[1].again or 0:,} of the {counted(first[1].told, 'question')} on them that "
        f"it had answered ({low_high[first[0]]})",
        *(f"{name} to {each.again or 0:,} of {each.told:,} ({low_high[name]})" for name, each in rest),
    ]
    return f"; fitted again with the examples that tell such facts rewritten, {listed(counts)}"


def _interval_again(found: Changed) -> tuple[float, float]:
    return interval(found.again or 0, found.told, found.again_by_group)


def _found(material: Material) -> dict[str, Changed]:
    return {
        status.candidate: found
        for status in material.suitable
        if (found := material.evaluations[status.candidate].changed) is not None
    }
