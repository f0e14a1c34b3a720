"""Examples whose label a linear head doubts although it was not shown them: a list to look through, not a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contract import BadInput
from benchmarks.grouping import Floats, group_codes
from benchmarks.sheets import write_sheet
from benchmarks.statistics import clopper_pearson_lower
from strategies.contract import Case, Embedder

FOLDS = 5
STRENGTH = 10.0
"""Inverse regularisation of the head."""
LEVEL = 0.05
COLUMNS = ("id", "input", "label", "perhaps", "share of label", "share of perhaps")


class TooWeak(BadInput):
    """The head knows hardly more than which label is frequent, so its doubts say nothing."""


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
    although both labels are right. Raises `BadInput` for fewer than two labels, and `TooWeak` where the head is not shown
    to be better than the most frequent label.
    """
    names, given = np.unique([case.output for case in cases], return_inverse=True)
    if len(names) < 2:
        raise BadInput("all examples have one label, so none of them can be doubted.")
    shares = _out_of_fold(np.asarray(embedder.embed([case.input for case in cases])), given, _folds(cases, seed))
    _must_know_something(shares, given)
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


def _must_know_something(shares: Floats, given: NDArray[np.intp]) -> None:
    cases, right = len(given), int((shares.argmax(1) == given).sum())
    frequent = float(np.bincount(given).max()) / cases
    if clopper_pearson_lower(right, cases, LEVEL) <= frequent:
        raise TooWeak(
            f"a linear head gives {right / cases:.0%} of the examples that it was not shown their label, and the most frequent "
            f"label {frequent:.0%}: too weak to doubt a label. Look through a random sample of them instead."
        )


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


def write_doubts(found: Sequence[Doubt], path: Path) -> None:
    """A CSV to look through."""
    rows = (
        (
            *(each.case.id, each.case.input, each.case.output, each.perhaps),
            *(f"{share:.3f}" for share in (each.given_share, each.perhaps_share)),
        )
        for each in found
    )
    write_sheet(path, COLUMNS, rows)
