"""How many of a finite number have what was found among some that were drawn from them."""

from __future__ import annotations

import numpy as np


def drawn_interval(k: int, n: int, of: int) -> tuple[int, int]:
    """The two-sided 95 % interval of how many of `of` have what `k` of `n` have that were drawn from them without replacement.

    It holds the numbers that neither tail of the hypergeometric distribution speaks against, so it is exact as that of Clopper
    and Pearson, and narrower where much was drawn.
    """
    from scipy.stats import hypergeom

    possible = np.arange(k, of - n + k + 1)
    few, many = hypergeom.sf(k - 1, of, possible, n), hypergeom.cdf(k, of, possible, n)
    held = possible[(few > 0.025) & (many > 0.025)]
    return int(held[0]), int(held[-1])
