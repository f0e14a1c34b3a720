"""FAISS indexes over unit vectors: exact up to a stated size, an HNSW graph above it that has shown that it finds the same."""

from __future__ import annotations

import logging
from typing import Any

EXACT = 200_000
"""Vectors up to which every one is compared: building a graph costs more there than the searches of a run save."""
LINKS, EFFORT_BUILDING = 32, 128
EFFORTS = (64, 128, 256, 512)
"""Candidates that a search keeps; the first that is good enough is taken."""
RECALL, NEIGHBOURS, SAMPLE = 0.98, 10, 200
"""Share of the ten nearest that the graph has to find, over a sample of the vectors themselves."""


def vector_index(vectors: Any) -> Any:
    """An index by inner product over float32 vectors of shape (number, dimension)."""
    return flat_index(vectors) if len(vectors) <= EXACT else graph_index(vectors)


def flat_index(vectors: Any) -> Any:
    """Compares every vector."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def graph_index(vectors: Any) -> Any:
    """An HNSW graph with the least effort that finds `RECALL` of what the exact index finds; else the exact one."""
    import faiss

    exact = flat_index(vectors)
    graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = EFFORT_BUILDING
    graph.add(vectors)
    asked = vectors[:: max(1, len(vectors) // SAMPLE)]
    wanted = exact.search(asked, NEIGHBOURS)[1]
    for effort in EFFORTS:
        graph.hnsw.efSearch = effort
        if recall(graph.search(asked, NEIGHBOURS)[1], wanted) >= RECALL:
            return graph
    logging.getLogger(__name__).warning("the graph of %d vectors misses neighbours; all are compared", len(vectors))
    return exact


def recall(found: Any, wanted: Any) -> float:
    """Share of the wanted neighbours, (queries, k) places each, that were found."""
    pairs = zip(found.tolist(), wanted.tolist(), strict=True)
    hits = sum(len(set(row) & set(right)) for row, right in pairs)
    return hits / max(1, int(wanted.size))
