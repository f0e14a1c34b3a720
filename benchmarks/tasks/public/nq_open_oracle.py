"""nq_open_oracle: questions that people asked a search engine, with the passages that answer them."""

from __future__ import annotations

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Source

DATASET = PublicDataset(
    name="nq_open_oracle",
    kind="qa",
    instruction="Answer the question with a name, a date, a number or a few words, not with a sentence.",
    metric="exact_match",
    documents=True,
    licence="CC BY-SA 3.0",
    source=Source(
        repository="nelson-liu/lost-in-the-middle",
        commit="29b8a6d042ce29abccee3db1a73171a107d7e6af",
        paths=("qa_data/nq-open-oracle.jsonl.gz",),
    ),
)
