"""Variants of a prompted approach that ask the same: another form of the prompt, or its demonstrations in another order.

Answers of small models move with separators, field names and the order of examples (FormatSpread, arXiv 2310.11324).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from strategies.pipeline import Pipeline
from strategies.prompting.demonstrations import reordered
from strategies.prompting.rendering import MARKS, Form, label_words

ORDERS, TRIES = 4, 20
"""Other orders of the demonstrations, at most, and seeds that are tried for them: of few examples many come out alike."""


def variants(pipeline: Pipeline) -> list[tuple[str, Pipeline]]:
    """(what is other, the pipeline with it), each in one thing; at least eight, and none for a tuned model, which knows one
    form. What was fitted to the chosen form, such as the prior of labels, stays as it is."""
    if pipeline.adapter is not None:
        return []
    found = [
        (name, replace(pipeline, setup=replace(pipeline.setup, form=form)))
        for name, form in _forms(pipeline)
        if form != pipeline.setup.form
    ]
    found += [(f"examples in order {order}", replace(pipeline, order=order)) for order in orders(pipeline.setup.shots)]
    return found


def orders(shots: int) -> list[int]:
    """Orders of so many demonstrations (`Pipeline.order`) that are other than the chosen one and than each other."""
    known = {tuple(range(shots))}
    found: list[int] = []
    for order in (-1, *range(1, TRIES)):
        made = tuple(reordered(range(shots), order))
        if made not in known and len(found) < ORDERS:
            known.add(made)
            found.append(order)
    return found


def _forms(pipeline: Pipeline) -> Iterator[tuple[str, Form]]:
    form, task = pipeline.setup.form, pipeline.task
    yield "turns of a chat", replace(form, layout="turns", marked=False, marks="plain")
    for marks, (before, _) in MARKS.items():
        yield f"turns of a chat, {before}", replace(form, layout="turns", marked=True, marks=marks)
        yield f"one message, {before}", replace(form, layout="inline", marked=form.marked, marks=marks)
    if task.labels:
        yield "labels listed or not", replace(form, show_labels=not form.show_labels)
        other = replace(form, natural_labels=not form.natural_labels)
        if label_words(task, other) != label_words(task, form):
            yield "labels in other words", other
