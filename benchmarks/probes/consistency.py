"""Consistency: the same artifact asked again, under harmless edits, with other batch neighbours, after another training."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

from benchmarks.checked import Agreement
from benchmarks.contract import Benchmark
from benchmarks.statistics.counted import by_group
from strategies.contract import Case, Kind, Task

PROBE_CASES = 100
"""Held-out cases that each check looks at; all where there are fewer."""
PART_CASES = 50
"""Of these, asked among other batch neighbours and in other forms of the prompt: what they show is either rare or plain."""


@dataclass(frozen=True)
class Edit:
    """A change of the input that must not change the answer."""

    name: str
    apply: Callable[[str], str]
    kinds: frozenset[Kind]
    of: str
    """What it changes, as `_CHANGED` has it."""


_ALL: frozenset[Kind] = frozenset({"classification", "qa", "extraction", "generation"})
_COPYING: frozenset[Kind] = frozenset({"extraction", "generation"})
_CHANGED = ("case", "spacing", "punctuation", "a greeting", "the space around it")
"""In the order in which they are told."""


def _lower_first(text: str) -> str:
    return text[:1].swapcase() + text[1:]


def _no_end(text: str) -> str:
    return text.rstrip(" .?!") or text


EDITS = (
    Edit("lower case", str.lower, _ALL - _COPYING, "case"),
    Edit("first letter's case", _lower_first, _ALL - _COPYING, "case"),
    Edit("final punctuation dropped", _no_end, _ALL - _COPYING, "punctuation"),
    Edit("spaces doubled", lambda text: text.replace(" ", "  "), _ALL - _COPYING, "spacing"),
    Edit("blank lines around", lambda text: f"\n{text}\n", _ALL, "the space around it"),
    Edit("a greeting in front", lambda text: f"Hello, {text}", _ALL - _COPYING, "a greeting"),
    Edit("a space at the end", lambda text: f"{text} ", _COPYING, "the space around it"),
    Edit("a space in front", lambda text: f" {text}", _COPYING, "the space around it"),
)
"""In extraction and rewriting the input itself stays as it is: any part of it, spaces and full stops too, may be copied."""


def edits_for(kind: Kind) -> tuple[Edit, ...]:
    return tuple(edit for edit in EDITS if kind in edit.kinds)


def probe_cases(benchmark: Benchmark, seed: int) -> list[Case]:
    """The same seeded subsample for every candidate; of cases in random order the first ones, which all are asked."""
    order = list(benchmark.heldout)
    if not benchmark.sequential:
        random.Random(seed).shuffle(order)
    return order[:PROBE_CASES]


def edited(cases: Sequence[Case], kind: Kind) -> list[tuple[Case, Edit, str]]:
    """One edit a case, in rotation: (case, edit, edited input). An edit that changes nothing gives way to the next."""
    edits = edits_for(kind)
    chosen = []
    for place, case in enumerate(cases):
        for shift in range(len(edits)):
            edit = edits[(place + shift) % len(edits)]
            text = edit.apply(case.input)
            if text != case.input:
                chosen.append((case, edit, text))
                break
    return chosen


REPEATS = 4
"""How often the same question is drawn again where the task has a temperature; without one once, among other neighbours."""


def repeats(temperature: float) -> int:
    return REPEATS if temperature > 0 else 1


Answer = tuple[str, bool]
"""Its text, and whether it is right."""
ROUNDING = 0.005
"""By how much a graded score may move without counting as a flip: half of a point in a hundred."""


def nominal_alpha(cases: Sequence[Sequence[Answer]]) -> float | None:
    """Krippendorff's alpha of the answers to each case, right ones being one answer; None where all answers are one.

    1: always the same; 0: no more alike than answers drawn from all of them. It collapses where one answer is frequent.
    """
    values = [["" if right else f"x{text.strip()}" for text, right in answers] for answers in cases if len(answers) > 1]
    counts = Counter(value for answers in values for value in answers)
    total = counts.total()
    if len(counts) < 2:
        return None
    apart = sum(_unlike(Counter(answers)) / (len(answers) - 1) for answers in values)
    return 1 - (total - 1) * apart / _unlike(counts)


def _unlike(counts: Counter[str]) -> int:
    """Ordered pairs of different values."""
    return counts.total() ** 2 - sum(count**2 for count in counts.values())


def passes(cases: Sequence[Sequence[bool]]) -> tuple[float, ...]:
    """pass^1, pass^2, ...: the chance that so many draws of one case are all right, on average over cases.

    Without bias from the draws at hand: C(right, k) / C(draws, k) (tau-bench, arXiv 2406.12045).
    """
    draws = min((len(marks) for marks in cases), default=0)
    return tuple(
        sum(comb(sum(marks), k) / comb(len(marks), k) for marks in cases) / len(cases) for k in range(1, draws + 1)
    )


def agreement(
    name: str,
    says: str,
    answers: Sequence[Sequence[Answer]],
    cases: Sequence[Case] = (),
    scores: Sequence[Sequence[float]] | None = None,
) -> Agreement:
    """Counts pairs, each two answers to one case: flips are shown together with right and wrong. `cases`: whose answers they
    are; several pairs of one case are a group, and so are those of cases of one group. `scores`: of the answers, where they
    are graded; few of them are right, so that hardly any turns from right to wrong."""
    pairs = [pair for given in answers for pair in combinations(given, 2)]
    owners = [
        replace(case, group=case.group or case.id)
        for case, given in zip(cases, answers, strict=bool(cases))
        for _ in combinations(given, 2)
    ]
    flips = [one[1] != other[1] for one, other in pairs]
    if scores is not None:
        flips = [abs(one - other) > ROUNDING for given in scores for one, other in combinations(given, 2)]
    counts = {"right_twice": 0, "same": 0, "different": 0, "lost": 0, "won": 0}
    for (first, first_right), (second, second_right) in pairs:
        if first_right and second_right:
            counts["right_twice"] += 1
        elif first_right:
            counts["lost"] += 1
        elif second_right:
            counts["won"] += 1
        else:
            counts["same" if first.strip() == second.strip() else "different"] += 1
    return Agreement(
        name=name,
        says=says,
        right_twice=counts["right_twice"],
        wrong_twice_same=counts["same"],
        wrong_twice_different=counts["different"],
        right_then_wrong=counts["lost"],
        wrong_then_right=counts["won"],
        alpha=nominal_alpha(answers),
        by_group=by_group(owners, [_alike(*pair) for pair in pairs]),
        moved=None if scores is None else sum(flips),
        flips_by_group=by_group(owners, flips),
    )


def _alike(one: Answer, other: Answer) -> bool:
    """Right twice counts as the same answer."""
    return (one[1] and other[1]) or (one[1] == other[1] and one[0].strip() == other[0].strip())


def varied(check: str, task: Task) -> str:
    """What a check varies, as a clause: of edits those of this kind of task."""
    if check != "edit":
        return SAYS["sampled" if check == "repeat" and task.temperature > 0 else check]
    changed = {edit.of for edit in edits_for(task.kind)}
    if "spacing" in changed:
        changed.discard("the space around it")
    *most, last = [part for part in _CHANGED if part in changed]
    several = f"{', '.join(most)} or " if most else ""
    return f"the same question with harmless edits of {several}{last}"


SAYS: Mapping[str, str] = {
    "repeat": "the same question asked again among other batch neighbours",
    "sampled": "the same question drawn again at the task's temperature, each two draws of it being a pair",
    "format": "the same question in another form of the prompt, or with its examples in another order",
    "reworded": "the same question in other words, which a model wrote and nobody checked",
    "seed": "the same configuration built once more with another seed",
}
