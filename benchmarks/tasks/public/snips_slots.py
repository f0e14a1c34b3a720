"""snips_slots: requests to a voice assistant as JSON, an intent and the exact words of each slot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Parts, Source, drawn

_FOLDER = "2017-06-custom-intent-engines"

_INTENTS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)

_TRAIN = {intent: f"{_FOLDER}/{intent}/train_{intent}_full.json" for intent in _INTENTS}
_TEST = {intent: f"{_FOLDER}/{intent}/validate_{intent}.json" for intent in _INTENTS}
_EXAMPLES = 3_000
"""Of the 13,784 published ones."""


def _rows(files: Mapping[str, bytes]) -> Parts:
    published = _said(files, _TRAIN)
    return {
        "train": _numbered("train", [published[place] for place in drawn(len(published), _EXAMPLES)]),
        "test": _numbered("test", _said(files, _TEST)),
    }


def _said(files: Mapping[str, bytes], paths: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        _case(intent, request["data"])
        for intent, path in paths.items()
        for request in json.loads(_decoded(files[path]))[intent]
    ]


def _decoded(content: bytes) -> str:
    """One of the published files is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _case(intent: str, pieces: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A request out of its pieces in order; those that say what they are fill a slot."""
    slots: dict[str, list[str]] = {}
    for piece in pieces:
        if "entity" in piece:
            slots.setdefault(piece["entity"], []).append(_one_line(piece["text"]))
    answer = {"intent": intent, "slots": {name: " | ".join(values) for name, values in slots.items()}}
    return {
        "input": _one_line("".join(piece["text"] for piece in pieces)),
        "output": json.dumps(answer, ensure_ascii=False),
        "intent": intent,
    }


def _numbered(part: str, cases: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"id": f"snips_slots-{part}-{number}", **case} for number, case in enumerate(cases)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


DATASET = PublicDataset(
    name="snips_slots",
    kind="extraction",
    instruction=(
        'A person said this to a voice assistant. Answer with one JSON object: "intent" is one of '
        f'{", ".join(_INTENTS)}, and "slots" holds each detail that was mentioned under its slot name, in the '
        'person\'s exact words. Join several values of one slot with " | ".'
    ),
    metric="exact_match",
    schema={
        "type": "object",
        "required": ["intent", "slots"],
        "additionalProperties": False,
        "properties": {
            "intent": {"enum": list(_INTENTS)},
            "slots": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
    licence="CC0 1.0",
    source=Source(
        repository="sonos/nlu-benchmark",
        commit="b86ac7f1577868c42158d0dec77db50956046696",
        paths=(*_TRAIN.values(), *_TEST.values()),
        convert=_rows,
        least_rows=3_700,
        hashes={"test": "a4fdfa36bbeaecb161c976a667ae42b651dc7b14ed9df56cfe46c90dd98c9dd9"},
    ),
)
