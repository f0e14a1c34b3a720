"""FAISS indexes over unit vectors: exact up to a stated size, above it in lists of which as many are read as it takes."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from math import isqrt
from typing import Any

from strategies.contract import Embedder, Prompted

EXACT = 200_000
"""Vectors up to which every one is compared: putting them into lists costs more there than the searches of a run save."""
TRAINING, FOR_EACH = 100_000, 39
"""Vectors of which the middles of the lists are made, and how many of them FAISS wants for each list at least."""
SLICE = 50_000
"""Vectors that are made, or put into lists, at a time."""
FEWEST = 8
"""Lists that a search reads at first; twice as many until it is good enough."""
RECALL, NEIGHBOURS, SAMPLE = 0.98, 10, 200
"""Share of the ten nearest that has to be found, over a sample of the vectors themselves."""


def embedded(texts: Sequence[str], embedder: Embedder, prompt: str | None = None) -> Any:
    """float32 vectors of shape (texts, dimension), of texts behind a prompt where there is one."""
    if prompt is None or not isinstance(embedder, Prompted):
        return embedder.embed(texts)
    return embedder.embed_behind(prompt, texts)


def vectors_of(texts: Sequence[str], embedder: Embedder, prompt: str | None = None) -> Any:
    """As `embedded`. More than `EXACT` lie in a file that is gone with the last who maps it, so that the copy in an index over
    them is the only one in memory. Raises `OSError` where the disk has no room."""
    import numpy as np

    if len(texts) <= EXACT:
        return embedded(texts, embedder, prompt)
    with tempfile.TemporaryFile(prefix="vectors-") as file:
        for start in range(0, len(texts), SLICE):
            part = embedded(texts[start : start + SLICE], embedder, prompt)
            np.ascontiguousarray(part, np.float32).tofile(file)
        file.flush()
        return np.memmap(file, np.float32, "r").reshape(len(texts), -1)


def vector_index(vectors: Any) -> Any:
    """An index by inner product over float32 vectors of shape (number, dimension), which may be mapped from a file."""
    return flat_index(vectors) if len(vectors) <= EXACT else lists_index(vectors)


def flat_index(vectors: Any) -> Any:
    """Compares every vector."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def lists_index(vectors: Any) -> Any:
    """Vectors in lists around middles (IVF, Jegou, Douze and Schmid, 2011), of which a search reads the nearest.

    They are as few as find `RECALL` of what comparing all of them finds; in the worst case all. Beside the vectors that
    are given there is one copy of them, in the index.
    """
    import faiss

    number, width = vectors.shape
    sample = vectors[_spread(number, TRAINING)]
    lists = max(1, min(2 * isqrt(number), len(sample) // FOR_EACH))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.train(sample)
    del sample
    _fill(index, vectors)
    asked = vectors[_spread(number, SAMPLE)]
    _, wanted = faiss.knn(asked, vectors, min(NEIGHBOURS, number), metric=faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(FEWEST, lists)
    while index.nprobe < lists and recall(index.search(asked, wanted.shape[1])[1], wanted) < RECALL:
        index.nprobe = min(2 * index.nprobe, lists)
    if index.nprobe == lists:
        logging.getLogger(__name__).warning("lists of %d vectors miss neighbours; all are compared", number)
    return index


def search(index: Any, vectors: Any, k: int, without: Sequence[int] = ()) -> Any:
    """(similarities, places) of the `k` nearest of each vector, as if those in the places `without` were not there."""
    import faiss
    import numpy as np

    if not without:
        return index.search(vectors, k)
    others = faiss.IDSelectorNot(faiss.IDSelectorBatch(np.asarray(without, np.int64)))
    asked: Any = faiss.SearchParameters()
    if isinstance(index, faiss.IndexIVF):
        asked = faiss.SearchParametersIVF()
        asked.nprobe = index.nprobe
    asked.sel = others
    return index.search(vectors, k, params=asked)


def _fill(index: Any, vectors: Any) -> None:
    """Puts each vector into the list of its nearest middle. Lists get their room first: growing, they would take half more."""
    import faiss
    import numpy as np

    slices = [
        np.ascontiguousarray(vectors[start : start + SLICE], np.float32) for start in range(0, len(vectors), SLICE)
    ]
    places = [np.ascontiguousarray(index.quantizer.search(each, 1)[1][:, 0]) for each in slices]
    for place, size in enumerate(np.bincount(np.concatenate(places), minlength=index.nlist).tolist()):
        index.invlists.resize(place, size)
        index.invlists.resize(place, 0)
    for each, where in zip(slices, places, strict=True):
        index.add_core(len(each), faiss.swig_ptr(each), None, faiss.swig_ptr(where))


def _spread(number: int, most: int) -> Any:
    """Places of at most so many, evenly spread."""
    import numpy as np

    return np.linspace(0, number - 1, min(number, most)).astype(np.int64)


def recall(found: Any, wanted: Any) -> float:
    """Share of the wanted neighbours, (queries, k) places each, that were found."""
    pairs = zip(found.tolist(), wanted.tolist(), strict=True)
    hits = sum(len(set(row) & set(right)) for row, right in pairs)
    return hits / max(1, int(wanted.size))
