"""What a tuned prompt is tried with besides: the instruction with which the model answers best untuned, none, and lessons without
the passage that their answers rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from strategies.contract import Case, Recipe
from strategies.pipeline import Setup
from strategies.prompting.demonstrations import Shown
from strategies.prompting.rendering import Form
from strategies.prompting.wordings import library
from strategies.search import journalled
from strategies.selection import PipelineBuilder
from strategies.sources import WITHOUT

TOLD = 100
"""Examples that are looked at for one whose right passage can be told."""


def best_instruction(builder: PipelineBuilder, setup: Setup, cases: Sequence[Case]) -> tuple[Form | None, int]:
    """The form by its answers to selection cases of the first fold, and the tokens of the look. None where the library is empty
    or nothing is answered right with any of its sentences, which then cannot be told apart."""
    bench, learnt = builder.bench, [case.id for case in builder.task.folds[0].train]
    forms = [replace(setup.form, added=text) for text in library(builder.task)]
    setups = [replace(setup, form=form) for form in forms]
    parts = [("told look", asdict(each), learnt, [case.id for case in cases]) for each in setups]
    looks = journalled(
        bench, parts, lambda missing: builder.looks([setups[place] for place in missing], 0, cases), bench.model.name
    )
    for usage in (usage for look in looks for usage in look.usage):
        bench.record(usage)
    right = [sum(builder.settled(each, look).scores) for each, look in zip(setups, looks, strict=True)]
    best = max(right, default=0.0)
    return forms[right.index(best)] if best > 0 else None, sum(look.tokens(bench.model) for look in looks)


def without_instruction(setups: Sequence[Setup], recipes: Sequence[Recipe]) -> Form | None:
    """The form without the instruction, where each setup has it: a shorter prompt saves at every request. It comes after a
    runner-up, and so only where each training is made whole; None where there is no runner-up."""
    instructed = all(setup.form.instruct for setup in setups)
    return replace(setups[0].form, instruct=False) if instructed and len(recipes) > 1 else None


def lacking(builder: PipelineBuilder, setups: Sequence[Setup], recipes: Sequence[Recipe]) -> list[float]:
    """Shares of lessons without the right passage that the best setup is tried with, behind a runner-up too. None where no setup
    shows passages, where nothing tells which of them is right, or where examples say that there is no answer, which are such
    lessons."""
    shown = next((builder.build(setup, builder.task.examples) for setup in setups if setup.passages), None)
    if shown is None or len(recipes) < 2 or shown.sources.declines(builder.task):
        return []
    cases = builder.task.examples[:TOLD]
    found = shown.sources.evidence([case.input for case in cases], shown.setup.passages, shown.setup.mode)
    return [WITHOUT] if any(map(builder.indexes.tell, map(Shown, cases, found))) else []
