"""What the product's own checks find of planted faults, counted; one row for each fault, amount and draw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from advisor.experiments.found import find
from benchmarks.audit.document_quality import contradictions
from benchmarks.audit.doubts import TooWeak, doubts
from benchmarks.data.assemble import Assembly, Limits
from benchmarks.data.split import alike, cut_folds, grouped, overlapping
from benchmarks.review.lineage import Relabelled
from benchmarks.studies.faults.planting import NEAR, SAME, contradicting, copies, flipped
from strategies.approaches.copy_nearest import CopyNearest
from strategies.approaches.linear_head import LinearHead
from strategies.contract import Case, Embedder, Query, Sampling, Task, Workbench

Row = dict[str, Any]
COPIED = ("banking77", "sms_spam", "snips_slots", "nq_open_oracle")
LABELLED = ("banking77", "sms_spam", "support-intents")
READ = {"handbook-qa": (0.05, 0.10, 0.20), "nq_open_oracle": (0.03,)}
"""At most 100 facts are changed at a time."""
SHARES = (0.05, 0.10, 0.20)
FLIPS = (0.02, 0.05, 0.10, 0.20)
DRAWS = 3
EXAMPLES, HELDOUT = 800, 300


@dataclass
class Remembering:
    """An embedder that is loaded when it is needed and embeds a text once (`contract.Embedder`)."""

    load: Callable[[], Embedder]
    _known: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def inner(self) -> Embedder:
        return self.load()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def embed(self, texts: Sequence[str]) -> Any:
        fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
        if fresh:
            self._known.update(zip(fresh, self.inner.embed(fresh), strict=True))
        return np.array([self._known[text] for text in texts])


@cache
def data(task: str) -> Assembly:
    """A sample of a task; what stands in it twice by nature is left in."""
    return find(task).assembled(Limits(examples=EXAMPLES, heldout=HELDOUT))


# ---------------------------------------------------------------- copies


def leaks(task: str, share: float, draw: int) -> Row:
    """Copies of held-out cases among the examples: `share` of the examples, half of them with a small edit."""
    assembly, dice = data(task), random.Random(f"{task} {share} {draw}")
    benchmark = assembly.benchmark
    examples, heldout = benchmark.task.examples, benchmark.heldout
    known = overlapping(examples, heldout)
    planted = _planted(heldout, round(share * len(examples)), dice)
    found = overlapping([*examples, *planted.values()], heldout)
    return _found_of(planted, found.all - known.all) | {"before": len(known.all)}


def duplicates(task: str, share: float, draw: int, held_out: bool = False) -> Row:
    """Copies of examples among the examples, or of held-out cases among these."""
    benchmark, dice = data(task).benchmark, random.Random(f"{task} {share} {draw} again")
    cases = benchmark.heldout if held_out else benchmark.task.examples
    before = _repeated(cases)
    planted = _planted(cases, round(share * len(cases)), dice)
    flagged = _repeated([*cases, *planted.values()])
    return _found_of(planted, flagged - before) | {"before": len(before)}


def _repeated(cases: Sequence[Case]) -> set[str]:
    """Ids of all but the first of each group of cases that are alike."""
    return {cases[place].id for members in alike(cases) for place in members[1:]}


def _planted(cases: Sequence[Case], number: int, dice: random.Random) -> dict[str, Case]:
    originals = [dice.choice(cases) for _ in range(number)]
    half = len(originals) // 2
    return {**copies(originals[:half], SAME, dice), **copies(originals[half:], NEAR, dice)}


def _found_of(planted: Mapping[str, Case], flagged: set[str] | frozenset[str]) -> Row:
    """Counts by kind of copy, and how much else was flagged."""
    kinds: dict[str, list[int]] = {}
    for name in planted:
        counts = kinds.setdefault(name.split("|")[1], [0, 0])
        counts[0] += 1
        counts[1] += name in flagged
    return {"kinds": kinds, "false": len(flagged - planted.keys())}


# ---------------------------------------------------------------- labels


def flips(task: str, share: float, draw: int, embedder: Embedder, confusable: bool) -> Row:
    """Wrong labels among the examples, and how the list of doubts finds them."""
    cases = data(task).benchmark.task.examples
    vectors = embedder.embed([case.input for case in cases]) if confusable else None
    wrong, planted = flipped(cases, share, vectors, random.Random(f"{task} {share} {draw}"))
    try:
        listed = [each.case.id for each in doubts(wrong, embedder, draw)]
    except TooWeak:
        return {"cases": len(cases), "planted": len(planted), "weak": True}
    first = listed[: len(planted)]
    return {
        "cases": len(cases),
        "planted": len(planted),
        "listed": len(listed),
        "found": len(planted & set(listed)),
        "first": len(planted & set(first)),
    }


def relabelled(share: float, of: int, cases: int, draws: int) -> Row:
    """How often the interval from a sample that a person labels holds the planted share, and the ceiling what is left."""
    dice = np.random.default_rng(round(1000 * share) + of)
    wrong = round(share * of)
    shares = ceilings = 0
    for seen, times in Counter(dice.hypergeometric(wrong, of - wrong, cases, draws).tolist()).items():
        found = Relabelled(cases=cases, wrong=seen, of=of)
        shares += times * _within(wrong / of, found.share)
        ceilings += times * _within(1 - (wrong - seen) / of, found.ceiling)
    return {"draws": draws, "shares": shares, "ceilings": ceilings}


def _within(value: float, interval: tuple[float, float]) -> bool:
    """Its ends included, whichever way they were rounded."""
    return interval[0] - 1e-9 <= value <= interval[1] + 1e-9


# ---------------------------------------------------------------- documents


def contradicted(task: str, share: float, draw: int) -> Row:
    """Documents that state another fact under the same title."""
    assembly = data(task)
    known = {_pair(one.id, other.id) for one, other in contradictions(assembly.benchmark.task.documents)}
    documents, planted = contradicting(assembly, share, random.Random(f"{task} {share} {draw}"))
    found = {_pair(one.id, other.id) for one, other in contradictions(documents)} - known
    wanted = {_pair(name, f"planted|{name}") for name in planted}
    # A planted copy of one that contradicts another by nature contradicts that too.
    also = {pair for pair in found - wanted if any(name.startswith("planted|") for name in pair)}
    return {
        "planted": len(planted),
        "found": len(wanted & found),
        "false": len(found - wanted - also),
        "before": len(known),
    }


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


# ---------------------------------------------------------------- what leaks do to a verdict


def worth(task: str, share: float, draw: int, bench: Workbench) -> Iterator[tuple[str, Row]]:
    """Approaches without a language model: with leaks left in, and as the product leaves them out."""
    assembly, dice = data(task), random.Random(f"{task} {share} {draw} worth")
    benchmark = assembly.benchmark
    clean, heldout = benchmark.task, benchmark.heldout
    planted = list(_planted(heldout, round(share * len(clean.examples)), dice).values())
    overlap = overlapping([*clean.examples, *planted], heldout)
    left_in = _with(clean, [*clean.examples, *planted])
    left_out = _with(clean, [case for case in left_in.examples if case.id not in overlap.same | overlap.near])
    for strategy in (CopyNearest(), LinearHead()):
        figures = {}
        for name, task_of in (("clean", clean), ("left in", left_in), ("left out", left_out)):
            found = dict(strategy.fit(task_of, bench).answer([Query.of(case.input) for case in heldout], Sampling()))
            scores = [clean.score(case, found[Query.of(case.input).key]) for case in heldout]
            figures[name] = sum(scores) / len(scores)
        yield strategy.name, figures


def _with(task: Task, examples: Sequence[Case]) -> Task:
    """The task with other examples, cut anew."""
    return replace(task, folds=cut_folds(grouped(examples), task.kind, 0))
