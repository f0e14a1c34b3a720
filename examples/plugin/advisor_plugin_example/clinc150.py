"""A dataset: what people say to an assistant, each with one of 150 intents, run by the name `clinc150`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source

_FILE = "data/data_small.json"


def _rows(files: Mapping[str, bytes]) -> Parts:
    """Examples and held-out cases as they were published; what was said outside of the intents is left out."""
    published = json.loads(files[_FILE])
    return {
        part: [
            {"id": f"{part}-{number}", "input": text, "output": intent}
            for number, (text, intent) in enumerate(published[part])
        ]
        for part in ("train", "test")
    }


DATASET = PublicDataset(
    name="clinc150",
    kind="classification",
    instruction="Somebody says this to an assistant. Which of the intents is it?",
    metric="accuracy",
    licence="CC BY 3.0",
    source=Source(
        repository="clinc/oos-eval",
        commit="48a0e1cff8f43dd4d0836ecb4ed5df08733e3d2e",
        paths=(_FILE,),
        convert=_rows,
        least_rows=12_000,
    ),
)
