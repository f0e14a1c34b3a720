"""What a cascade makes of requests and data that are others than before, put together of what its parts made of them.

The sureness from which on its first part answers stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.contract import Evaluation, Row
from benchmarks.evaluation.cascade import is_handed_on, parts_of
from benchmarks.storage.store import Store
from strategies.answers import sureness

Rows = Mapping[str, Row]
"""By the id of the case."""


def planted_in(cascade: Evaluation, store: Store) -> list[Row]:
    """Its answers to requests and passages with text planted in them, put together of those of its parts; none where only one
    was asked so. A part that is shown no passages answers there as it did without. What is planted for each part is what that
    part can follow, so that a case which is handed on meets the sentence for the second there."""
    if len(parts := parts_of(cascade)) < 2:
        return []
    first, second = ({(row.key, _place(row.variant)): row for row in store.rows(name, "planted")} for name in parts)
    if not first or not second:
        return []
    plain = [{row.key: row for row in store.rows(name, "heldout")} for name in parts]
    places = [{place for _, place in rows} for rows in (first, second)]
    found = []
    for (key, place), told in {**first, **second}.items():
        one, other = (
            rows.get((key, place)) if place in asked else before.get(key)
            for rows, asked, before in zip((first, second), places, plain, strict=True)
        )
        row = None if one is None else other if is_handed_on(sureness(one.outcome), cascade.chosen["below"]) else one
        if row is not None:
            variant = row.variant or told.variant
            found.append(replace(row, candidate=cascade.candidate, purpose="planted", variant=variant))
    return found


def rebuilt_in(cascade: Evaluation, store: Store) -> list[Row]:
    """Its answers after each rebuild of both parts, which have the same sample of the examples; its threshold stays."""
    if len(parts := parts_of(cascade)) < 2:
        return []
    first, second = ({(row.variant, row.key): row for row in store.rows(name, "rebuild")} for name in parts)
    shared = {draw for draw, _ in first} & {draw for draw, _ in second}
    found = [
        second.get(at) if is_handed_on(sureness(row.outcome), cascade.chosen["below"]) else row
        for at, row in first.items()
        if at[0] in shared
    ]
    return [replace(row, candidate=cascade.candidate) for row in found if row is not None]


def changed_in(cascade: Evaluation, store: Store) -> tuple[dict[str, Any], list[Row]]:
    """The note and the rows of facts that changed, as a unit of its own would leave them; both empty where a part has none. A
    part that reads no documents answers as before, and one that is not fitted again then as it does at once."""
    notes = _notes(cascade, store, "changed", "edits")
    if not notes:
        return {}, []
    names, keys = parts_of(cascade), {edit["key"] for edit in notes[0]["edits"]}
    parts = [{**_rows(store, name, "heldout"), **_rows(store, name, "changed", "")} for name in names]
    rows = [replace(row, variant="") for row in _together(cascade, parts) if row.key in keys]
    again = [_rows(store, name, "changed", "again") for name in names]
    if asked := {key for each in again for key in each}:
        parts = [{**one, **other} for one, other in zip(parts, again, strict=True)]
        rows += [replace(row, variant="again") for row in _together(cascade, parts) if row.key in asked]
    spent = _seconds([{"seconds": note.get("again_seconds")} for note in notes])
    return {**notes[0], **notes[1], "seconds": _seconds(notes), "again_seconds": spent}, rows


def added_in(cascade: Evaluation, store: Store) -> tuple[dict[str, Any], list[Row]]:
    """Likewise of labels that were added. A part that cannot be given them answers as it did without them."""
    notes = _notes(cascade, store, "added", "asked")
    if not notes:
        return {}, []
    names = parts_of(cascade)
    before = [_rows(store, name, "added", "before") for name in names]
    rows = [replace(row, variant="before") for row in _together(cascade, before)]
    takes = any(note["takes"] for note in notes)
    if takes:
        after = [{**one, **_rows(store, name, "added", "after")} for one, name in zip(before, names, strict=True)]
        rows += [replace(row, variant="after") for row in _together(cascade, after)]
    return {**notes[0], "takes": takes, "seconds": _seconds(notes)}, rows


def altered_in(cascade: Evaluation, store: Store) -> tuple[dict[str, Any], list[Row]]:
    """Likewise of a rule of the format. A part that cannot be told of it answers as before, and one that is not fitted again
    answers then as it does at once."""
    notes, names = _notes(cascade, store, "altered", "takes"), parts_of(cascade)
    if not notes:
        return {}, []
    parts = [_rows(store, name, "heldout") for name in names]
    note = {**notes[0], "takes": any(note["takes"] for note in notes), "seconds": _seconds(notes)}
    asked, found = set[str](), list[Row]()
    for when in ("at once", "again"):
        later = [_rows(store, name, "altered", when) for name in names]
        asked |= {key for rows in later for key in rows}
        parts = [{**before, **after} for before, after in zip(parts, later, strict=True)]
        if any(later):
            found += [
                replace(row, purpose="altered", variant=when) for row in _together(cascade, parts) if row.key in asked
            ]
    return note, found


def _notes(cascade: Evaluation, store: Store, kind: str, key: str) -> list[Mapping[str, Any]]:
    """Of both parts, where both were asked: then their notes have this key."""
    known = store.notes(kind)
    notes = [known.get(name, {}) for name in parts_of(cascade)]
    return notes if len(notes) == 2 and all(key in note for note in notes) else []


def _rows(store: Store, name: str, purpose: str, variant: str | None = None) -> dict[str, Row]:
    return {row.key: row for row in store.rows(name, purpose) if variant in (None, row.variant)}


def _together(cascade: Evaluation, parts: Sequence[Rows]) -> list[Row]:
    """Its answers to what both parts were asked."""
    first, second = parts
    found = [
        second[key] if is_handed_on(sureness(row.outcome), cascade.chosen["below"]) else row
        for key, row in first.items()
        if key in second
    ]
    return [replace(row, candidate=cascade.candidate) for row in found]


def _seconds(notes: Sequence[Mapping[str, Any]]) -> float | None:
    """That both parts took; None where neither was built again."""
    known = [note["seconds"] for note in notes if note["seconds"] is not None]
    return sum(known) if known else None


def _place(variant: str) -> str:
    """Of rows with planted text."""
    return variant.partition("/")[0]
