"""A linear adapter for questions: a matrix that moves their vectors towards the passages which examples name as right.

The passages stay as they are, so that one index serves with and without it. It finds more where examples have asked about the
same documents, and elsewhere about as much (LOG.md), so whether it is used is chosen on examples (`strategies/finding.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from strategies.contract import Case, Evidence
from strategies.prompting.demonstrations import Founded, Shown

if TYPE_CHECKING:
    from strategies.retrieval.index import PassageIndex

FEWEST, MOST = 20, 600
"""Examples whose passages are known: from how many on an adapter is learnt, and of how many at most."""
RIVALS = 20
"""Nearest passages of each example that its right ones are held against, with those of all other examples."""
TEMPERATURE, PENALTY, STEPS = 0.05, 1.0, 50
"""What similarities are divided by, the weight of the matrix's squares beside the sum over the examples, and steps of L-BFGS."""


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
    """The matrix under which the right passages have most of a softmax over all of them; 0 is where it begins.

    Right ones count together: which of several it is does not matter (as in dense retrieval with several positives)."""
    import torch
    from torch.nn.functional import normalize

    questions, others, right = (torch.from_numpy(each) for each in (asked, passages, wanted))
    matrix = torch.zeros(questions.shape[1], questions.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([matrix], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimizer.zero_grad()
        scores = normalize(questions + questions @ matrix, dim=1) @ others.T / TEMPERATURE
        missed = scores.logsumexp(1) - scores.masked_fill(~right, -torch.inf).logsumexp(1)
        value = missed.sum() + PENALTY * matrix.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return matrix.detach().numpy()
