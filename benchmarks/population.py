"""Whether two sets of texts are drawn from the same place: how well a classifier tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.grouping import Floats
from benchmarks.sample_size import share_above
from strategies.contract import Embedder

POPULATION = "population"
"""Key of the store under which the comparison with real requests stands."""
MOST = 1_000
"""Texts of each set that are looked at."""
FEWEST = 40
"""With fewer nothing can be told."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """How a classifier did on texts that it was not shown, half of them of each set."""

    one: str
    other: str
    """What the sets are called in a sentence."""
    texts: int
    """That it was asked about."""
    share: float
    """That it put on the right side; half of them is chance."""
    p_value: float
    """Exact, one-sided, of its being no better than chance."""

    @property
    def differ(self) -> bool:
        return self.p_value <= 0.01


def apart(
    names: tuple[str, str], texts: tuple[Sequence[str], Sequence[str]], embedder: Embedder, seed: int
) -> Apart | None:
    """Fits a logistic regression on the embeddings of one half of the texts and asks it about the other half.

    The same number of each set, distinct texts only. None where a set has too few. Source: Lopez-Paz and Oquab,
    arXiv 1610.06545.
    """
    rng = np.random.default_rng(seed)
    sets = [list(dict.fromkeys(each)) for each in texts]
    size = min(MOST, *map(len, sets)) // 2 * 2
    if size < FEWEST:
        return None
    drawn = [[each[place] for place in rng.permutation(len(each))[:size]] for each in sets]
    vectors: list[Floats] = [np.asarray(embedder.embed(each), dtype=np.float64) for each in drawn]
    right = _right([each[: size // 2] for each in vectors], [each[size // 2 :] for each in vectors])
    return Apart(one=names[0], other=names[1], texts=size, share=right / size, p_value=share_above(right, size, 0.5))


def _right(shown: Sequence[Floats], asked: Sequence[Floats]) -> int:
    from sklearn.linear_model import LogisticRegression

    sides = np.repeat([0, 1], [len(shown[0]), len(shown[1])])
    model = LogisticRegression(C=3.0, max_iter=2000).fit(np.vstack(list(shown)), sides)
    return sum(int(np.sum(model.predict(part) == side)) for side, part in enumerate(asked))
