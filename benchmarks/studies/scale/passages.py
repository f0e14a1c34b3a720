"""A million passages: what an index over them takes beside their vectors, what of an exact search it finds, and how fast."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.studies.settings import ROOT
from strategies.contract import Document

PASSAGES, QUERIES, NEIGHBOURS = 1_000_000, 500, 10
WIDTH = 384
"""That of the default embedder, which would take hours for so many: hashes of words take its place."""
ASKED = 8
"""Words of a passage that make a query."""
TEXTS = (("nq_open_oracle", "docs.jsonl"), ("pubmedqa", "docs.jsonl"), ("e2e_nlg", "train.jsonl"))
"""Where the words come from: files of public datasets."""


@dataclass(frozen=True, kw_only=True)
class Hashed:
    """Sums a random vector for each word (`contract.Embedder`)."""

    name: str = "hashes of words"
    fingerprint: str = "hashes-of-words-384"

    def embed(self, texts: Sequence[str]) -> Any:
        rows = np.zeros((len(texts), WIDTH), np.float32)
        for place, text in enumerate(texts):
            rows[place] = _vectors()[[zlib.crc32(word.encode()) % 50_000 for word in text.split()]].sum(axis=0)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@cache
def _vectors() -> Any:
    return np.random.default_rng(0).normal(size=(50_000, WIDTH)).astype(np.float32)


def documents(number: int) -> Iterator[Document]:
    """Each the beginnings of two sentences of the public texts."""
    from benchmarks.tasks import find

    sentences: list[list[str]] = []
    for name, file in TEXTS:
        task = find(name)
        assert task is not None
        _, folder = task.open()
        for line in (folder / file).open(encoding="utf-8"):
            row = json.loads(line)
            sentences += [each.split()[:16] for each in (row.get("text") or row["output"]).split(". ")]
    dice = random.Random(0)
    for place in range(number):
        yield Document(id=str(place), text=" ".join(dice.choice(sentences) + dice.choice(sentences)))


def measured(number: int) -> dict[str, Any]:
    """The row of an index over so many passages, made as a fit of retrieval makes it."""
    import faiss

    from strategies.retrieval.index import PassageIndex
    from strategies.retrieval.vectors import recall

    faiss.omp_set_num_threads(1)
    texts = list(documents(number))
    _vectors()
    before, clock = _mb("RssAnon"), time.perf_counter()
    index = PassageIndex.build(texts, Hashed())
    built = time.perf_counter() - clock
    dice = random.Random(1)
    asked = [" ".join(dice.choices(dice.choice(texts).text.split(), k=ASKED)) for _ in range(QUERIES)]
    clock = time.perf_counter()
    index.search(asked, NEIGHBOURS)
    searched = (time.perf_counter() - clock) / QUERIES
    vectors = index.embedder.embed(asked)
    _, wanted = faiss.knn(vectors, index.vectors, NEIGHBOURS, metric=faiss.METRIC_INNER_PRODUCT)
    return {
        "passages": len(index.passages),
        "build_s": round(built, 1),
        "search_ms": round(1000 * searched, 2),
        "recall": round(recall(index.near.search(vectors, NEIGHBOURS)[1], wanted), 4),
        "vectors_mb": round(index.vectors.nbytes / 1e6),
        "texts_mb": round(before),
        "beside_mb": round(_mb("RssAnon") - before),
        "most_mb": round(_mb("VmHWM")),
    }


def apart(number: int = PASSAGES) -> dict[str, Any]:
    """The same in a process of its own, whose memory is that of the index."""
    command = [sys.executable, "-m", "benchmarks.studies.scale.passages", str(number)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _mb(what: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))), flush=True)
