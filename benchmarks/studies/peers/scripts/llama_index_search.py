"""Looks documents up with llama-index: its sentence splitter, embeddings and BM25, and the fusion of the two by rank.

    python llama_index_search.py WORK.json FOUND.json

Both ways are tried on the examples, and the one that finds their document among the first five more often answers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

DEEPEST, JUDGED, POOL, TRIED = 10, 5, 50, 150
"""Documents that are told of, and by how many of them the ways are compared; passages that are looked at; examples."""
PACKAGES = ("llama-index-core", "llama-index-embeddings-huggingface", "llama-index-retrievers-bm25", "torch")


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.perf_counter()
    best, way, hits = chosen(work)
    fitting = time.perf_counter() - start
    answers = [documents(way, case["input"]) for case in work["heldout"]]
    found = {
        "found": answers,
        "seconds": {"fitting": fitting, "answering": time.perf_counter() - start - fitting},
        "settings": {"way": best, "hits": hits},
        "versions": {name: version(name) for name in PACKAGES},
    }
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def chosen(work: dict[str, Any]) -> tuple[str, Any, dict[str, int]]:
    """The way that finds the documents of more examples: its name, itself, and how many each finds."""
    ways = retrievers(work)
    cases = [case for case in work["examples"] if case["document_ids"]][:TRIED]
    hits = {name: sum(hit(documents(way, case["input"]), case) for case in cases) for name, way in ways.items()}
    best = max(hits, key=lambda name: hits[name])
    return best, ways[best], hits


def hit(found: Sequence[str], case: dict[str, Any]) -> bool:
    return any(name in case["document_ids"] for name in found[:JUDGED])


def documents(way: Any, text: str) -> list[str]:
    """Ids of the documents that are found, the best first, each once."""
    return list(dict.fromkeys(node.node.ref_doc_id for node in way.retrieve(text)))[:DEEPEST]


def retrievers(work: dict[str, Any]) -> dict[str, Any]:
    import torch
    from llama_index.core import Document, VectorStoreIndex  # type: ignore[import-not-found]
    from llama_index.core.llms import MockLLM  # type: ignore[import-not-found]
    from llama_index.core.node_parser import SentenceSplitter  # type: ignore[import-not-found]
    from llama_index.core.retrievers import QueryFusionRetriever  # type: ignore[import-not-found]
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # type: ignore[import-not-found]
    from llama_index.retrievers.bm25 import BM25Retriever  # type: ignore[import-not-found]

    torch.set_num_threads(work["threads"])
    embedder = HuggingFaceEmbedding(model_name=work["embedder"], device="cpu", embed_batch_size=32)
    # The splitter's chunks are cut to what the embedder reads, with the overlap that it has where nothing is said.
    splitter = SentenceSplitter(chunk_size=256, chunk_overlap=20)
    texts = [Document(text=f"{each['title']}\n{each['text']}".strip(), doc_id=each["id"]) for each in work["documents"]]
    nodes = splitter.get_nodes_from_documents(texts)
    dense = VectorStoreIndex(nodes, embed_model=embedder).as_retriever(similarity_top_k=POOL)
    words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=POOL)
    fused = QueryFusionRetriever(
        [dense, words],
        llm=MockLLM(),
        mode="reciprocal_rerank",
        similarity_top_k=POOL,
        num_queries=1,
        use_async=False,
    )
    return {"dense": dense, "hybrid": fused}


if __name__ == "__main__":
    main()
