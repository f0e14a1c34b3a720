"""Rows that a person says are one: those with the same word in the column `together` of the review."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from benchmarks.contract import BadInput
from benchmarks.formats.record import Record
from benchmarks.review.review_sheets import REVIEW, TOGETHER, Material

Key = tuple[str, str]
"""Side and id of a case."""


def joined(sheet: Sequence[Record], material: Material) -> Mapping[Key, str]:
    """The group of each case that has another one by the sheet: a case brings along all that were of its group before.

    Raises `BadInput` for a word that stands in one row alone.
    """
    before: dict[Key, str] = {(side, case.id): case.group for side, cases in material.sides() for case in cases}
    now = dict(before)
    for word, keys in _named(sheet).items():
        groups = {now[key] for key in keys} - {""}
        name = min(groups, default=_unused(f"together {word}", now.values()))
        now |= {key: name for key, group in now.items() if key in keys or group in groups}
    return {key: group for key, group in now.items() if group != before[key]}


def _unused(name: str, known: Collection[str]) -> str:
    """The name, with a dash behind it for each time that it is taken: an earlier review may have used the same words."""
    while name in known:
        name += "-"
    return name


def _named(sheet: Sequence[Record]) -> Mapping[str, list[Key]]:
    found: dict[str, list[tuple[str, Key]]] = {}
    for place, row in sheet:
        if word := row[TOGETHER].strip():
            found.setdefault(word, []).append((place, (row["part"].strip(), row["id"].strip())))
    for word, several in found.items():
        if len(several) == 1:
            raise BadInput(
                f'{REVIEW}, {several[0][0]}: "{TOGETHER}" holds "{word[:20]}", and no other row does. Write the same word into '
                "each row that is to count with it as one."
            )
    return {word: [key for _, key in several] for word, several in found.items()}
