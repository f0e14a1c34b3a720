"""What a fitted approach does with labels, examples, rules and documents that it was not fitted with: nothing is fitted again.

What is looked up and what is listed can be handed over at any time; what stands in weights cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from strategies.answers import Prior, answer_limit
from strategies.approaches.best_sentence import Quoting
from strategies.approaches.copy_nearest import Copying
from strategies.contract import Case, Document, Fitted, Task
from strategies.pipeline import Pipeline, Setup
from strategies.prompting.wordings import retold
from strategies.retrieval.chunking import cut, sentences, within
from strategies.retrieval.index import PassageIndex
from strategies.schemas import answer_schema
from strategies.sources import Sources


def narrowed(fitted: Fitted, labels: Sequence[str], fewer: Task) -> Fitted:
    """The artifact, of a task with these labels, as if it had never known more than the labels and examples of `fewer`.

    An approach whose weights know them has to be built without them first (`Strategy.rebuilt`).
    """
    if not isinstance(fitted, Pipeline):
        return fitted
    kept = tuple(fewer.labels)
    prior = fitted.prior
    if prior is not None:
        known = dict(zip(labels, prior.values, strict=True))
        prior = replace(prior, values=tuple(known[label] for label in kept))
    had = {case.id for case in fewer.examples}
    cases = tuple(case for case in fitted.sources.cases if case.id in had)
    return _given(fitted, kept, cases, prior)


def extended(fitted: Fitted, task: Task) -> Fitted | None:
    """The artifact with the instruction, labels, format and examples of `task`; the same examples are shown to all requests
    as before, in their new wording where they have one. None where it cannot be told of them without being fitted again."""
    if isinstance(fitted, Copying):
        return Copying.of(task, fitted.embedder)
    if not isinstance(fitted, Pipeline):
        return None
    prior = fitted.prior
    if prior is not None:
        # Nothing is known of the new ones yet: they are expected as often as the others are on average.
        known = dict(zip(fitted.task.labels, prior.values, strict=True))
        usual = fmean(known.values())
        prior = Prior(values=tuple(known.get(label, usual) for label in task.labels), strength=prior.strength)
    setup = _fixed(fitted)
    schema = answer_schema(task, task.examples)
    told = replace(
        fitted,
        task=replace(fitted.task, instruction=task.instruction),
        setup=replace(setup, form=retold(setup.form, fitted.task.instruction, task)),
        schema=schema,
        max_tokens=answer_limit(fitted.model, task, task.examples, bool(schema)),
    )
    return _given(told, task.labels, task.examples, prior)


def updated(fitted: Fitted, documents: Sequence[Document]) -> Fitted | None:
    """The artifact with these in place of the documents of the same ids, which alone are indexed again. None where it looks
    nothing up in an index from here."""
    if isinstance(fitted, Quoting):
        return replace(fitted, index=fitted.index.updated(documents, sentences(documents)))
    if not isinstance(fitted, Pipeline) or not isinstance(fitted.sources.index, PassageIndex):
        return None
    index, words = fitted.sources.index, fitted.setup.passage_words
    index = index.updated(documents, cut(documents, within(index.embedder, words)))
    return replace(fitted, sources=Sources(fitted.sources.cases, fitted.sources.embedder, index))


def _given(fitted: Pipeline, labels: Sequence[str], cases: Sequence[Case], prior: Prior | None) -> Pipeline:
    sources, setup = Sources(tuple(cases), fitted.sources.embedder, fitted.sources.index), fitted.setup
    if setup.shift is not None:
        setup = replace(setup, shift=setup.shift.over(labels))
    return replace(fitted, task=replace(fitted.task, labels=tuple(labels)), sources=sources, prior=prior, setup=setup)


def _fixed(fitted: Pipeline) -> Setup:
    """The setup with its shared demonstrations by name, so that further examples do not change them."""
    setup = fitted.setup
    if not setup.shots or setup.picks == "nearest":
        return setup
    return replace(setup, shown=fitted.fixed_ids, shots=len(fitted.fixed_ids))
