"""Finds texts that are one letter apart: in a short text one letter breaks too many character sequences to count as alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

LEAST, MOST = 10, 100
"""Characters of a text: in a shorter one a letter may be the whole difference, in a longer one it breaks few sequences."""
_MOST_ALIKE = 20
"""Of texts that are equal without one of their characters so many are compared."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def mistyped_pairs(plain: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (i < j) of different normalised texts that are `one_letter_apart`; of equal texts the first stands for all.

    Two such texts are equal once a character is left out of the longer one, or of both (as in SymSpell, Garbe 2012). So their
    hashes without each of their characters propose the pairs, one length after the other, and comparing decides.
    """
    first: dict[str, int] = {}
    for index, text in enumerate(plain):
        if LEAST <= len(text) <= MOST:
            first.setdefault(text, index)
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for text in first:
        by_length[len(text)].append(text)
    found = set()
    for length in list(by_length):
        for one, other in _proposed(by_length[length], by_length.get(length - 1, [])):
            if one_letter_apart(one, other):
                low, high = sorted((first[one], first[other]))
                found.add((low, high))
    return sorted(found)


def one_letter_apart(one: str, other: str) -> bool:
    """Whether one is the other with a letter or space more, with another letter, or with two neighbours swapped.

    Digits count for no letters, since another number is another text.
    """
    short, long = sorted((one, other), key=len)
    begin = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    ends = zip(reversed(short[begin:]), reversed(long[begin:]), strict=False)
    same = next((place for place, (a, b) in enumerate(ends) if a != b), len(short) - begin)
    less, more = short[begin : len(short) - same], long[begin : len(long) - same]
    if not all(letter.isalpha() or letter == " " for letter in less + more):
        return False
    return (len(less), len(more)) in ((0, 1), (1, 1)) or (len(less) == 2 and less == more[::-1])


def _proposed(texts: Sequence[str], shorter: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of texts of one length, and of these with some that are a character shorter, that may be one letter apart."""
    whole, without, owners = _hashes(texts)
    less = _hashes(shorter)[0] if shorter else whole[:0]
    everything = [*texts, *shorter]
    owners = np.concatenate((owners, np.arange(len(texts), len(everything))))
    hashes = np.concatenate((without, less))
    order = np.argsort(hashes, kind="stable")
    edges = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]], append=~hashes[order[-1:]]))
    for begin in np.flatnonzero(np.diff(edges) > 1):
        members = np.unique(owners[order[edges[begin] : edges[begin + 1]]])[:_MOST_ALIKE].tolist()
        for one, other in combinations(members, 2):
            yield everything[one], everything[other]


def _hashes(texts: Sequence[str]) -> tuple[Hashes, Hashes, NDArray[np.intp]]:
    """Hashes of texts of one length; those of each without each of its characters that is no digit; and whose these are."""
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(joined, dtype=np.uint32).astype(np.uint64).reshape(len(texts), -1)
    powers = np.cumprod(np.append(np.uint64(1), np.full(codes.shape[1] - 1, _FACTOR)), dtype=np.uint64)[::-1]
    terms = codes * powers
    whole = terms.sum(1, dtype=np.uint64)
    without = whole[:, None] - np.cumsum(terms, axis=1, dtype=np.uint64)
    without[:, 1:] += np.cumsum(codes[:, :-1] * powers[1:], axis=1, dtype=np.uint64)
    letters = (codes < ord("0")) | (codes > ord("9"))
    return whole, without[letters], np.nonzero(letters)[0]
