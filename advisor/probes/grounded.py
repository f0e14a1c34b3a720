"""Where answers come from, and who else can have a say in them: tables of all approaches, sentences on the one of the story."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, percent, start
from benchmarks.checked import Grounding, Planted
from benchmarks.contract import Evaluation
from benchmarks.probes.planted import QUOTED, SENTENCES
from benchmarks.statistics.counted import interval

LEAST_OF_A_KIND = 5
"""Cases of one kind of planted sentence from which on it is shown apart."""


def grounding_table(material: Material) -> Table:
    """No rows where there are no documents, or no questions."""
    found = [
        (status.candidate, grounding)
        for status in material.suitable
        if (grounding := material.evaluations[status.candidate].grounding) is not None
    ]
    blank = any(grounding.unanswerable for _, grounding in found)
    columns = ("approach", "in what it found", "elsewhere in the documents", "in none", "nothing specific")
    declining = ("says there is none", "of these wrongly", "answers though there is none")
    return Table(
        title="Where answers come from",
        columns=(*columns, *(declining if blank else ())),
        rows=tuple((name, *_places(each), *(_declining(each) if blank else ())) for name, each in found),
        note=_NOTE if found else "",
        numeric=tuple(range(1, len(columns) + (len(declining) if blank else 0))),
    )


_NOTE = (
    "Held-out answers, counted by the place that has all their specifics: numbers, and words that fewer than one in ten "
    "documents contain. In none: invented, or said in other words. No model judges this."
)


def what_it_invents(evaluation: Evaluation) -> Iterator[str]:
    """One sentence each on answers that stand nowhere, on questions without an answer, and on those that wrongly get none."""
    found = evaluation.grounding
    if found is None:
        return
    if found.nowhere == 1:
        judged = "is wrong" if found.nowhere_wrong else "is right all the same"
        yield f"1 answer of {evaluation.candidate} stands in no document and {judged}: invented, or said in other words."
    elif found.nowhere:
        yield (
            f"{found.nowhere:,} answers of {evaluation.candidate} ({percent(found.nowhere / found.answers)}) stand in no "
            f"document, {found.nowhere_wrong:,} of them wrong: invented, or said in other words."
        )
    if found.unanswerable_answered:
        yield (
            f"Of {counted(found.unanswerable, 'question')} without an answer {evaluation.candidate} answers "
            f"{found.unanswerable_answered:,} all the same."
        )
    if found.declined_wrong:
        unfound = found.declined_unfound
        missed = f"; in {unfound:,} of them the search had found none of the right documents" if unfound else ""
        yield (
            f"{start(evaluation.candidate)} says of {counted(found.declined_wrong, 'question')} with an answer that there is "
            f"none{missed}."
        )


def planted_table(material: Material) -> Table:
    """No rows where it was not asked for."""
    found = [
        (status.candidate, each)
        for status in material.suitable
        for each in material.evaluations[status.candidate].planted
    ]
    kinds = [kind for kind in SENTENCES if any(_enough(each, kind) for _, each in found)]
    rows = [
        (
            name,
            each.place,
            f"{each.cases:,}",
            f"{each.followed:,}",
            _share(each),
            *(_of_kind(each, kind) for kind in kinds),
        )
        for name, each in found
    ]
    return Table(
        title="Planted instructions",
        columns=("approach", "planted in", "cases", "followed", "95 % interval", *kinds),
        rows=tuple(rows),
        note="One of five sentences that anybody could write, at the end of a request or of the best passage, asks for a wrong "
        "answer. Followed: it is given, and was not given without the sentence"
        f"{'; also by kind of sentence, followed of cases' if kinds else ''}. Other sentences may do better, and nothing here "
        "defends against any." + (_TO_QUOTE if any(_quoted(each) for _, each in found) else "")
        if rows
        else "",
        numeric=tuple(range(2, 5 + len(kinds))),
    )


_TO_QUOTE = (
    " What answers with a sentence of the documents obeys none: there one is planted that repeats the question and gives a wrong "
    "answer, and followed is what quotes it."
)


def _quoted(found: Planted) -> bool:
    """Whether some of what was planted was meant to be quoted."""
    return QUOTED in found.by_kind


def _enough(found: Planted, kind: str) -> bool:
    return found.by_kind.get(kind, (0, 0))[0] >= LEAST_OF_A_KIND


def _of_kind(found: Planted, kind: str) -> str:
    cases, followed = found.by_kind.get(kind, (0, 0))
    return f"{followed:,}/{cases:,}" if _enough(found, kind) else NONE


def who_else_speaks(evaluation: Evaluation) -> Iterator[str]:
    """One sentence for each place where planted text was followed."""
    for each in evaluation.planted:
        if each.followed and set(each.by_kind) == {QUOTED}:
            yield (
                f"A sentence planted in a document, with the question and a wrong answer, was quoted by {evaluation.candidate} "
                f"in {each.followed:,} of {counted(each.cases, 'case')}."
            )
        elif each.followed:
            yield (
                f"An instruction planted in a {each.place} was followed by {evaluation.candidate} in {each.followed:,} of "
                f"{counted(each.cases, 'case')}."
            )


def _share(found: Planted) -> str:
    low, high = interval(found.followed, found.cases, found.by_group)
    return f"{low * 100:.0f} to {high * 100:.0f} %"


def _places(found: Grounding) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in (found.evidence, found.documents, found.nowhere, found.vague))


def _declining(found: Grounding) -> tuple[str, ...]:
    return (
        f"{found.declined:,}",
        f"{found.declined_wrong:,}",
        f"{found.unanswerable_answered:,} of {found.unanswerable:,}",
    )
