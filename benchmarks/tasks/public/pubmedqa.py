"""pubmedqa: research questions answered yes, no or maybe, with the abstracts of the studies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source

_ALL = "data/ori_pqal.json"
_TEST = "data/test_ground_truth.json"
_SUBJECTS_SHOWN = 4


def _rows(files: Mapping[str, bytes]) -> Parts:
    studies: Mapping[str, Mapping[str, Any]] = json.loads(files[_ALL])
    held_out = json.loads(files[_TEST])
    return {
        "train": [_case(number, study) for number, study in studies.items() if number not in held_out],
        "test": [_case(number, study) for number, study in studies.items() if number in held_out],
        "docs": [_document(number, study) for number, study in studies.items()],
    }


def _case(number: str, study: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"pubmedqa-{number}",
        "input": study["QUESTION"],
        "output": study["final_decision"],
        "doc_ids": [f"pmid-{number}"],
    }


def _document(number: str, study: Mapping[str, Any]) -> dict[str, Any]:
    """The abstract without its conclusion, which would be the answer."""
    subjects = ", ".join(study["MESHES"][:_SUBJECTS_SHOWN])
    title = f"PubMed abstract {number} ({study['YEAR']}): {subjects}"
    return {"id": f"pmid-{number}", "title": title, "text": " ".join(study["CONTEXTS"])}


DATASET = PublicDataset(
    name="pubmedqa",
    kind="classification",
    instruction=(
        "Answer the question of a medical study by what its abstract reports: yes, no, or maybe where the results do "
        "not settle it."
    ),
    metric="accuracy",
    labels=("yes", "no", "maybe"),
    documents=True,
    licence="MIT",
    source=Source(
        repository="pubmedqa/pubmedqa",
        commit="1cbae8e92f72f20c8d3747cbb3bf5bc53554d997",
        paths=(_ALL, _TEST),
        convert=_rows,
        least_rows=1_000,
        hashes={
            "train": "f8f5a0fc4807abbf65591521d751c91b6c18a3a04393ccac5d5495efdbb1ac0f",
            "test": "df2e1fe9d1f03326268f66c979e9cdb5aa3bdef7e3992c3db9f9f16b6cc7bcbb",
        },
    ),
)
