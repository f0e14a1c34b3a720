"""What a run still has to perform, written down with each unit: one that is cut off is not told as if all were measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.storage.store import Store

LEFT = "left"
"""Key of the store. A run of an earlier version has none, and counts as whole."""

Left = Mapping[str, Mapping[str, int]]
"""Candidate -> kind of unit -> how many are neither finished nor left out. Without candidates of which none is."""


def as_left(counts: Iterable[tuple[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """From all candidates with all kinds those of which something is left."""
    found = {candidate: {kind: number for kind, number in of.items() if number} for candidate, of in counts}
    return {candidate: of for candidate, of in found.items() if of}


def kinds_left(store: Store, candidate: str) -> tuple[str, ...]:
    """Kinds of the candidate's units that are left."""
    return tuple(dict(store.meta(LEFT) or {}).get(candidate, ()))


def left_of_all(parts: Iterable[Left | None]) -> dict[str, Mapping[str, int]]:
    """Of the parts of a run together; none has a candidate of another."""
    return {candidate: of for part in parts for candidate, of in (part or {}).items()}
