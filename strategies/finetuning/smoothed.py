"""What is to be learnt at each token of an answer: that token and, with a share, those with which other answers go on there.

Label smoothing (Szegedy et al., arXiv 1512.00567) over the answers that there are, not over the vocabulary: a token that is
the only one possible stays certain, so that a label is no less likely for being long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from strategies.finetuning.packs import Encoded


class Targets(NamedTuple):
    """The tokens that are wanted at each of n positions, at most k of them, and their shares, which add up to one."""

    tokens: Any
    """(n, k)"""
    shares: Any
    """(n, k), float32; 0 where there are fewer than k."""

    @classmethod
    def of(cls, rows: Sequence[Encoded], smoothing: float, device: Any) -> Targets:
        """Those of all tokens that are learnt of the rows, in their order."""
        import torch

        wanted = [token for row in rows for token in row.wanted]
        others = [found for row in rows for found in row.others or ((),) * len(row.learnt)]
        width = 1 + max(map(len, others), default=0)
        tokens = [
            [token, *found, *[token] * (width - 1 - len(found))] for token, found in zip(wanted, others, strict=True)
        ]
        shares = [_shares(len(found), smoothing, width) for found in others]
        return cls(torch.tensor(tokens, device=device), torch.tensor(shares, device=device))


def _shares(others: int, smoothing: float, width: int) -> list[float]:
    """Those of the wanted token, of the others, and of what fills the row."""
    each = smoothing / (1 + others) if others else 0.0
    return [1.0 - others * each, *[each] * others, *[0.0] * (width - 1 - others)]


def with_others(rows: Sequence[Encoded], among: Sequence[Encoded]) -> list[Encoded]:
    """The rows with the tokens that answers of the other rows have at each place, behind the same beginning of an answer."""
    follow: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)
    for row in among:
        for before, token in _steps(row):
            follow[before].add(token)
    return [
        replace(row, others=tuple(tuple(sorted(follow[before] - {token})) for before, token in _steps(row)))
        for row in rows
    ]


def _steps(row: Encoded) -> list[tuple[tuple[int, ...], int]]:
    """Of each token that is learnt what stands before it in its answer, and the token."""
    return [(row.ids[first:place], row.ids[place]) for first, last in row.spans for place in range(first, last)]
