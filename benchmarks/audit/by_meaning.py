"""Cases that mean the same in other words, by an embedding model: what comparing letters cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit.file_findings import exclude_each_other
from benchmarks.audit.findings import FIX, Finding, ids, many
from benchmarks.data.similar import normalised
from strategies.contract import Case, Embedder

ALIKE = 0.95
"""Cosine of the embeddings from which on two inputs are told as the same in other words."""
_BLOCK = 1_000


def meaning_findings(
    examples: Sequence[Case], heldout: Sequence[Case], labels: Sequence[str], embedder: Embedder
) -> Iterator[Finding]:
    """Held-out cases of which an example has the meaning, and examples of one meaning whose labels exclude each other."""
    ours = np.asarray(embedder.embed([case.input for case in examples]))
    theirs = np.asarray(embedder.embed([case.input for case in heldout]))
    across = [heldout[one] for one, other in _nearest(theirs, ours) if _other_words(heldout[one], examples[other])]
    if across:
        yield _overlap(across)
    alike = [(examples[one], examples[other]) for one, other in _nearest(ours, ours) if one < other] if labels else []
    differ = [pair for pair in alike if pair[0].output != pair[1].output and exclude_each_other(pair)]
    pairs = [(one, other) for one, other in differ if _other_words(one, other)]
    if pairs:
        yield _conflicts(pairs)


def _overlap(across: Sequence[Case]) -> Finding:
    return Finding(
        kind="overlap in meaning",
        count=len(across),
        examples=ids(across),
        says=f"{many(len(across), 'held-out case means', 'held-out cases mean')} nearly what an example does, in other words.",
        effect="What looks examples up finds an answer there that real requests may not have: its figures can be too high.",
        what_to_do="They stay, since real requests repeat too. Where the rows are rewordings of one another, give them a "
        "`group` column.",
        severity="note",
    )


def _conflicts(pairs: Sequence[tuple[Case, Case]]) -> Finding:
    return Finding(
        kind="conflicts in meaning",
        count=len(pairs),
        examples=tuple(f"{one.id} and {other.id}" for one, other in pairs[:3]),
        says=f"{many(len(pairs), 'pair', 'pairs')} of examples with different labels mean nearly the same.",
        effect="What learns from examples is taught both, and is wrong by chance where the two labels meet.",
        what_to_do=f"Read them: one label may be wrong, or the two labels may be one. `{FIX}` lists doubts.",
    )


def _nearest(rows: NDArray[Any], others: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Pairs of rows that are alike enough, block by block; a row beside itself is none."""
    for start in range(0, len(rows), _BLOCK):
        likeness = rows[start : start + _BLOCK] @ others.T
        if rows is others:
            likeness[np.arange(len(likeness)), np.arange(start, start + len(likeness))] = -1.0
            for one, other in np.argwhere(likeness >= ALIKE).tolist():
                yield start + one, other
        else:
            best = likeness.argmax(1)
            for one in np.flatnonzero(likeness.max(1) >= ALIKE).tolist():
                yield start + one, int(best[one])


def _other_words(one: Case, other: Case) -> bool:
    """The same letters are told elsewhere."""
    return normalised(one.input) != normalised(other.input)
