"""What is wrong with the form of an answer, whatever it says: what a task, its metric and the keys of its examples show of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from benchmarks.contract import Benchmark, ScoreFailure
from benchmarks.evaluation.misfits import misfit
from benchmarks.metrics import _json
from benchmarks.metrics._words import words
from benchmarks.metrics.style_rules import StyleRules
from strategies.contract import Case, Task

FormKind = Literal["no json", "form", "wrapped", "rule", "lines", "too long"]
Fault = tuple[FormKind, tuple[str, ...]]
"""With a detail: of `form` what it does not fit (`misfits`), of `rule` what the rule says."""
LONGER = 2
"""Times the words of the longest key of the examples from which on an answer is too long."""


def form_faults(benchmark: Benchmark) -> Callable[[Case, str], set[Fault]]:
    """Says what is wrong with the form of a wrong answer that is not empty; of extraction the fields are not looked at."""
    task, metric = benchmark.task, benchmark.metric
    misfit_of = misfit(task)
    if task.kind == "extraction":
        return lambda case, text: set(_of_json(case, text, misfit_of(text)))
    if task.kind == "generation" and isinstance(metric, StyleRules):
        return lambda _, text: set(_of_rules(metric, text))
    if task.kind == "classification" or (task.schema or {}).get("type") == "string":
        return lambda _, text: {("form", (name,))} if (name := misfit_of(text)) else set()
    return partial(_of_text, _Usual(task))


def _of_json(case: Case, text: str, name: str) -> Iterator[Fault]:
    if _json.read(text) is None and _json.read(case.output) is not None:
        yield "no json", ()
    elif name:
        yield "form", (name,)


def _of_rules(metric: StyleRules, text: str) -> Iterator[Fault]:
    try:
        kept = metric.kept(text)
    except ScoreFailure:
        return
    for rule in metric.rules:
        if not kept[rule.name]:
            yield "rule", (rule.says,)


class _Usual:
    """What the keys of a task's examples have in common."""

    def __init__(self, task: Task) -> None:
        keys = [answer for case in task.examples for answer in case.accepted]
        self.questions = task.kind == "qa"
        self.json = all(_json.read(key) is not None for key in keys)
        self.one_line = not any("\n" in key.strip() for key in keys)
        self.most_words = LONGER * max((len(words(key)) for key in keys), default=0)


def _of_text(usual: _Usual, case: Case, text: str) -> set[Fault]:
    """At most one: the first that applies explains the others."""
    if usual.json:
        return {("no json", ())} if _json.read(text) is None else set()
    if usual.questions and _holds_more(case, text):
        return {("wrapped", ())}
    if usual.one_line and "\n" in text.strip():
        return {("lines", ())}
    return {("too long", ())} if len(words(text)) > usual.most_words > 0 else set()


def _holds_more(case: Case, text: str) -> bool:
    """Whether an accepted answer stands in the text, word for word, with other words around it."""
    said = f" {' '.join(words(text))} "
    wanted = [f" {' '.join(found)} " for key in case.accepted if (found := words(key))]
    return any(key in said and key != said for key in wanted)
