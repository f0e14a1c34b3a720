"""The two sides that are compared: samples within the limits, without the examples that belong to a held-out case."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contract import BadInput
from benchmarks.data.split import Overlap, cut_heldout, grouped, overlapping
from strategies.contract import Case, Kind

MOST_LEFT_OUT = 0.2
"""Share of the examples up to which near copies of held-out cases, and rows of their groups, are left out: more of them
share a form, or belong to groups so large that too little would be left to learn from."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Examples and held-out cases as they are compared, each as `split.grouped` marks them."""

    examples: tuple[Case, ...]
    heldout: tuple[Case, ...]
    overlap: Overlap | None = None
    """Between all examples and these held-out cases; None where they were cut from the examples."""
    near_left_out: bool = True
    """Whether the examples that nearly have the input of a held-out case are left out."""
    same_group: tuple[Case, ...] = ()
    """Examples of a group that one of these held-out cases has too, copies aside."""
    groups_left_out: bool = False
    """Whether those of `same_group` are left out."""

    perhaps_leaked: frozenset[str] = frozenset()
    """Ids of held-out cases beside which an example stays that has their words and answer, or is of their group."""

    @property
    def leaked(self) -> frozenset[str]:
        """Ids of the held-out cases that stood among the examples."""
        return self.overlap.heldout if self.overlap else frozenset()

    @property
    def stayed(self) -> frozenset[str]:
        """Ids of those of `leaked` of which nearly the same examples are not left out."""
        return self.overlap.beside_near if self.overlap and not self.near_left_out else frozenset()


def cut_sides(cases: tuple[Case, ...], kind: Kind, sizes: tuple[int | None, int | None], seed: int) -> Sides:
    """Cuts the held-out cases from the examples. `sizes`: at most so many examples and held-out cases (None: all).

    Raises `BadInput` for a size below 1, and where nothing can be cut.
    """
    _check(sizes)
    cut = cut_heldout(grouped(cases), kind, seed)
    most_examples, most_heldout = sizes
    heldout = grouped(_sample(cut.heldout, most_heldout, seed))
    return Sides(examples=_sample(cut.examples, most_examples, seed), heldout=heldout)


def given_sides(
    examples: tuple[Case, ...], heldout: tuple[Case, ...], sizes: tuple[int | None, int | None], seed: int
) -> Sides:
    """Both sides from files of their own, without the examples that have, or nearly have, the input of a held-out case of
    the sample, or are of its group. `sizes` as in `cut_sides`.

    Raises `BadInput` for a size below 1, without held-out cases, and where all examples have the input of one.
    """
    _check(sizes)
    if not heldout:
        raise BadInput(
            "There are no held-out cases. Put at least 20 into the file, or leave `heldout:` out of the spec."
        )
    most_examples, most_heldout = sizes
    heldout = _sample(heldout, most_heldout, seed)
    overlap = overlapping(examples, heldout)
    near_left_out = _few(overlap.near, examples)
    dropped = overlap.same | overlap.near if near_left_out else overlap.same
    kept = tuple(case for case in examples if case.id not in dropped)
    if not kept:
        raise BadInput(
            "Every example has the input of a held-out case. Give examples that are not in the held-out file."
        )
    groups = {case.group for case in heldout} - {""}
    same_group = tuple(case for case in kept if case.group in groups)
    left_out = _few(same_group, kept)
    if left_out:
        kept = tuple(case for case in kept if case.group not in groups)
    sample = _sample(kept, most_examples, seed)
    return Sides(
        examples=grouped(sample),
        heldout=grouped(heldout),
        overlap=overlap,
        near_left_out=near_left_out,
        same_group=same_group,
        groups_left_out=left_out,
        perhaps_leaked=_perhaps_leaked(sample, heldout, overlap),
    )


def _perhaps_leaked(examples: Sequence[Case], heldout: Sequence[Case], overlap: Overlap) -> frozenset[str]:
    """Ids of the held-out cases of which one of these examples has the words and an answer, or the group."""
    reworded = (held for case in examples if case.id in overlap.reworded for held in overlap.beside[case.id])
    groups = {case.group for case in examples} - {""}
    return frozenset(reworded) | {case.id for case in heldout if case.group in groups}


def _few(found: Sequence[Case] | frozenset[str], examples: Sequence[Case]) -> bool:
    return len(found) <= MOST_LEFT_OUT * len(examples)


def _check(sizes: tuple[int | None, int | None]) -> None:
    for name, value in zip(("examples", "heldout"), sizes, strict=True):
        if value is not None and value < 1:
            raise BadInput(f"The number of {name} is {value}; it must be at least 1. Write, for instance, 300.")


def _sample(cases: tuple[Case, ...], size: int | None, seed: int) -> tuple[Case, ...]:
    """A seeded sample in the first order; a smaller sample of the same seed is part of a larger one."""
    if size is None or size >= len(cases):
        return cases
    order = random.Random(f"sample {seed}").sample(range(len(cases)), len(cases))
    return tuple(cases[index] for index in sorted(order[:size]))
