"""Finds texts that say the same: equal after normalising, or sharing four fifths of their character sequences."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import regex
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

SHINGLE = 5
"""Characters in one shingle."""
THRESHOLD = 0.8
"""Jaccard similarity of the shingles from which two texts count as near-duplicates."""
_LEAST_WORDS = 5
"""Of a text of so many words one is a fifth."""
_MOST_ALIKE = 50
"""Of texts with the same words so many are compared with one more."""
_BANDS, _ROWS = 10, 4
"""At similarity 0.8 one pair in 190 is missed: (1 - 0.8 ** 4) ** 10; at 0.9 one in 43,000."""
_MAX_SHINGLES = 16_000_000
_CHUNK = 2_000_000
_LIKELY = 0.6
"""Similarity of two small samples from which on the whole texts are compared."""
_ENOUGH = 200
"""Shingles of a sample from which on it decides by itself: at similarity 0.8 its standard error is 0.03."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_WORD = r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*"
"""A run of letters and digits; the marks on a letter are part of it, as vowels are in many scripts."""
_SIGN = r"[\p{Sm}\p{Sc}\p{So}^*/#%&]|(?<![\p{L}\p{M}])-(?=\p{N})|(?<!\S)-(?!\S)"
"""A sign that says something: 7 + 5 is not 7 - 5, and C is not C#. A hyphen within a word, or behind one, says nothing."""
_WORDS, _WORDS_AND_SIGNS = regex.compile(_WORD), regex.compile(f"{_WORD}|{_SIGN}")


def normalised(text: str) -> str:
    """The text in lower case, compatibility form, with single spaces and without the punctuation of sentences."""
    return _spaced(_WORDS_AND_SIGNS, text)


def worded(text: str) -> str:
    """The same without signs too, as something is looked for in documents: in Markdown, signs stand around its words."""
    return _spaced(_WORDS, text)


def _spaced(parts: regex.Pattern[str], text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    return " ".join(parts.findall(text.casefold())) or text.strip()


Pairs = Callable[[Sequence[str]], list[tuple[int, int]]]


LARGEST_SHARE = 0.1
"""Of all texts: near-duplicates that together make up more have a template in common."""


def clusters(texts: Sequence[str], groups: Sequence[str], pairs: Pairs | None = None) -> list[list[int]]:
    """Indexes of texts that belong on one side of a split: the same group, equal when normalised, or near-duplicates.

    `groups` are aligned with `texts`; an empty one binds nothing. Near-duplicates are joined through chains, so a
    template that all texts share would join them all: near-duplicates that together make up more than `LARGEST_SHARE`
    of the texts (and more than 20) are taken for such a template and joined only where they are equal.
    Clusters are in the order of their first text, and so are the indexes in them. `pairs` finds near-duplicates among
    normalised texts; None: `near_pairs`.
    """
    plain = [normalised(text) for text in texts]
    same = [*_same(plain), *_same(groups)]
    near = (pairs or near_pairs)(plain)
    joined = _Joined(len(texts), [*same, *near])
    limit = max(20, int(LARGEST_SHARE * len(texts)))
    bound = _Joined(len(texts), same)
    templates = {root for root, members in joined.members().items() if _near_size(members, bound) > limit}
    if templates:
        joined = _Joined(len(texts), [*same, *(pair for pair in near if joined.root(pair[0]) not in templates)])
    return sorted(joined.members().values())


def _near_size(members: Sequence[int], bound: _Joined) -> int:
    """How many different texts were joined by being similar only."""
    return len({bound.root(index) for index in members})


def _same(values: Iterable[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    return [(first.setdefault(value, index), index) for index, value in enumerate(values) if value]


class _Joined:
    """Disjoint sets of the numbers below `size`."""

    def __init__(self, size: int, pairs: Iterable[tuple[int, int]]) -> None:
        self._parent = list(range(size))
        for one, other in pairs:
            low, high = sorted((self.root(one), self.root(other)))
            self._parent[high] = low

    def root(self, index: int) -> int:
        parent = self._parent
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def members(self) -> dict[int, list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            found[self.root(index)].append(index)
        return dict(found)


def near_pairs(plain: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (i < j) of different normalised texts with a Jaccard similarity of shingles of at least `THRESHOLD`.

    MinHash with bands proposes the pairs (Broder 1997; Leskovec, Rajaraman, Ullman, chapter 3) and the exact
    similarity of all their shingles decides, of very many that of a sample, unless a text has too few in it.
    Within a bucket, texts are compared with their neighbours and the first, which joins them all without comparing
    all with all.
    """
    unique = sorted({text: index for index, text in reversed(list(enumerate(plain))) if text}.items())
    if len(unique) < 2:
        return []
    texts, places = zip(*unique, strict=True)
    shingles = _shingles(texts)
    sampled = sum(map(len, texts)) > _MAX_SHINGLES
    found: set[tuple[int, int]] = set()
    tried: set[tuple[int, int]] = set()
    for bucket in _buckets(shingles):
        for one, other in _candidates(bucket):
            if (one, other) not in tried:
                tried.add((one, other))
                few = sampled and min(len(shingles[one]), len(shingles[other])) < _ENOUGH
                alike = _similar(shingles[one], shingles[other], _LIKELY if few else THRESHOLD)
                if alike and (not few or _share_most(texts[one], texts[other])):
                    found.add((min(places[one], places[other]), max(places[one], places[other])))
    return sorted(found)


def reworded_pairs(plain: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (i < j) of different normalised texts of at least five words that are made of the same words in another order, or of
    the same and one more: in a short text such an edit changes most character sequences.
    """
    bags = [Counter(text.split()) for text in plain]
    sums = [sum(hash(word) * count for word, count in bag.items()) for bag in bags]
    same: defaultdict[int, list[int]] = defaultdict(list)
    for index, (bag, total) in enumerate(zip(bags, sums, strict=True)):
        if bag.total() >= _LEAST_WORDS - 1:
            same[total].append(index)
    found = set()
    for index, (bag, total) in enumerate(zip(bags, sums, strict=True)):
        if bag.total() < _LEAST_WORDS:
            continue
        for left_out in (None, *bag):
            rest = bag if left_out is None else bag - Counter([left_out])
            for other in same.get(total if left_out is None else total - hash(left_out), ())[:_MOST_ALIKE]:
                if plain[other] != plain[index] and bags[other] == rest:
                    found.add((min(index, other), max(index, other)))
    return sorted(found)


def _candidates(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    for position in range(1, len(bucket)):
        yield bucket[position - 1], bucket[position]
        if position > 1:
            yield bucket[0], bucket[position]


def _similar(one: Hashes, other: Hashes, least: float = THRESHOLD) -> bool:
    small, large = sorted((len(one), len(other)))
    if small < least * large:
        return False
    joined = np.concatenate((one, other))
    joined.sort()
    common = int(np.count_nonzero(joined[1:] == joined[:-1]))
    return common >= least * (small + large - common)


def _share_most(one: str, other: str) -> bool:
    """The same of whole texts."""
    first, second = (
        {text[start : start + SHINGLE] for start in range(max(1, len(text) - SHINGLE + 1))} for text in (one, other)
    )
    return len(first & second) >= THRESHOLD * len(first | second)


def _shingles(texts: Sequence[str]) -> list[Hashes]:
    """The distinct hashed shingles of each text, sorted; of very many a random part, the same one for all texts."""
    total = sum(len(text) for text in texts)
    kept_share = min(1.0, _MAX_SHINGLES / max(total, 1))
    limit = np.uint64(min(int(kept_share * 2**64), 2**64 - 1))
    found: list[Hashes] = []
    start = 0
    while start < len(texts):
        end, size = start, 0
        while end < len(texts) and (end == start or size + len(texts[end]) <= _CHUNK):
            size += len(texts[end])
            end += 1
        found.extend(_hashed(texts[start:end], limit))
        start = end
    return found


def _hashed(texts: Sequence[str], limit: np.uint64) -> list[Hashes]:
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    hashes = np.zeros(len(codes) - SHINGLE + 1, dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = hashes * _FACTOR + codes[offset : len(codes) - SHINGLE + 1 + offset]
    hashes = _mixed(hashes)
    found, start = [], 0
    for text in padded:
        own = np.unique(hashes[start : start + len(text) - SHINGLE + 1])
        found.append(own[own <= limit])
        start += len(text)
    return found


def _mixed(hashes: Hashes) -> Hashes:
    """The finaliser of SplitMix64: every bit of the input moves every bit of the output."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _buckets(shingles: Sequence[Hashes]) -> Iterator[list[int]]:
    """Groups of texts, at least two, that agree in all rows of one band of their MinHash signatures."""
    filled = [index for index, own in enumerate(shingles) if len(own)]
    if len(filled) < 2:
        return
    joined: Hashes = np.concatenate([shingles[index] for index in filled])
    starts = np.cumsum([0, *(len(shingles[index]) for index in filled[:-1])])
    random = np.random.default_rng(20)
    for _ in range(_BANDS):
        keys = np.zeros(len(filled), dtype=np.uint64)
        for _ in range(_ROWS):
            odd = np.uint64(int(random.integers(0, 2**63)) * 2 + 1)
            keys = _mixed(keys * _FACTOR + np.minimum.reduceat(_reordered(joined, odd), starts))
        yield from ([filled[place] for place in bucket] for bucket in _alike(keys))


def _alike(keys: Hashes) -> Iterator[list[int]]:
    """Places of equal keys, where there are at least two of them, in ascending order."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]], append=~keys[order[-1:]]))
    for first in np.flatnonzero(np.diff(edges) > 1):
        yield order[edges[first] : edges[first + 1]].tolist()


def _reordered(hashes: Hashes, odd: np.uint64) -> Hashes:
    """Another order of the same hashes: a multiplication by an odd number, the high bits folded into the low ones."""
    turned = hashes * odd
    return (turned ^ (turned >> np.uint64(32))) * odd
