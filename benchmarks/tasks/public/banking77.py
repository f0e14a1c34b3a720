"""banking77: messages to a bank, 77 intents that are easily confused."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source

_FILES = {"train": "banking_data/train.csv", "test": "banking_data/test.csv"}


def _rows(files: Mapping[str, bytes]) -> Parts:
    return {part: _part(part, files[path].decode("utf-8-sig")) for part, path in _FILES.items()}


def _part(part: str, text: str) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [
        {"id": f"banking77-{part}-{number}", "input": row["text"], "output": row["category"]}
        for number, row in enumerate(rows)
    ]


DATASET = PublicDataset(
    name="banking77",
    kind="classification",
    instruction="A customer wrote this message to the support of an online bank. Name the one intent of the message.",
    metric="accuracy",
    licence="CC BY 4.0",
    source=Source(
        repository="PolyAI-LDN/task-specific-datasets",
        commit="57ec275d8078af65b7731c2a98be812d844a6d6b",
        paths=tuple(_FILES.values()),
        convert=_rows,
        least_rows=13_083,
        hashes={"test": "baba19b3f9e298e402f322e3589910975fa9440599105327518ed1db709b17f3"},
    ),
)
