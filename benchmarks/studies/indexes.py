"""How large sets of passages are best searched: recall, memory and processor seconds of each kind of index, one a process.

`python -m benchmarks.studies.indexes lists 100000` prints one line of JSON; `exact`, `graph` (HNSW) and `lists` (IVF) are
compared, over vectors `shaped` as those of texts are or, as a third argument, `even`, which is as hard as it can be.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from strategies.retrieval.vectors import RECALL, SAMPLE, flat_index, lists_index, recall

WIDTH = 384
"""That of the default embedder."""
GROUPS, DIRECTIONS = 500, 32
"""Vectors of shape lie around so many middles, and differ in so many directions but for a tenth of noise."""
SLICE = 50_000
QUERIES = 1_000
LINKS, BUILDING = 32, 128
EFFORTS = (64, 128, 256, 512)


def graph_index(vectors: Any) -> Any:
    """An HNSW graph, as it was used until lists took its place: with the least effort that finds `RECALL`."""
    import faiss

    graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = BUILDING
    graph.add(vectors)
    asked = np.ascontiguousarray(vectors[:: len(vectors) // SAMPLE])
    _, wanted = faiss.knn(asked, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    for effort in EFFORTS:
        graph.hnsw.efSearch = effort
        if recall(graph.search(asked, 10)[1], wanted) >= RECALL:
            break
    return graph


INDEXES: Mapping[str, Callable[[Any], Any]] = {"exact": flat_index, "graph": graph_index, "lists": lists_index}


def made(number: int, shape: str, seed: int) -> Any:
    """Unit vectors; those of one shape with another seed are others of the same."""
    frame, dice = np.random.default_rng(0), np.random.default_rng(seed)
    if shape == "even":
        vectors = dice.normal(size=(number, WIDTH))
    else:
        middles = frame.normal(size=(GROUPS, DIRECTIONS))
        directions = frame.normal(size=(DIRECTIONS, WIDTH)) / WIDTH**0.5
        inner = middles[dice.integers(0, GROUPS, number)] + 0.7 * dice.normal(size=(number, DIRECTIONS))
        vectors = inner @ directions + 0.1 * dice.normal(size=(number, WIDTH))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def written(path: Path, number: int, shape: str) -> None:
    """A matrix on disk, made a slice at a time."""
    matrix = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(number, WIDTH))
    for place, start in enumerate(range(0, number, SLICE)):
        stop = min(number, start + SLICE)
        matrix[start:stop] = made(stop - start, shape, 1 + place)
    matrix.flush()


def measured(kind: str, vectors: Any, shape: str) -> dict[str, Any]:
    import faiss

    faiss.omp_set_num_threads(1)
    before = _resident("RssAnon")
    start = time.process_time()
    index = INDEXES[kind](vectors)
    built = time.process_time() - start
    asked = made(QUERIES, shape, -1 % 2**32)
    start = time.process_time()
    found = [index.search(asked[place : place + 1], 10)[1][0] for place in range(QUERIES)]
    search = (time.process_time() - start) / QUERIES
    _, wanted = faiss.knn(asked, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    return {
        "index": kind,
        "vectors": len(vectors),
        "shape": shape,
        "build s": round(built, 1),
        "recall@10": round(recall(np.array(found), wanted), 4),
        "search ms": round(1000 * search, 2),
        "index MB": round(_resident("RssAnon") - before),
        "peak MB": round(_resident("VmHWM")),
        "vectors MB": round(vectors.nbytes / 1e6),
        "reads": [getattr(index, "nprobe", None), getattr(index, "nlist", None)],
    }


def _resident(what: str) -> float:
    """MB of this process, as Linux tells it; what is mapped from files counts into `VmHWM`, not into `RssAnon`."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024 / 1e6


def main(kind: str, number: str, shape: str = "shaped") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        written(path, int(number), shape)
        print(json.dumps(measured(kind, np.load(path, mmap_mode="r", allow_pickle=False), shape)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
