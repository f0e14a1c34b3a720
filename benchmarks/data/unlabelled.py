"""Requests without answers that a teacher may be asked: none like a held-out case or an example, none twice."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.contract import BadInput
from benchmarks.data.similar import normalised
from benchmarks.data.split import overlapping
from benchmarks.specs.spec import Spec
from strategies.contract import Case

MOST = 5_000
"""A sample of so many is looked at; a run keeps them, and no budget pays for more."""


def for_the_teacher(
    spec: Spec, requests: Sequence[str], sides: tuple[Sequence[Case], Sequence[Case]], seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The requests that it may answer, beside (examples, held-out cases), and what there is to say of them."""
    if not requests:
        proposes = f"teacher: {spec.teacher}. It proposes instructions; there are no requests for it to answer."
        return (), (proposes,) if spec.teacher else ()
    kept, says = to_answer(requests, *sides, seed)
    if not kept:
        raise BadInput(
            f"teacher: nothing of {spec.traffic} is left to answer ({says.rstrip('.')}). Give other requests, or no teacher."
        )
    return kept, (f"teacher: {spec.teacher}. {says}",)


def to_answer(
    requests: Sequence[str], examples: Sequence[Case], heldout: Sequence[Case], seed: int
) -> tuple[tuple[str, ...], str]:
    """The requests in a seeded order, and a sentence that says what was left out.

    Nothing like an example either: some of these are selection cases, by which the student is chosen.
    """
    drawn = random.Random(f"unlabelled {seed}").sample(list(requests), min(MOST, len(requests)))
    seen = {normalised(case.input) for case in examples}
    fresh: list[Case] = []
    for text in drawn:
        plain = normalised(text)
        if plain not in seen:
            seen.add(plain)
            fresh.append(Case(id=str(len(fresh)), input=text, output=""))
    overlap = overlapping(fresh, (*heldout, *examples))
    kept = tuple(case.input for case in fresh if case.id not in overlap.same | overlap.near)
    known, alike = len(drawn) - len(fresh), len(fresh) - len(kept)
    says = f"{len(kept):,} requests without answers are there to learn from"
    left_out = [
        f"{alike:,} like a held-out case or an example" if alike else "",
        f"{known:,} that are examples or stand there twice" if known else "",
    ]
    out = " and ".join(filter(None, left_out))
    return kept, f"{says}; left out: {out}." if out else f"{says}."
