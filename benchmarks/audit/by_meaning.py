"""Cases that mean the same in other words, by an embedding model: what comparing letters cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit.file_findings import ALIKE as SEVERAL
from benchmarks.audit.file_findings import exclude_each_other
from benchmarks.audit.findings import FIX, Finding, ids, many
from benchmarks.data.similar import normalised
from strategies.contract import Case, Embedder

ALIKE = 0.95
"""Cosine of the embeddings from which on two inputs are told as the same in other words."""
_BLOCK = 1_000
_SHOWN = 3
_STAY = "They stay, since real requests repeat too. Where the rows are rewordings of one another, give them a `group` column."


def meaning_findings(
    examples: Sequence[Case], heldout: Sequence[Case], labels: Sequence[str], embedder: Embedder
) -> Iterator[Finding]:
    """Held-out cases of which an example has the meaning, and on either side cases of one meaning, and such ones whose labels
    exclude each other."""
    ours = np.asarray(embedder.embed([case.input for case in examples]))
    theirs = np.asarray(embedder.embed([case.input for case in heldout]))
    across = [heldout[one] for one, other in _nearest(theirs, ours) if _other_words(heldout[one], examples[other])]
    if across:
        yield _overlap(across)
    for cases, vectors, held_out in ((examples, ours, False), (heldout, theirs, True)):
        found = _within(cases, vectors, labelled=bool(labels))
        if found.again:
            yield _duplicates(found.again, held_out)
        if found.conflicts:
            yield _conflicts(found, held_out)


@dataclass(kw_only=True)
class _Within:
    """What means the same on one side."""

    again: list[Case] = field(default_factory=list)
    """Cases that mean what one before does and are of no group with it: those of a group count as one anyway."""
    conflicts: int = 0
    """Pairs whose labels exclude each other."""
    shown: list[str] = field(default_factory=list)
    """The first three of them."""


def _within(cases: Sequence[Case], vectors: NDArray[Any], labelled: bool) -> _Within:
    """Of very many that mean the same no more is kept than this."""
    texts = np.array([hash(normalised(case.input)) for case in cases])
    groups = np.array([hash(case.group or (case.id,)) for case in cases])
    outputs = np.array([hash(case.output) for case in cases])
    found = _Within()
    for one, alike in _before_it(vectors):
        others = alike[texts[alike] != texts[one]]
        if (groups[others] != groups[one]).any():
            found.again.append(cases[one])
        for other in others[outputs[others] != outputs[one]].tolist() if labelled else ():
            if exclude_each_other([cases[other], cases[one]]):
                found.conflicts += 1
                if found.conflicts <= _SHOWN:
                    found.shown.append(f"{cases[other].id} and {cases[one].id}")
    return found


def _before_it(vectors: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each row, and the rows before it that are alike enough, block by block."""
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        likeness = block @ vectors[: start + len(block)].T
        for place in range(len(block)):
            one = start + place
            yield one, np.flatnonzero(likeness[place, :one] >= ALIKE)


def _overlap(across: Sequence[Case]) -> Finding:
    return Finding(
        kind="overlap in meaning",
        count=len(across),
        examples=ids(across),
        says=f"{many(len(across), 'held-out case means', 'held-out cases mean')} nearly what an example does, in other words.",
        effect="What looks examples up finds an answer there that real requests may not have: its figures can be too high.",
        what_to_do=_STAY,
        severity="note",
    )


def _duplicates(again: Sequence[Case], held_out: bool) -> Finding:
    one, several = ("held-out case", "held-out cases") if held_out else ("example", "examples")
    return Finding(
        kind="held-out duplicates in meaning" if held_out else "duplicates in meaning",
        count=len(again),
        examples=ids(again),
        says=f"{many(len(again), f'{one} means', f'{several} mean')} nearly what another one does, in other words.",
        effect="They count as independent cases; where they are rewordings of one another they are none, and bounds are narrower "
        "than they should be."
        if held_out
        else SEVERAL["example"],
        what_to_do=_STAY,
        severity="note",
    )


def _conflicts(found: _Within, held_out: bool) -> Finding:
    return Finding(
        kind="held-out conflicts in meaning" if held_out else "conflicts in meaning",
        count=found.conflicts,
        examples=tuple(found.shown),
        says=f"{many(found.conflicts, 'pair', 'pairs')} of {'held-out cases' if held_out else 'examples'} with different labels "
        f"{'means' if found.conflicts == 1 else 'mean'} nearly the same.",
        effect="Where one of the labels is wrong, right answers count as wrong there."
        if held_out
        else "What learns from examples is taught both, and is wrong by chance where the two labels meet.",
        what_to_do="Read them: one label may be wrong, or the two labels may be one."
        + ("" if held_out else f" `{FIX}` lists doubts."),
    )


def _nearest(rows: NDArray[Any], others: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Rows of which one of the others is alike enough, and the one that is most so, block by block."""
    for start in range(0, len(rows), _BLOCK):
        likeness = rows[start : start + _BLOCK] @ others.T
        best = likeness.argmax(1)
        for one in np.flatnonzero(likeness.max(1) >= ALIKE).tolist():
            yield start + one, int(best[one])


def _other_words(one: Case, other: Case) -> bool:
    """The same letters are told elsewhere."""
    return normalised(one.input) != normalised(other.input)
