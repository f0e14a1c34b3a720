"""Cuts cases into held-out, training and selection parts: by group, near-duplicates together, stratified, seeded."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.data.mistyped import mistyped_pairs
from benchmarks.data.similar import Pairs, clusters, near_pairs, normalised, reworded_pairs
from strategies.contract import Case, Fold, Kind

MOST_HELDOUT = 500
MOST_SELECTION = 150
ONE_FOLD_FROM = 300
SELECTION_SHARE = 0.25
FOLDS = 3
LEAST_TO_CUT = 10
LEAST_EXAMPLES = 3


class NothingToHoldOut(BadInput):
    """All cases belong together."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Examples and held-out cases, each in their first order."""

    examples: tuple[Case, ...]
    heldout: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A split written down: the ids of each part, as the run stores them."""

    seed: int
    examples: tuple[str, ...]
    heldout: tuple[str, ...]
    folds: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    """For each fold the ids of its training part and of its selection part."""

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def written_down(examples: Sequence[Case], heldout: Sequence[Case], folds: Sequence[Fold], seed: int) -> Parts:
    """The ids of every part."""
    return Parts(
        seed=seed,
        examples=_ids(examples),
        heldout=_ids(heldout),
        folds=tuple((_ids(fold.train), _ids(fold.selection)) for fold in folds),
    )


def _ids(cases: Sequence[Case]) -> tuple[str, ...]:
    return tuple(case.id for case in cases)


def grouped(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases with a group for each set of near-duplicates; a case that is like no other keeps an empty one.

    The group is the id of the set's first case, so that results are never counted as independent that are not.
    """
    marked = list(cases)
    groups = [case.group for case in cases]
    for members in clusters([case.input for case in cases], groups, pairs=lambda plain: _near(cases, plain)):
        name = cases[members[0]].id if len(members) > 1 else ""
        for index in members:
            marked[index] = replace(cases[index], group=name)
    return tuple(marked)


def cut_heldout(cases: Sequence[Case], kind: Kind, seed: int) -> Cut:
    """Holds out half of the cases, at most 500; the cases are as `grouped` marks them, and groups stay on one side.

    For classification every label is held out in proportion, and stays among the examples. Raises `BadInput` below 10
    cases, and where all cases belong together so that nothing can be held out.
    """
    must_be_enough(len(cases))
    size = min(MOST_HELDOUT, len(cases) // 2)
    chosen = _part(_by_group(cases), _strata(cases, kind), size, random.Random(f"heldout {seed}"))
    if not chosen:
        raise NothingToHoldOut(
            "No case is left to hold out: all examples are of one group or say nearly the same. Give other examples, or a file "
            "with held-out cases as `heldout:`."
        )
    return Cut(
        examples=tuple(case for index, case in enumerate(cases) if index not in chosen),
        heldout=tuple(case for index, case in enumerate(cases) if index in chosen),
    )


def must_be_enough(cases: int) -> None:
    """Raises `BadInput` where half of so many cannot be held out."""
    if cases < LEAST_TO_CUT:
        few = "There is 1 example" if cases == 1 else f"There are {cases} examples"
        raise BadInput(
            f"{few}, too few to hold out half of them. Give at least {LEAST_TO_CUT}, or a file with held-out cases as `heldout:`."
        )


def cut_folds(examples: Sequence[Case], kind: Kind, seed: int) -> tuple[Fold, ...]:
    """One fold with a quarter (at most 150) for selection from 300 examples on; below that three folds.

    The examples are as `grouped` marks them: groups, and with them near-duplicates, stay on one side wherever that
    leaves both sides of a fold filled; two groups make two folds. In several folds each example is selected on exactly
    once. Raises `BadInput` below 3 examples.
    """
    if len(examples) < LEAST_EXAMPLES:
        raise BadInput(
            f"There are {len(examples)} examples left to learn from; at least {LEAST_EXAMPLES} are needed. Add some."
        )
    shuffled = random.Random(f"folds {seed}")
    groups, strata = _by_group(examples), _strata(examples, kind)
    if len(examples) >= ONE_FOLD_FROM:
        size = min(MOST_SELECTION, round(SELECTION_SHARE * len(examples)))
        selections = [part for part in [_part(groups, strata, size, shuffled)] if part]
    else:
        selections = [part for part in _dealt(groups, strata, shuffled) if 0 < len(part) < len(examples)]
    if not selections:
        selections = _without_groups(len(examples), random.Random(f"folds {seed}"))
    return tuple(_fold(examples, selection) for selection in selections)


def _fold(examples: Sequence[Case], selection: set[int]) -> Fold:
    return Fold(
        train=tuple(case for index, case in enumerate(examples) if index not in selection),
        selection=tuple(case for index, case in enumerate(examples) if index in selection),
    )


def _without_groups(count: int, shuffled: random.Random) -> list[set[int]]:
    """The last resort where everything belongs together: parts of single cases."""
    order = shuffled.sample(range(count), count)
    if count < ONE_FOLD_FROM:
        return [set(order[start::FOLDS]) for start in range(FOLDS)]
    return [set(order[: min(MOST_SELECTION, round(SELECTION_SHARE * count))])]


def _by_group(cases: Sequence[Case]) -> list[list[int]]:
    """Indexes of the cases of each group; a case without one is alone. In the order of their first case."""
    found: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        found.setdefault(case.group or f"\0{index}", []).append(index)
    return list(found.values())


def _strata(cases: Sequence[Case], kind: Kind) -> list[str]:
    return [case.output if kind == "classification" else "" for case in cases]


def _part(groups: Sequence[list[int]], strata: Sequence[str], size: int, shuffled: random.Random) -> set[int]:
    """Indexes of about `size` cases in whole groups, in proportion to the strata; never all of a stratum."""
    total = Counter(strata)
    wanted = _quotas(total, size, shuffled)
    groups = list(groups)
    shuffled.shuffle(groups)
    chosen: set[int] = set()
    taken: Counter[str] = Counter()
    for members in groups:
        counts = Counter(strata[index] for index in members)
        if all(taken[stratum] + count <= wanted[stratum] for stratum, count in counts.items()):
            chosen.update(members)
            taken.update(counts)
    for members in groups:
        counts = Counter(strata[index] for index in members)
        fits = len(chosen) + len(members) <= size and not chosen.intersection(members)
        if fits and all(taken[stratum] + count < total[stratum] for stratum, count in counts.items()):
            chosen.update(members)
            taken.update(counts)
    return chosen or _smallest(groups)


def _smallest(groups: Sequence[list[int]]) -> set[int]:
    """The smallest of several clusters, where each of them is larger than the part should be; else nothing."""
    size = min(len(members) for members in groups)
    return set(next(members for members in groups if len(members) == size)) if len(groups) > 1 else set()


def _quotas(total: Mapping[str, int], size: int, shuffled: random.Random) -> dict[str, int]:
    """How many cases of each stratum make up `size`: in proportion, largest remainders first, ties drawn."""
    share = size / sum(total.values())
    exact = {stratum: count * share for stratum, count in total.items()}
    quotas = {stratum: min(int(value), total[stratum] - 1) for stratum, value in exact.items()}
    order = sorted(exact)
    shuffled.shuffle(order)
    order.sort(key=lambda stratum: quotas[stratum] - exact[stratum])
    left = size - sum(quotas.values())
    for stratum in order:
        if left > 0 and quotas[stratum] < total[stratum] - 1:
            quotas[stratum] += 1
            left -= 1
    return quotas


def _dealt(groups: Sequence[list[int]], strata: Sequence[str], shuffled: random.Random) -> list[set[int]]:
    """Three parts of whole groups, the largest first, each to the part with least of its strata and of all."""
    groups = list(groups)
    shuffled.shuffle(groups)
    groups.sort(key=len, reverse=True)
    parts: list[set[int]] = [set() for _ in range(FOLDS)]
    held: list[Counter[str]] = [Counter() for _ in range(FOLDS)]
    most = -(-len(strata) // FOLDS)
    for members in groups:
        counts = Counter(strata[index] for index in members)

        def load(part: int, counts: Counter[str] = counts, size: int = len(members)) -> tuple[bool, int, int]:
            overlap = sum(held[part][stratum] * count for stratum, count in counts.items())
            return len(parts[part]) + size > most, overlap, len(parts[part])

        part = min(range(FOLDS), key=load)
        parts[part].update(members)
        held[part].update(counts)
    return parts


def alike(cases: Sequence[Case]) -> list[list[int]]:
    """Indexes of cases with the same or nearly the same input, or with the same words and answer."""
    return _grouped_by(cases, lambda plain: [*_near(cases, plain), *_reworded(cases, plain)])


def _grouped_by(cases: Sequence[Case], pairs: Pairs) -> list[list[int]]:
    return clusters([case.input for case in cases], [""] * len(cases), pairs=pairs)


def _near(cases: Sequence[Case], plain: Sequence[str]) -> list[tuple[int, int]]:
    """Inputs that share most of their character sequences, and those one letter apart with an answer in common."""
    return [*near_pairs(plain), *_answered_alike(cases, mistyped_pairs(plain))]


def _reworded(cases: Sequence[Case], plain: Sequence[str]) -> list[tuple[int, int]]:
    return _answered_alike(cases, reworded_pairs(plain))


def _answered_alike(cases: Sequence[Case], pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Only where one answer is accepted of both: another letter, order or word can ask for something else."""
    return [(one, other) for one, other in pairs if not set(cases[one].accepted).isdisjoint(cases[other].accepted)]


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Ids of examples that are held out too, and of the held-out cases that they are."""

    same: frozenset[str]
    """Examples whose input equals a held-out one when normalised."""
    near: frozenset[str]
    """Examples whose input is nearly a held-out one."""
    reworded: frozenset[str]
    """Examples with the words of a held-out case and an answer of it. Two people may have written them: a sign, no proof."""
    heldout: frozenset[str]
    """Held-out cases of the first two kinds."""
    beside: Mapping[str, tuple[str, ...]]
    """Of each of these examples the held-out cases that it is like."""

    @property
    def beside_near(self) -> frozenset[str]:
        """Those of `heldout` that an example of `near` stands beside, whatever else does."""
        return frozenset(held for case in self.near for held in self.beside[case])

    @property
    def all(self) -> frozenset[str]:
        return self.same | self.near | self.reworded


def overlapping(examples: Sequence[Case], heldout: Sequence[Case]) -> Overlap:
    """Which examples have, or nearly have, the input of a held-out case."""
    cases = [*heldout, *examples]
    held = {normalised(case.input) for case in heldout}
    near_ones = _near(cases, [normalised(case.input) for case in cases])
    copied = _beside(cases, len(heldout), _grouped_by(cases, lambda _: near_ones))
    likely = _beside(cases, len(heldout), _grouped_by(cases, lambda plain: [*near_ones, *_reworded(cases, plain)]))
    same = frozenset(case.id for case in examples if case.id in copied and normalised(case.input) in held)
    return Overlap(
        same=same,
        near=frozenset(copied.keys() - same),
        reworded=frozenset(likely.keys() - copied.keys()),
        heldout=frozenset(one for several in copied.values() for one in several),
        beside={**likely, **copied},
    )


def _beside(cases: Sequence[Case], heldout: int, found: Sequence[list[int]]) -> dict[str, tuple[str, ...]]:
    """Of groups that hold some of the first `heldout` cases and others: by the id of each of those others, the former's."""
    beside: dict[str, tuple[str, ...]] = {}
    for members in found:
        held = tuple(cases[place].id for place in members if place < heldout)
        beside.update({cases[place].id: held for place in members if place >= heldout and held})
    return beside
