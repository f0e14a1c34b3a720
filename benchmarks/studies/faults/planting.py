"""Plants known faults into data: copies of held-out cases and of examples, wrong labels, documents that contradict."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import Benchmark
from benchmarks.data.assemble import Assembly
from benchmarks.probes.changed import Edit, edited, edits
from strategies.contract import Case, Document

Dice = random.Random


def _word(change: Callable[[list[str], int, Dice], None], least: int = 2) -> Callable[[str, Dice], str]:
    """An edit at a random word of a text of so many words."""

    def apply(text: str, dice: Dice) -> str:
        words = text.split(" ")
        if len(words) >= least:
            change(words, dice.randrange(len(words) - least + 1), dice)
        return " ".join(words)

    return apply


def _swapped(words: list[str], place: int, _: Dice) -> None:
    words[place], words[place + 1] = words[place + 1], words[place]


def _dropped(words: list[str], place: int, _: Dice) -> None:
    del words[place]


def _mistyped(words: list[str], place: int, dice: Dice) -> None:
    at = dice.randrange(len(words[place]) + 1)
    words[place] = words[place][:at] + dice.choice("etaoinshr") + words[place][at:]


SAME: Mapping[str, Callable[[str, Dice], str]] = {
    "word for word": lambda text, _: text,
    "other case": lambda text, _: text.swapcase(),
    "other punctuation": lambda text, _: f"{text.rstrip('.?! ')}!",
    "more spaces": lambda text, _: f" {text.replace(' ', '  ')}\n",
}
"""Copies that differ in nothing that a person would call a difference."""
NEAR: Mapping[str, Callable[[str, Dice], str]] = {
    "a letter typed too much": _word(_mistyped, 1),
    "a greeting in front": lambda text, _: f"Hi, {text}",
    "a word left out": _word(_dropped),
    "two words swapped": _word(_swapped),
}
"""Copies with one small edit."""


def copies(originals: Sequence[Case], kinds: Mapping[str, Callable[[str, Dice], str]], dice: Dice) -> dict[str, Case]:
    """Kind and number as an id -> copy of an original, the kinds in turn."""
    names = list(kinds)
    made = {}
    for place, case in enumerate(originals):
        kind = names[place % len(names)]
        name = f"planted|{kind}|{place}"
        made[name] = replace(case, id=name, input=kinds[kind](case.input, dice), group="")
    return made


def flipped(
    cases: Sequence[Case], share: float, vectors: NDArray[Any] | None, dice: Dice
) -> tuple[list[Case], set[str]]:
    """The cases with a share of wrong labels, and whose they are.

    Without vectors any other label is as likely; with them it is that of the nearest case with another one.
    """
    labels = sorted({case.output for case in cases})
    chosen = dice.sample(range(len(cases)), round(share * len(cases)))
    given = np.array([case.output for case in cases])
    wrong = list(cases)
    for place in chosen:
        if vectors is None:
            other = dice.choice([label for label in labels if label != cases[place].output])
        else:
            likeness = np.where(given == given[place], -np.inf, vectors @ vectors[place])
            other = str(given[int(likeness.argmax())])
        wrong[place] = replace(cases[place], output=other)
    return wrong, {cases[place].id for place in chosen}


def contradicting(assembly: Assembly, share: float, dice: Dice) -> tuple[list[Document], set[str]]:
    """The documents with copies of some, in which one fact is another; and the ids of the originals."""
    benchmark = _all_asked(assembly.benchmark)
    made: dict[str, Edit] = {edit.document: edit for edit in edits(benchmark, 0)}
    documents = benchmark.task.documents
    wanted = min(len(made), max(1, round(share * len(documents))))
    chosen = dice.sample(sorted(made), wanted)
    changed = edited(benchmark.task, [made[name] for name in chosen])
    return [*documents, *(replace(each, id=f"planted|{each.id}") for each in changed)], set(chosen)


def misleading(cases: Sequence[Case], share: float, dice: Dice) -> list[Document]:
    """For a share of the cases a document in their own words, with the answer of another case as theirs."""
    made = []
    for case in dice.sample(list(cases), round(share * len(cases))):
        wrong = dice.choice([each.output for each in cases if each.output not in case.accepted])
        made.append(Document(id=f"planted|{case.id}", title="Notes", text=f"{case.input.rstrip(' ?.')}: {wrong}"))
    return made


def _all_asked(benchmark: Benchmark) -> Benchmark:
    """With the examples as questions too, so that more facts can be changed."""
    return replace(benchmark, heldout=(*benchmark.heldout, *benchmark.task.examples))
