"""Facts in weights: what a tuned model answers with no document before it, by whether training told it the fact.

Questions that it was trained on are asked again word for word; held-out questions for the same fact, in other words; and
held-out questions for facts that no example told. The same fact: the same document or a copy, and the same answer. Examples that
a training may have kept apart, to know when to end, count as neither, and that there is no answer is no fact.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.checked import ByHeart, Counted
from benchmarks.contract import Benchmark, Row
from benchmarks.evaluation.grounding import declining
from benchmarks.metrics._words import plain, words
from benchmarks.probes.changed import asked_first, asks_for_facts
from benchmarks.statistics.counted import by_group
from strategies.contract import Case, Task
from strategies.finetuning.apart import kept_apart
from strategies.retrieval.named import Named

CASES = 50
"""Questions of each of the three kinds, at most."""


@dataclass(frozen=True)
class Questions:
    """What is asked with no document at hand."""

    taught: tuple[Case, ...]
    """Examples of facts that every training was told, word for word."""
    rephrased: tuple[Case, ...]
    """Held-out cases for a fact that an example told."""
    untold: tuple[Case, ...]

    @classmethod
    def of(cls, benchmark: Benchmark, seed: int) -> Questions:
        """The same for every approach; none at all where the questions do not name the documents of their answers."""
        if not asks_for_facts(benchmark):
            return cls((), (), ())
        apart = kept_apart(benchmark.task, seed)
        examples = [case for case in benchmark.task.examples if case not in apart]
        facts = _facts(benchmark.task, examples)
        taught = random.Random(f"by heart {seed}").sample(facts, min(CASES, len(facts)))
        named = Named(benchmark.task.documents)
        told, perhaps = _told(examples, named), _told(apart, named)
        asked = [case for case in asked_first(benchmark, seed) if case.document_ids]
        rephrased = [case for case in asked if _is_told(case, told, named)]
        untold = [case for case in asked if not any(_is_told(case, each, named) for each in (told, perhaps))]
        return cls(tuple(taught), tuple(rephrased[:CASES]), tuple(untold[:CASES]))

    @property
    def heldout(self) -> tuple[Case, ...]:
        return (*self.rephrased, *self.untold)


def _facts(task: Task, cases: Sequence[Case]) -> list[Case]:
    """Those that name a document, where examples do; else those that are not answered by saying that there is no answer."""
    if any(case.document_ids for case in task.examples):
        return [case for case in cases if case.document_ids]
    refusals = set(map(plain, declining(task)))
    return [case for case in cases if plain(case.output) not in refusals]


def _told(examples: Sequence[Case], named: Named) -> Mapping[str, list[list[str]]]:
    """What a document says -> the words of the answers that examples gave from it."""
    told: dict[str, list[list[str]]] = defaultdict(list)
    for case in examples:
        for name in case.document_ids:
            told[named.content(name)] += [words(answer) for answer in case.accepted]
    return told


def _is_told(case: Case, told: Mapping[str, list[list[str]]], named: Named) -> bool:
    answers = [words(answer) for answer in case.accepted]
    return any(fact in answers for name in case.document_ids for fact in told.get(named.content(name), ()))


def by_heart(benchmark: Benchmark, note: Mapping[str, Any], rows: Sequence[Row]) -> ByHeart | None:
    """From what the unit noted and the answers to held-out cases; None where nothing was asked."""
    if "taught" not in note:
        return None
    cases = {case.id: case for case in benchmark.heldout}

    def of(variant: str) -> Counted:
        asked = [row for row in rows if row.variant == variant]
        return _counted([row.score for row in asked], [cases[row.key] for row in asked])

    examples = {case.id: case for case in benchmark.task.examples}
    taught = _counted(note["taught"], [examples[key] for key, _ in note["said"]])
    return ByHeart(taught=taught, rephrased=of("rephrased"), untold=of("untold"))


def _counted(scores: Sequence[float], cases: Sequence[Case]) -> Counted:
    right = [score >= 0.999 for score in scores]
    return Counted(cases=len(scores), right=sum(right), by_group=by_group(cases, right))
