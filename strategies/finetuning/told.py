"""Which sentence of the library a tuned prompt is tried with besides: the one with which the model answers best untuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from strategies.contract import Case
from strategies.pipeline import Setup
from strategies.prompting.rendering import Form
from strategies.prompting.wordings import library
from strategies.search import journalled
from strategies.selection import Kitchen


def best_told(kitchen: Kitchen, setup: Setup, cases: Sequence[Case]) -> tuple[Form | None, int]:
    """The form by its answers to selection cases of the first fold, and the tokens of the look. None where the library is empty
    or nothing is answered right with any of its sentences, which then cannot be told apart."""
    bench, learnt = kitchen.bench, [case.id for case in kitchen.task.folds[0].train]
    forms = [replace(setup.form, added=text) for text in library(kitchen.task)]
    setups = [replace(setup, form=form) for form in forms]
    parts = [("told look", asdict(each), learnt, [case.id for case in cases]) for each in setups]
    looks = journalled(
        bench, parts, lambda missing: kitchen.looks([setups[place] for place in missing], 0, cases), bench.model.name
    )
    for usage in (usage for look in looks for usage in look.usage):
        bench.record(usage)
    right = [sum(kitchen.settled(each, look).scores) for each, look in zip(setups, looks, strict=True)]
    best = max(right, default=0.0)
    return forms[right.index(best)] if best > 0 else None, sum(look.tokens(bench.model) for look in looks)
