"""Whether what is claimed of approaches changes the right way when a fault is planted; approaches without a language model."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from advisor.experiments.found import find
from benchmarks.audit.document_quality import contradictions, questions_in
from benchmarks.audit.doubts import TooWeak, doubts
from benchmarks.contract import Benchmark, State
from benchmarks.data.assemble import Assembly, Limits, Loaded, assemble
from benchmarks.data.split import cut_folds, grouped, overlapping
from benchmarks.specs.spec import MetricSpec
from benchmarks.statistics.confidence import shown_interval, statuses
from benchmarks.studies.faults.planting import NEAR, SAME, contradicting, copies, flipped, misleading
from strategies.approaches.best_sentence import BestSentence
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.contract import Case, Query, Sampling, Strategy, Task, Workbench

Dice = random.Random
HELDOUT = {"banking77": 300, "sms_spam": 300, "support-intents": 150, "handbook-qa": 150}
"""Cases that the verdict rests on; those that are left of the held-out cases tell what is true."""
METRICS = {"sms_spam": "accuracy", "handbook-qa": "answer_contained"}
"""In place of the task's own: a score for each case, and one that a whole sentence can reach."""
EXAMPLES, SHARE, KEYS, RELABELLED = 800, 0.2, 0.1, 100
"""Share of the examples or documents that is planted, share of wrong held-out labels, and how many a person labels anew."""
TARGETS = tuple(step / 100 for step in range(30, 100))
LETTERS = {State.MISSES: "-", State.UNDECIDED: "?", State.MEETS: "+"}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A task cut in two: what the product is given, and held-out cases with right keys that it never sees."""

    assembly: Assembly
    others: tuple[Case, ...]

    @property
    def loaded(self) -> Loaded:
        """What the product is given, before any fault."""
        benchmark = self.assembly.benchmark
        task = benchmark.task
        return Loaded(examples=task.examples, heldout=benchmark.heldout, documents=task.documents)


@cache
def ground(task: str) -> Ground:
    found = find(task)
    assembly = found.assembled(Limits(examples=EXAMPLES, heldout=HELDOUT[task]))
    known = {case.id for case in assembly.benchmark.heldout}
    others = [case for case in found.data().heldout or () if case.id not in known]
    alike = overlapping(others, [*assembly.benchmark.heldout, *assembly.benchmark.task.examples]).all
    return Ground(assembly=assembly, others=tuple(case for case in others if case.id not in alike))


# ---------------------------------------------------------------- the faults


@dataclass(frozen=True, kw_only=True)
class Planting:
    """One fault on its way into the data. `bench` is what a review of it may use."""

    ground: Ground
    dice: Dice
    bench: Workbench

    @property
    def data(self) -> Loaded:
        return self.ground.loaded

    def copied(self, cases: Sequence[Case], number: int) -> list[Case]:
        """Copies of some, half of them with a small edit."""
        originals = [self.dice.choice(cases) for _ in range(number)]
        same = copies(originals[: number // 2], SAME, self.dice)
        return [*same.values(), *copies(originals[number // 2 :], NEAR, self.dice).values()]

    @property
    def number(self) -> int:
        return round(SHARE * len(self.data.examples))


def _nothing(plant: Planting) -> Loaded:
    return plant.data


def _leaks(plant: Planting) -> Loaded:
    added = plant.copied(plant.data.heldout or (), plant.number)
    return replace(plant.data, examples=(*plant.data.examples, *added))


def _duplicates(plant: Planting) -> Loaded:
    return replace(plant.data, examples=(*plant.data.examples, *plant.copied(plant.data.examples, plant.number)))


def _wrong_examples(plant: Planting) -> Loaded:
    return replace(plant.data, examples=tuple(flipped(plant.data.examples, SHARE, None, plant.dice)[0]))


def _looked_through(plant: Planting) -> Loaded:
    """The same, after a person who is always right went through the list of doubts."""
    right = {case.id: case for case in plant.data.examples}
    wrong = _wrong_examples(plant)
    try:
        listed = {each.case.id for each in doubts(wrong.examples, plant.bench.embedder)}
    except TooWeak:
        listed = set()
    return replace(wrong, examples=tuple(right[case.id] if case.id in listed else case for case in wrong.examples))


def _wrong_keys(plant: Planting) -> Loaded:
    return replace(plant.data, heldout=tuple(flipped(plant.data.heldout or (), KEYS, None, plant.dice)[0]))


def _sample_corrected(plant: Planting) -> Loaded:
    """The same, after a person labelled a random sample of the held-out cases anew."""
    right = {case.id: case for case in plant.data.heldout or ()}
    wrong = _wrong_keys(plant)
    seen = set(Dice("relabelled").sample(sorted(right), min(len(right), RELABELLED)))
    corrected = tuple(right[case.id] if case.id in seen else case for case in wrong.heldout or ())
    return replace(wrong, heldout=corrected)


def _heldout_twice(plant: Planting) -> Loaded:
    held = plant.data.heldout or ()
    return replace(plant.data, heldout=(*held, *plant.copied(held, round(SHARE * len(held)))))


def _contradicting(plant: Planting) -> Loaded:
    documents, _ = contradicting(plant.ground.assembly, SHARE, plant.dice)
    return replace(plant.data, documents=tuple(documents))


def _poisoned(plant: Planting) -> Loaded:
    asked = [*(plant.data.heldout or ()), *plant.ground.others]
    return replace(plant.data, documents=(*plant.data.documents, *misleading(asked, SHARE, plant.dice)))


CLEAN, LEFT_IN = "nothing", "leaks, left in"
FAULTS: Mapping[str, Callable[[Planting], Loaded]] = {
    CLEAN: _nothing,
    "leaks": _leaks,
    LEFT_IN: _leaks,
    "examples that stand there twice": _duplicates,
    "held-out cases that stand there twice": _heldout_twice,
    "wrong labels of examples": _wrong_examples,
    "the same, the doubted ones corrected": _looked_through,
    "wrong held-out labels": _wrong_keys,
    "the same, a sample corrected": _sample_corrected,
}
IN_DOCUMENTS: Mapping[str, Callable[[Planting], Loaded]] = {
    CLEAN: _nothing,
    "documents that contradict others": _contradicting,
    "poisoned documents": _poisoned,
}


def faults(task: str) -> Mapping[str, Callable[[Planting], Loaded]]:
    return IN_DOCUMENTS if task == "handbook-qa" else FAULTS


# ---------------------------------------------------------------- what is claimed, and what is true


def claims(task: str, how: str, draw: int, bench: Workbench) -> Iterator[dict[str, Any]]:
    """For each approach its figure by the product, what is true of what was fitted, and its state at each of `TARGETS`."""
    here = ground(task)
    plant = Planting(ground=here, dice=Dice(f"{task} verdict {draw}"), bench=bench)
    data = faults(task)[how](plant)
    named = METRICS.get(task)
    spec = here.assembly.spec.model_copy(update={"metric": MetricSpec(name=named)} if named else {})
    benchmark = assemble(spec, data=data).benchmark
    learnt = benchmark.task
    if how == LEFT_IN:
        learnt = replace(learnt, folds=cut_folds(grouped(data.examples), learnt.kind, 0))
    yield from _measured(benchmark, learnt, here.others, bench)


def _measured(benchmark: Benchmark, learnt: Task, others: Sequence[Case], bench: Workbench) -> Iterator[dict[str, Any]]:
    strategies: tuple[Strategy, ...] = (CopyNearest(), LinearHead(), BestSentence())
    scores, truths = dict[str, list[float]](), dict[str, list[float]]()
    for strategy in strategies:
        if strategy.unsuitable(learnt):
            continue
        fitted = strategy.fit(learnt, bench)
        for cases, into in ((benchmark.heldout, scores), (others, truths)):
            found = dict(fitted.answer([Query.of(case.input) for case in cases], Sampling()))
            into[strategy.name] = [learnt.score(case, found[Query.of(case.input).key]) for case in cases]
    groups = [case.group for case in benchmark.heldout]
    states = {target: statuses(scores, groups, target) for target in TARGETS}
    for name, given in scores.items():
        low, high = shown_interval(truths[name])
        yield {
            "approach": name,
            "figure": sum(given) / len(given),
            "truth": sum(truths[name]) / len(truths[name]),
            "between": [low, high],
            "states": "".join(LETTERS[states[target][name][0]] for target in TARGETS),
        }


def named_by_the_check(task: str, draw: int, bench: Workbench) -> Iterator[dict[str, Any]]:
    """Of poisoned documents about held-out cases, how many the check of documents names one way or another."""
    here = ground(task)
    plant = Planting(ground=here, dice=Dice(f"{task} verdict {draw}"), bench=bench)
    before = {case.id for case in questions_in(here.loaded.documents, here.loaded.heldout or ())}
    documents = _poisoned(plant).documents
    planted = {document.id for document in documents if document.id.startswith("planted|")}
    about = [case for case in here.loaded.heldout or () if f"planted|{case.id}" in planted]
    standing = {case.id for case in questions_in(documents, about)} - before
    paired = {each.id for pair in contradictions(documents) for each in pair} & planted
    yield {"planted": len(about), "as questions": len(standing), "as contradictions": len(paired)}
