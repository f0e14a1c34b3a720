"""Wrong selection answers asked once more with the right passage in the prompt: was it knowledge that was missing?

The saved artifact has learnt the selection cases. So each is asked of the same configuration with the examples of its fold's
training part only, as when it was chosen, and of nothing that was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.evaluation.mistakes import RIGHT, StandingAnswers
from benchmarks.probes.gold import with_gold
from strategies.contract import Case, Task
from strategies.retrieval.index import PassageIndex
from strategies.search import selection_items
from strategies.sources import Sources

if TYPE_CHECKING:
    from strategies.pipeline import Pipeline

CASES = 100
"""Selection cases that are asked, at most."""


def askable(task: Task) -> list[Case]:
    """The selection cases for which there is a right passage: they name documents, and there is an answer to them."""
    standing = StandingAnswers.of(task)
    cases = {case.id: case for fold in task.folds for case in fold.selection}
    named = [case for case in cases.values() if standing.documents.keys() & {*case.document_ids}]
    return [case for case in named if not standing.has_none(case)]


def most(task: Task) -> int:
    """How many cases an approach is asked here, at most."""
    return min(CASES, len(askable(task)))


def wrong_without(task: Task, answers: Sequence[Sequence[Any]], seed: int) -> list[tuple[int, list[Case]]]:
    """(fold, cases of it) of those that were answered wrongly while no right passage was shown, in one seeded order.

    `answers` are the selection answers of a fit: case, answer, score, how sure, and perhaps whether a right passage was shown.
    """
    wrong = {row[0] for row in answers if row[2] < RIGHT and not (len(row) > 4 and row[4])}
    known = {case.id for case in askable(task)} & wrong
    items = [item for item in selection_items(task, seed) if item.case.id in known][:CASES]
    return [(fold, cases) for fold in range(len(task.folds)) if (cases := [i.case for i in items if i.fold == fold])]


def askers(
    fitted: Pipeline, task: Task, parts: Sequence[tuple[int, list[Case]]]
) -> Iterator[tuple[Pipeline, list[Case]]]:
    """For the wrong cases of each fold the configuration that knows the fold's training part, with their right passages."""
    if not parts:
        return
    index = fitted.sources.index
    if not isinstance(index, PassageIndex):
        named = {name for _, cases in parts for case in cases for name in case.document_ids}
        documents = [document for document in task.documents if document.id in named]
        index = PassageIndex.build(documents, fitted.sources.embedder, fitted.setup.passage_words)
        index = index.widened(fitted.setup.whole_words)
    for fold, cases in parts:
        sources = Sources(task.folds[fold].train, fitted.sources.embedder, fitted.sources.index)
        yield with_gold(replace(fitted, sources=sources), cases, index), cases


def handed(note: Mapping[str, Any]) -> dict[str, bool]:
    """Case -> whether the answer was right with the right passage, from what the unit noted."""
    return {name: score >= RIGHT for name, _, score in note.get("answers", ())}
