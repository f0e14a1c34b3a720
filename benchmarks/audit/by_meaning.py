"""Cases that mean the same in other words, by an embedding model: what comparing letters cannot see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit.document_quality import FOUND_EASILY, questions_in
from benchmarks.audit.file_findings import ALIKE as SEVERAL
from benchmarks.audit.file_findings import exclude_each_other
from benchmarks.audit.findings import FIX, Finding, ids, many
from benchmarks.data.similar import normalised
from strategies.contract import Case, Document, Embedder
from strategies.retrieval.chunking import sentences

ALIKE = 0.95
"""Cosine of the embeddings from which on two inputs are told as the same in other words."""
_BLOCK = 1_000
_SHOWN = 3
_MOST_SENTENCES = 5_000
"""Of documents so many are compared, questions first."""
_FRONT = re.compile(r"[#*>|_\s-]*(?:\w{1,9}[.:)][*_]*\s+)?")
"""Before a heading, a point of a list or a question of an FAQ."""
_LISTED = f"`{FIX} --deep` lists them."
_STAY = (
    "They stay, since real requests repeat too. Where the rows are rewordings of one another, give them a `group` column. "
    f"{_LISTED}"
)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """A row that means nearly what others do, in other words."""

    id: str
    held_out: bool
    why: str
    like: tuple[str, ...]
    """Ids of some of those."""


@dataclass(frozen=True, kw_only=True)
class ByMeaning:
    """What is found, and the rows of which it is told."""

    findings: tuple[Finding, ...]
    rows: tuple[Alike, ...]


def compared_by_meaning(
    examples: Sequence[Case],
    heldout: Sequence[Case],
    documents: Sequence[Document],
    labels: Sequence[str],
    embedder: Embedder,
) -> ByMeaning:
    """Held-out cases of which an example or a sentence of a document has the meaning, and on either side cases of one meaning,
    and such ones whose labels exclude each other."""
    ours = np.asarray(embedder.embed([case.input for case in examples]))
    theirs = np.asarray(embedder.embed([case.input for case in heldout]))
    findings: list[Finding] = []
    across = [(heldout[one], examples[other]) for one, other in _nearest(theirs, ours)]
    across = [(one, other) for one, other in across if normalised(one.input) != normalised(other.input)]
    rows = [*_across(across)]
    if across:
        findings.append(_overlap([one for one, _ in across]))
    if documents:
        near, compared = _in_documents(documents, heldout, theirs, embedder)
        findings += _easily_found(near, compared)
        rows += (
            Alike(id=one.id, held_out=True, why="means nearly what a sentence of a document does", like=())
            for one in near
        )
    for cases, vectors, held_out in ((examples, ours, False), (heldout, theirs, True)):
        found = _within(cases, vectors, labelled=bool(labels))
        if found.again:
            findings.append(_duplicates(found.again, held_out))
        if found.conflicts:
            findings.append(_conflicts(found, held_out))
        side = "held-out case" if held_out else "example"
        for place, like in sorted(found.like.items()):
            names = tuple(cases[other].id for other in like)
            why = f"means nearly what another {side} does" + ", which has another label" * (place in found.against)
            rows.append(Alike(id=cases[place].id, held_out=held_out, why=why, like=names))
    return ByMeaning(findings=tuple(findings), rows=tuple(rows))


def _across(pairs: Sequence[tuple[Case, Case]]) -> Iterator[Alike]:
    """Of held-out cases, each with the example of its meaning, both: an example once, with the first ones of its cases."""
    beside: dict[str, list[str]] = {}
    for one, other in pairs:
        yield Alike(id=one.id, held_out=True, why="means nearly what an example does", like=(other.id,))
        beside.setdefault(other.id, []).append(one.id)
    for name, like in beside.items():
        yield Alike(
            id=name, held_out=False, why="means nearly what a held-out case does", like=tuple(like[: _SHOWN + 1])
        )


def _in_documents(
    documents: Sequence[Document], heldout: Sequence[Case], vectors: NDArray[Any], embedder: Embedder
) -> tuple[list[Case], str]:
    """Held-out cases that stand in documents in other words, and of how many sentences some were compared; the same words are
    told elsewhere."""
    passages = (each.document.text[each.start : each.end] for each in sentences(documents))
    texts = dict.fromkeys(
        _FRONT.sub("", text, count=1).strip() for text in (*(each.title for each in documents), *passages)
    )
    said = sorted(filter(None, texts), key=lambda text: not text.endswith(("?", "\uff1f")))
    taken = said[:_MOST_SENTENCES]
    told = {case.id for case in questions_in(documents, heldout)}
    near = [heldout[one] for one, _ in _nearest(vectors, np.asarray(embedder.embed(taken)))] if taken else []
    part = f" (of {len(said):,} sentences {len(taken):,} were compared)" if len(said) > len(taken) else ""
    return [case for case in near if case.id not in told], part


def _easily_found(found: Sequence[Case], part: str) -> Iterator[Finding]:
    if found:
        yield Finding(
            kind="questions in documents in meaning",
            count=len(found),
            examples=ids(found),
            says=f"{many(len(found), 'held-out case means', 'held-out cases mean')} nearly what a sentence of a document does, "
            f"in other words{part}.",
            effect=FOUND_EASILY,
            what_to_do="They stay, since real requests may stand there too. If most will not, hold out more that do not either. "
            f"{_LISTED}",
            severity="note",
        )


@dataclass(kw_only=True)
class _Within:
    """What means the same on one side."""

    again: list[Case] = field(default_factory=list)
    """Cases that mean what one before does and are of no group with it: those of a group count as one anyway."""
    conflicts: int = 0
    """Pairs whose labels exclude each other."""
    shown: list[str] = field(default_factory=list)
    """The first three of them."""
    like: dict[int, list[int]] = field(default_factory=dict)
    """Of each place with others of its meaning some of these."""
    against: set[int] = field(default_factory=set)
    """Places in pairs whose labels exclude each other."""

    def pair(self, one: int, other: int) -> None:
        """Notes them beside each other, unless enough are."""
        for here, there in ((one, other), (other, one)):
            beside = self.like.setdefault(here, [])
            if there not in beside and len(beside) <= _SHOWN:
                beside.append(there)


def _within(cases: Sequence[Case], vectors: NDArray[Any], labelled: bool) -> _Within:
    """Of very many that mean the same no more is kept than this."""
    texts = np.array([hash(normalised(case.input)) for case in cases])
    groups = np.array([hash(case.group or (case.id,)) for case in cases])
    outputs = np.array([hash(case.output) for case in cases])
    known = np.zeros(len(cases), dtype=bool)
    found = _Within()
    for one, alike in _before_it(vectors):
        others = alike[texts[alike] != texts[one]]
        apart = others[groups[others] != groups[one]]
        if apart.size:
            found.again.append(cases[one])
            for other in (*apart[: _SHOWN + 1].tolist(), *apart[~known[apart]].tolist()):
                found.pair(one, other)
            known[one], known[apart] = True, True
        for other in others[outputs[others] != outputs[one]].tolist() if labelled else ():
            if exclude_each_other([cases[other], cases[one]]):
                found.conflicts += 1
                found.against.update((one, other))
                found.pair(one, other)
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
        effect="An approach that looks examples up finds an answer there that it may not find for real requests, so its figures "
        "can be too high.",
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
        effect="They count as independent cases; if they are rewordings of one another they are not, and bounds are narrower "
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
        effect="If one of the labels is wrong, right answers count as wrong there."
        if held_out
        else "Approaches that learn from examples are taught both, and are right or wrong by chance where the two labels meet.",
        what_to_do=f"Read them: one label may be wrong, or the two labels may be one. {_LISTED}",
    )


def _nearest(rows: NDArray[Any], others: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Rows of which one of the others is alike enough, and the one that is most so, block by block."""
    for start in range(0, len(rows), _BLOCK):
        likeness = rows[start : start + _BLOCK] @ others.T
        best = likeness.argmax(1)
        for one in np.flatnonzero(likeness.max(1) >= ALIKE).tolist():
            yield start + one, int(best[one])
