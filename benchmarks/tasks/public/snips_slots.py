"""snips_slots: requests to a voice assistant as JSON, an intent and the exact words of each slot."""

from __future__ import annotations

from benchmarks.tasks.dataset import PublicDataset
from benchmarks.tasks.source import Source

_INTENTS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)

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
        paths=(
            "2017-06-custom-intent-engines/*/train_*_full.json",
            "2017-06-custom-intent-engines/*/validate_*.json",
        ),
    ),
)
