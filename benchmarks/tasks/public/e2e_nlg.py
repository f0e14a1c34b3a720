"""e2e_nlg: facts about a restaurant as a sentence, with several accepted references."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source

_TRAIN = "devset.csv"
_TEST = "testset_w_refs.csv"


def _rows(files: Mapping[str, bytes]) -> Parts:
    train = [
        {"id": f"e2e_nlg-train-{number}", "input": facts, "output": sentence}
        for number, (facts, sentence) in enumerate(_pairs(files[_TRAIN]))
    ]
    references: dict[str, list[str]] = {}
    for facts, sentence in _pairs(files[_TEST]):
        references.setdefault(facts, []).append(sentence)
    test = [
        {"id": f"e2e_nlg-test-{number}", "input": facts, "output": sentences[0], "references": sentences}
        for number, (facts, sentences) in enumerate(references.items())
    ]
    return {"train": train, "test": test}


def _pairs(content: bytes) -> list[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return [(row["mr"], row["ref"]) for row in rows]


DATASET = PublicDataset(
    name="e2e_nlg",
    kind="generation",
    instruction=(
        "Describe this restaurant to a guest in one or two plain sentences. Mention every fact that is given, and add "
        "none."
    ),
    metric="chrf",
    licence="CC BY-SA 4.0",
    source=Source(
        repository="tuetschek/e2e-dataset",
        commit="ab0d967dd5729ce455ef14ba9ffafc456a335264",
        paths=(_TRAIN, _TEST),
        convert=_rows,
        least_rows=5_302,
        hashes={"test": "4534374faa2911ee0425a84f94b418785ea9abc0e1a898f9733eb2da3ae42a90"},
    ),
)
