"""What a fitted pipeline asks as plain values, for programs that know nothing of this product (`strategies/alone.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategies.models.probe import probed
from strategies.models.served import at_hand
from strategies.prompting.fitting import lists_all
from strategies.prompting.rendering import INPUT_TOKENS

if TYPE_CHECKING:
    from strategies.pipeline import Pipeline

FILE = "prompt.json"
PLACE = "{{input}}"
"""Where the request goes: the last one in the last message."""


def prompt_of(pipeline: Pipeline) -> dict[str, Any] | None:
    """The messages with a place for the request, and how the answer is got.

    None where requests differ in more than their input (what is looked up, the neighbours' votes, a list of labels cut
    short), or where answers are held to a schema or read off.
    """
    setup = pipeline.setup
    nearest = bool(setup.shots) and setup.picks == "nearest"
    if nearest or setup.passages or setup.votes or setup.reading or pipeline.schema:
        return None
    if not lists_all(pipeline.model, pipeline.renderer):
        return None
    (shown,) = pipeline.demonstrations([""])
    labels = list(pipeline.task.labels)
    prior = pipeline.prior
    taken = prior is not None and bool(setup.calibration)
    return {
        "messages": [{"role": turn.role, "content": turn.content} for turn in pipeline.renderer.request(PLACE, shown)],
        "input_tokens": INPUT_TOKENS,
        "max_tokens": pipeline.max_tokens,
        "labels": labels,
        "words": list(pipeline.renderer.words.words) if labels else [],
        "probe": probed(at_hand(pipeline.model)),
        "prior": [setup.calibration * value for value in prior.values] if prior is not None and taken else [],
    }


def write(pipeline: Pipeline, folder: Path) -> None:
    """Puts `prompt.json` into the folder of a fit, where there is one to write."""
    values = prompt_of(pipeline)
    if values is not None:
        (folder / FILE).write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
