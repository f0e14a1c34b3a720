"""The retrieval approach: passages from the documents and nearest examples at run time, searched with FAISS and BM25."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from strategies.contract import Family, Fitted, Generates, ScoresLabels, Strategy, Task, Workbench
from strategies.finding import modes, moved, suited
from strategies.pipeline import Setup, load_pipeline
from strategies.prompting.rendering import Form
from strategies.retrieval.index import Mode
from strategies.search import spread
from strategies.searched import fit_searched
from strategies.selection import PipelineBuilder
from strategies.spans import Reading
from strategies.traits import Preference

MOST, BEYOND = 3, (5, 8)
"""Passages of the largest setup, and what is tried where that is chosen: a model that reads well gains from more of them."""
MOST_SHOTS, MOST_BESIDE = 8, 6
"""Nearest examples of the largest setup, and beside passages; twice as many are tried where that is chosen."""
SHORT_WORDS = 30
"""Words of a short passage, a sentence or two: from these a small model reads an answer off more surely (LOG.md)."""


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Nearest demonstrations, passages, or both. Labels mix the model's likelihood with the neighbours' votes."""

    name: ClassVar[str] = "retrieval"
    says: ClassVar[str] = (
        "looks up passages or similar examples for each request and puts them into the prompt of the language model"
    )
    family: ClassVar[Family] = "retrieval"
    needs: ClassVar[tuple[type, ...]] = (Generates,)
    simplicity: ClassVar[int] = 5

    prefer: Preference = "best"

    def unsuitable(self, task: Task) -> str:
        return ""

    def space(self, task: Task, mode: Mode = "hybrid", writes: bool = False) -> list[Setup]:
        """Those that are tried first stand first.

        Without documents nearest examples; with documents passages by count, with and without examples that have passages
        of their own, answers to questions written or read off, and nearest examples alone: of a task whose labels or forms
        no document tells they are the strongest prompt. A model that `writes` labels gets them listed beside passages.
        """
        turns, inline = Form(layout="turns"), Form(layout="inline")
        if not task.documents:
            nearest = Setup(picks="nearest")
            setups = [replace(nearest, form=form, shots=n) for form in (turns, inline) for n in (1, 3, 5, MOST_SHOTS)]
            if task.labels:
                setups += [replace(nearest, form=inline, shots=n, varied=True) for n in (3, 5)]
                setups += [replace(nearest, form=replace(turns, show_labels=True), shots=n) for n in (3, MOST_SHOTS)]
            return spread(setups)
        marked = replace(inline, marked=True)
        bare = Setup(passages=1, mode=mode)
        alone = [Setup(form=form, shots=MOST_SHOTS, picks="nearest") for form in (inline, turns)]
        if task.labels:
            alone.append(replace(alone[0], shots=3))
            shown = [
                replace(bare, form=form, shots=shots, passages=passages, picks="nearest")
                for form in (turns, inline)
                for passages in (1, 2)
                for shots in (3, MOST_BESIDE)
            ]
            found = spread([bare, replace(bare, passages=MOST), replace(bare, form=marked), *alone, *shown])
            return [_listing(setup) for setup in found] if writes else found
        few = replace(bare, shots=4, grounded=True)
        setups = [bare, replace(few, form=marked), replace(bare, form=marked), few]
        more = [
            replace(few, picks="nearest"),
            replace(bare, passages=MOST),
            replace(few, form=marked, passages=2, shots=3),
        ]
        if task.kind == "qa":
            reading = Reading.of(task.examples)
            nearest = replace(few, form=marked, picks="nearest")
            short = [replace(setup, passage_words=SHORT_WORDS, reading=reading) for setup in (bare, nearest)]
            read = [replace(setup, reading=reading) for setup in (*setups, nearest)]
            setups = short + [one for pair in zip(read, setups, strict=False) for one in pair] + read[len(setups) :]
            return [*setups, *more, *alone]
        return [*setups[:2], alone[0], *setups[2:], alone[1], *more]

    def fit(self, task: Task, bench: Workbench) -> Fitted:
        builder = PipelineBuilder(task, bench, uses_votes=bool(task.labels), larger=larger)
        mode, *others = modes(builder)
        writes = not isinstance(bench.model, ScoresLabels)
        setups = self.space(task, mode, writes)
        if writes:
            setups = [setup for setup in setups if setup.reading is None]
        bare = setups[0]
        setups = [*moved(builder, suited(builder, setups, mode), mode)]
        setups[1:1] = [replace(bare, mode=other) for other in others] + [bare] * (bare != setups[0])
        return fit_searched(self.name, builder, setups, self.prefer)

    def load(self, folder: Path, bench: Workbench) -> Fitted:
        return load_pipeline(folder, bench)

    def again(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        return None

    def rebuilt(self, folder: Path, task: Task, bench: Workbench) -> Fitted | None:
        fitted = load_pipeline(folder, bench)
        if not (looks_up_examples(fitted.setup) or fitted.setup.adapted) and fitted.lists_all:
            return None
        return replace(fitted, sources=fitted.sources.of(task))


def _listing(setup: Setup) -> Setup:
    """With the labels listed beside passages, which need not name them; where examples do, in one of the two layouts."""
    if not setup.passages or (setup.shots and setup.form.layout == "inline"):
        return setup
    return replace(setup, form=replace(setup.form, show_labels=True))


def larger(setup: Setup) -> list[Setup]:
    """With more passages, or more nearest examples, than any setup of the space, beyond the one with the most of them."""
    if setup.passages == MOST:
        return [replace(setup, passages=count) for count in BEYOND]
    most = MOST_BESIDE if setup.passages else MOST_SHOTS
    return [replace(setup, shots=2 * most)] if setup.picks == "nearest" and setup.shots == most else []


def looks_up_examples(setup: Setup) -> bool:
    """Whether each request shows or counts the examples that are the nearest to it."""
    return bool(setup.votes) or (setup.shots > 0 and setup.picks == "nearest")


CANDIDATES: tuple[Strategy, ...] = (Retrieval(), Retrieval(prefer="cheapest"))
