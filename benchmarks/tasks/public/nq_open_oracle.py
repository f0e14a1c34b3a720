"""nq_open_oracle: questions that people asked a search engine, with the passages that answer them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source, drawn

_FILE = "qa_data/nq-open-oracle.jsonl.gz"
_PUBLISHED = 2_655
_EXAMPLES = 1_155


def _rows(files: Mapping[str, bytes]) -> Parts:
    # Not splitlines: a text may hold characters that it takes for the end of a line.
    records = [json.loads(line) for line in files[_FILE].decode("utf-8").split("\n") if line.strip()]
    documents: dict[tuple[str, str], dict[str, str]] = {}
    cases = [_case(record, _document(record, documents)) for record in records]
    examples = set(drawn(len(cases), len(cases) * _EXAMPLES // _PUBLISHED))
    return {
        "train": _numbered("train", [case for place, case in enumerate(cases) if place in examples]),
        "test": _numbered("test", [case for place, case in enumerate(cases) if place not in examples]),
        "docs": list(documents.values()),
    }


def _document(record: Mapping[str, Any], documents: dict[tuple[str, str], dict[str, str]]) -> str:
    """The id of the one passage of a question, which is added to `documents` unless another question had it before."""
    (passage,) = record["ctxs"]
    title, text = passage["title"], passage["text"]
    new = {"id": f"nq-{len(documents)}", "title": _one_line(title), "text": _one_line(text)}
    return documents.setdefault((title, text), new)["id"]


def _case(record: Mapping[str, Any], document: str) -> dict[str, Any]:
    answers = list(record["answers"])
    return {"input": record["question"], "output": answers[0], "answers": answers, "doc_ids": [document]}


def _numbered(part: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": f"nq_open_oracle-{part}-{number}", **case} for number, case in enumerate(cases)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


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
        paths=(_FILE,),
        convert=_rows,
        least_rows=_PUBLISHED,
        hashes={"test": "2c9b720f47b1703c9a07100ee17fe6591711782555b0a30262f6d6e95fe5cce4"},
    ),
)
