"""Examples whose label a linear head doubts although it was not shown them: a list to look through, not a judgement."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import BadInput
from benchmarks.formats.clean import harmless
from benchmarks.grouping import Floats, group_codes
from strategies.contract import Case, Embedder

FOLDS = 5
STRENGTH = 10.0
"""Inverse regularisation of the head."""
COLUMNS = ("id", "input", "label", "perhaps", "share of label", "share of perhaps")
_STARTERS = "=+-@\u2212\uff1d\uff0b\uff0d\uff20"
"""At the beginning of a cell these make a formula of it in some program, also behind what cannot be seen."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One example, and the label that is likelier for it."""

    case: Case
    perhaps: str
    given_share: float
    perhaps_share: float
    """Probabilities by a head that was fitted without the example and its near-duplicates."""


def doubts(cases: Sequence[Case], embedder: Embedder, seed: int = 0) -> list[Doubt]:
    """The most doubtful first. Needs labels as outputs.

    A label is doubted where another one reaches what that other usually reaches on its own examples, and the given one is
    not the likeliest of those that do (confident learning, arXiv 1911.00068). Frequent confusions can stand in the list
    although both labels are right. Raises `BadInput` for fewer than two labels.
    """
    names, given = np.unique([case.output for case in cases], return_inverse=True)
    if len(names) < 2:
        raise BadInput("all examples have one label, so none of them can be doubted.")
    shares = _out_of_fold(np.asarray(embedder.embed([case.input for case in cases])), given, _folds(cases, seed))
    usual = np.array([shares[given == label, label].mean() for label in range(len(names))])
    reached = np.where(shares >= usual, shares, -1.0)
    other = reached.argmax(1)
    doubted = np.flatnonzero((reached.max(1) > 0) & (other != given))
    found = [
        Doubt(
            case=cases[place],
            perhaps=str(names[other[place]]),
            given_share=float(shares[place, given[place]]),
            perhaps_share=float(shares[place, other[place]]),
        )
        for place in doubted.tolist()
    ]
    return sorted(found, key=lambda each: each.given_share - each.perhaps_share)


def _folds(cases: Sequence[Case], seed: int) -> NDArray[np.intp]:
    """The fold of each case; near-duplicates, which would vouch for each other, share one."""
    codes = group_codes([case.group for case in cases], len(cases))
    order = np.random.default_rng(seed).permutation(int(codes.max()) + 1)
    folds: NDArray[np.intp] = (order % FOLDS)[codes]
    return folds


def _out_of_fold(vectors: Floats, given: NDArray[np.intp], folds: NDArray[np.intp]) -> Floats:
    """(cases, labels); a label that the other folds do not have gets 0."""
    from sklearn.linear_model import LogisticRegression

    shares = np.zeros((len(given), int(given.max()) + 1))
    for fold in range(FOLDS):
        shown, asked = folds != fold, folds == fold
        if asked.any() and len(np.unique(given[shown])) > 1:
            model = LogisticRegression(C=STRENGTH, max_iter=2000).fit(vectors[shown], given[shown])
            shares[np.ix_(asked, model.classes_)] = model.predict_proba(vectors[asked])
    return shares


def write_sheet(found: Sequence[Doubt], path: Path) -> None:
    """A CSV to look through; what a spreadsheet would take for a formula gets an apostrophe in front."""
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(COLUMNS)
        for each in found:
            texts = (each.case.id, each.case.input, each.case.output, each.perhaps)
            sheet.writerow(
                [*(as_cell(harmless(text)) for text in texts), f"{each.given_share:.3f}", f"{each.perhaps_share:.3f}"]
            )


def as_cell(text: str) -> str:
    """The text as a spreadsheet shows it, letter by letter."""
    first = text[:1]
    plain = not first or (first.isprintable() and not first.isspace() and first not in _STARTERS)
    return text if plain else f"'{text}"
