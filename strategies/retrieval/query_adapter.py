"""A linear adapter for questions: a matrix that moves their vectors towards the passages which examples name as right.

The passages stay as they are, so that one index serves with and without it. It finds more where examples have asked about the
same documents, and elsewhere about as much (LOG.md), so whether it is used is chosen on examples (`strategies/finding.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from strategies.contract import Case, Evidence
from strategies.prompting.demonstrations import Founded, Shown

if TYPE_CHECKING:
    from strategies.retrieval.index import PassageIndex

FEWEST, MOST = 20, 600
"""Examples whose passages are known: from how many on an adapter is learnt, and of how many at most."""
RIVALS = 20
"""Nearest passages of each example that its right ones are held against, with those of all other examples."""
TEMPERATURE, PENALTY, STEPS = 0.05, 1.0, 10
"""What similarities are divided by, the weight of the matrix's squares beside the sum over the examples, and steps of L-BFGS, of
which more find no more (LOG.md)."""


def adapted(vectors: Any, adapter: Any) -> Any:
    """float32 unit vectors of shape (texts, dimension), moved by an adapter of shape (dimension, dimension)."""
    import numpy as np

    moved = vectors + vectors @ adapter
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12), np.float32)


def learnt(index: PassageIndex, cases: Sequence[Case], tell: Founded) -> Any | None:
    """float32 array of shape (dimension, dimension), to be added to the identity; None where too few examples name passages.

    `tell` says whether a passage is one that the answer of an example rests on, asked of the documents that it names.
    """
    import numpy as np

    right = _right(index, cases, tell)
    if len(right) < FEWEST:
        return None
    if len(right) > MOST:
        right = [right[place * len(right) // MOST] for place in range(MOST)]
    asked = index.asked([case.input for case, _ in right])
    _, nearest = index.near.search(asked, min(RIVALS, len(index.passages)))
    near = {place for place in nearest.ravel().tolist() if place >= 0}
    shown = sorted(near.union(*(places for _, places in right)))
    wanted = np.array([np.isin(shown, places) for _, places in right])
    return _solved(asked, np.asarray(index.vectors[shown], np.float32), wanted)


def _right(index: PassageIndex, cases: Sequence[Case], tell: Founded) -> list[tuple[Case, list[int]]]:
    """The examples that name documents which bear them out, each with the places of the passages that do."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, passage in enumerate(index.passages):
        places[passage.document_id].append(place)

    def bears_out(case: Case, place: int) -> bool:
        passage = index.passages[place]
        evidence = Evidence(document_id=passage.document_id, text=passage.text, score=0.0)
        return tell(Shown(case, (evidence,)))

    known = ((case, [place for name in index.named.all_of(case) for place in places[name]]) for case in cases)
    kept = ((case, [place for place in own if bears_out(case, place)]) for case, own in known)
    return [(case, own) for case, own in kept if own]


def _solved(asked: Any, passages: Any, wanted: Any) -> Any:
    """The matrix under which the right passages have most of a softmax over all of them; the search for it begins at 0.

    Right ones count together: which of several it is does not matter. Questions and passages are rows of float32 vectors;
    `wanted` says of each question which passages are right.
    """
    import numpy as np
    from scipy.optimize import minimize

    size = asked.shape[1]

    def loss(flat: Any) -> tuple[float, Any]:
        matrix = flat.reshape(size, size).astype(np.float32)
        moved = asked + asked @ matrix
        length = np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        turned = moved / length
        marks = turned @ passages.T / TEMPERATURE
        every, right = _shares(marks), _shares(np.where(wanted, marks, -np.inf))
        pull = (every.values - right.values) @ passages / TEMPERATURE
        slope = asked.T @ ((pull - (pull * turned).sum(1, keepdims=True) * turned) / length)
        value = float((every.logs - right.logs).sum()) + PENALTY * float(flat @ flat)
        return value, slope.astype(np.float64).ravel() + 2 * PENALTY * flat

    found = minimize(loss, np.zeros(size * size), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return found.x.reshape(size, size).astype(np.float32)


class _Shares(NamedTuple):
    """A softmax over each row, and the logarithm of what its exponentials sum to."""

    values: Any
    logs: Any


def _shares(marks: Any) -> _Shares:
    import numpy as np

    top = marks.max(axis=1, keepdims=True)
    values = np.exp(marks - top)
    sums = values.sum(axis=1, keepdims=True)
    return _Shares(values / sums, (top + np.log(sums))[:, 0])
