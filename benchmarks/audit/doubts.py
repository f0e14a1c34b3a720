"""Examples whose label two cheap classifiers doubt that were not shown them: a list to look through, not a judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.audit.file_findings import spelt
from benchmarks.contract import BadInput
from benchmarks.review.sheets import write_sheet
from benchmarks.statistics.confidence import clopper_pearson_lower
from benchmarks.statistics.grouping import Floats, group_codes
from strategies.approaches.word_head import Counting
from strategies.contract import Case, Embedder
from strategies.standalone.reading import COUNTED

FOLDS = 5
STRENGTH, SMOOTHING = 10.0, 0.1
"""Inverse regularisation of the head on embeddings; what naive Bayes adds to every weight of a word."""
BLENDS = (0.0, 0.25, 0.5, 0.75)
"""Shares that the classifier by words may have in the probabilities."""
LEAST_SHARE = 1e-3
"""A label's probability counts as this at least, so that no single wrong label decides about a blend."""
LEVEL = 0.05
COLUMNS = ("id", "input", "label", "perhaps", "share of label", "share of perhaps")


class TooWeak(BadInput):
    """The classifiers know hardly more than which label is frequent, so their doubts say nothing."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One example, and the label that is likelier for it."""

    case: Case
    perhaps: str
    given_share: float
    perhaps_share: float
    """Probabilities by classifiers that were fitted without the example and its near-duplicates."""


def doubts(cases: Sequence[Case], embedder: Embedder, seed: int = 0) -> list[Doubt]:
    """The most doubtful first: those of which another label is found the most times as likely. Needs labels as outputs.

    A label is doubted where another one is likelier and the likeliest of those that reach what they usually reach on their
    own examples (confident learning, arXiv 1911.00068), unless the case accepts that other one too, be it in other case or
    spaces.
    Frequent confusions can stand in the list although both labels are right. Raises `BadInput` for fewer than two labels, and
    `TooWeak` where the classifiers are not shown to be better than the most frequent label.
    """
    names, given = np.unique([case.output for case in cases], return_inverse=True)
    if len(names) < 2:
        raise BadInput("All examples have one label, so none of them can be doubted.")
    shares = _blended([case.input for case in cases], embedder, given, _folds(cases, seed))
    _must_know_something(shares, given)
    usual = np.array([shares[given == label, label].mean() for label in range(len(names))])
    usual[usual == 0] = np.inf  # All examples of such a label are in one fold, so nothing is known of what is usual.
    reached = np.where(shares >= usual, shares, -1.0)
    other = reached.argmax(1)
    doubted = np.flatnonzero(reached.max(1) > shares[np.arange(len(given)), given])
    found = [
        Doubt(
            case=cases[place],
            perhaps=str(names[other[place]]),
            given_share=float(shares[place, given[place]]),
            perhaps_share=float(shares[place, other[place]]),
        )
        for place in doubted.tolist()
        if spelt(str(names[other[place]])) not in map(spelt, cases[place].accepted)
    ]
    return sorted(found, key=lambda each: (each.given_share / each.perhaps_share, -each.perhaps_share))


def _must_know_something(shares: Floats, given: NDArray[np.intp]) -> None:
    cases, right = len(given), int((shares.argmax(1) == given).sum())
    frequent = float(np.bincount(given).max()) / cases
    if clopper_pearson_lower(right, cases, LEVEL) <= frequent:
        raise TooWeak(
            f"Simple classifiers give {right / cases:.0%} of the examples that they were not shown their label, and the most "
            f"frequent label {frequent:.0%}: too weak to doubt a label. Look through a random sample of them instead."
        )


def _folds(cases: Sequence[Case], seed: int) -> NDArray[np.intp]:
    """The fold of each case; near-duplicates, which would vouch for each other, share one."""
    codes = group_codes([case.group for case in cases], len(cases))
    order = np.random.default_rng(seed).permutation(int(codes.max()) + 1)
    folds: NDArray[np.intp] = (order % FOLDS)[codes]
    return folds


def _blended(texts: Sequence[str], embedder: Embedder, given: NDArray[np.intp], folds: NDArray[np.intp]) -> Floats:
    """(cases, labels): a linear head on embeddings and naive Bayes on words and letters, in the mixture that finds the given
    labels likeliest. Which of the two knows more differs between tasks."""
    from scipy.sparse import hstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB

    split = (given, folds)
    meant = _out_of_fold(
        np.asarray(embedder.embed(texts)), split, lambda: LogisticRegression(C=STRENGTH, max_iter=2000)
    )
    counted = hstack([Counting.of(unit, texts).features(texts) for unit in COUNTED], format="csr")
    worded = _out_of_fold(counted, split, lambda: MultinomialNB(alpha=SMOOTHING))
    blends = [(1 - share) * meant + share * worded for share in BLENDS]
    return min(blends, key=lambda shares: _surprise(shares, given))


def _surprise(shares: Floats, given: NDArray[np.intp]) -> float:
    """Mean negative log-probability of the given labels."""
    return -float(np.log(np.maximum(shares[np.arange(len(given)), given], LEAST_SHARE)).mean())


def _out_of_fold(features: Any, split: tuple[NDArray[np.intp], NDArray[np.intp]], made: Callable[[], Any]) -> Floats:
    """(cases, labels) by a classifier of scikit-learn; a label that the other folds do not have gets 0. `split`: label and
    fold of each case."""
    given, folds = split
    shares = np.zeros((len(given), int(given.max()) + 1))
    for fold in range(FOLDS):
        shown, asked = folds != fold, folds == fold
        if asked.any() and len(np.unique(given[shown])) > 1:
            model = made().fit(features[shown], given[shown])
            shares[np.ix_(asked, model.classes_)] = model.predict_proba(features[asked])
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
