"""What a tuned model still answers as its base did: bundled prompts on everyday things, and small general tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from benchmarks.checked import GeneralAnswers, GeneralTask
from benchmarks.metrics._words import plain
from benchmarks.statistics.confidence import clopper_pearson_lower, paired_difference
from strategies.contract import Generates, LanguageModel, Message, Prompt, Sampling, ScoresLabels, Usage

MAX_TOKENS = 16
LEVEL = 0.05
"""One-sided, of each general task: only where the base is better than chance by it is there anything to be forgotten."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """One general task: each question has one of the choices as its answer."""

    instruction: str
    choices: tuple[str, ...]
    asked: tuple[tuple[str, str], ...]

    @property
    def prompts(self) -> list[Prompt]:
        return [(Message("user", f"{self.instruction}\n\n{text}"),) for text, _ in self.asked]


@cache
def prompts() -> tuple[str, ...]:
    """Short ones on everyday things, written for this product."""
    return tuple(_bundled()["prompts"])


@cache
def tasks() -> Mapping[str, Questions]:
    """By name."""
    return {
        name: Questions(
            instruction=each["instruction"],
            choices=tuple(each["choices"]),
            asked=tuple((text, answer) for text, answer in each["questions"]),
        )
        for name, each in _bundled()["tasks"].items()
    }


def _bundled() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (files("benchmarks.probes") / "general_questions.json").read_text(encoding="utf-8")
    )
    return found


def asked(base: LanguageModel, tuned: LanguageModel) -> tuple[dict[str, Any], list[Usage]]:
    """What both answer at temperature 0, as plain values for `general_answers`, and what that took. A part that a model cannot
    do is left out."""
    note: dict[str, Any] = {}
    spent: list[Usage] = []
    if isinstance(base, Generates) and isinstance(tuned, Generates):
        texts = [_written(model, spent) for model in (base, tuned)]
        note["prompts"] = [list(pair) for pair in zip(*texts, strict=True)]
    if isinstance(base, ScoresLabels) and isinstance(tuned, ScoresLabels):
        note["tasks"] = {
            name: [_right(model, each, spent) for model in (base, tuned)] for name, each in tasks().items()
        }
    return note, spent


def _written(model: Generates, spent: list[Usage]) -> list[str]:
    wanted: list[Prompt] = [(Message("user", text),) for text in prompts()]
    texts = [""] * len(wanted)
    for index, completion in model.generate(wanted, MAX_TOKENS, Sampling()):
        texts[index] = completion.text
        spent.append(completion.usage)
    return texts


def _right(model: ScoresLabels, task: Questions, spent: list[Usage]) -> list[bool]:
    right = [False] * len(task.asked)
    for index, scores in model.score_labels(task.prompts, [task.choices] * len(task.asked)):
        likeliest = max(range(len(task.choices)), key=scores.log_likelihoods.__getitem__)
        right[index] = task.choices[likeliest] == task.asked[index][1]
        spent.append(scores.usage)
    return right


def general_answers(note: Mapping[str, Any]) -> GeneralAnswers | None:
    """From what `asked` noted; None where nothing was asked. Of the tasks those at which the base is shown to beat chance."""
    pairs = note.get("prompts", ())
    found = [_task(name, *right) for name, right in note.get("tasks", {}).items() if name in tasks()]
    if not pairs and not found:
        return None
    same = sum(plain(before) == plain(after) for before, after in pairs)
    return GeneralAnswers(prompts=len(pairs), same=same, tasks=tuple(each for each in found if each is not None))


def _task(name: str, base: Sequence[bool], tuned: Sequence[bool]) -> GeneralTask | None:
    chance = 1 / len(tasks()[name].choices)
    if not base or clopper_pearson_lower(sum(base), len(base), LEVEL) <= chance:
        return None
    moved = paired_difference([float(right) for right in tuned], [float(right) for right in base], None)
    return GeneralTask(
        name=name, cases=len(base), before=sum(base), after=sum(tuned), lower=moved.lower, upper=moved.upper
    )
