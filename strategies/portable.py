"""What a fitted pipeline asks as plain values, for programs that know nothing of this product (`standalone/alone.py`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategies.contract import ScoresLabels
from strategies.models.endpoint import EndpointModel
from strategies.models.local import LocalModel
from strategies.models.probe import probed
from strategies.models.served import ServedModel, at_hand
from strategies.prompting.fitting import LISTED, NEIGHBOURS, room_for_labels
from strategies.prompting.rendering import INPUT_TOKENS, MARKS, Renderer, label_cases, passages
from strategies.retrieval.chunking import SENTENCE_END
from strategies.retrieval.index import PassageIndex, named_by
from strategies.retrieval.neighbours import SHARPNESS, VOTERS
from strategies.spans import BEGINNINGS
from strategies.standalone.alone import PLACE, PROMPT
from strategies.standalone.odds import ALTERNATIVES
from strategies.words import EDGE, PLAIN, SPACED

if TYPE_CHECKING:
    from strategies.contract import Task
    from strategies.pipeline import Pipeline
    from strategies.prompting.demonstrations import Shown


def prompt_of(pipeline: Pipeline) -> dict[str, Any] | None:
    """The messages with a place for the request, how the answer is got, and under `lookup` what is found for each request.

    None where passages come from an index that is not saved with it, and where a model of another package answers.
    """
    setup, index = pipeline.setup, pipeline.sources.index
    if not isinstance(_asked(pipeline), EndpointModel | ServedModel | LocalModel):
        return None
    if setup.passages and index is not None and not isinstance(index, PassageIndex):
        return None
    server, here, scores = _server(pipeline), at_hand(pipeline.model), isinstance(_asked(pipeline), ScoresLabels)
    asks = bool(setup.passages) or pipeline.asks_examples
    looks = bool(asks or (scores and (setup.votes or setup.reading)))
    shown = [] if looks else pipeline.demonstrations([""])[0]
    labels = list(pipeline.task.labels) if server is None else []
    form = setup.form if pipeline.lists_all else replace(setup.form, show_labels=False)
    renderer = Renderer.of(pipeline.task, form)
    turns = renderer.request(PLACE, shown)
    values = {
        "messages": [{"role": turn.role, "content": turn.content} for turn in turns],
        "sizes": _sizes(renderer, shown),
        "paragraphs": ["\n\n" in renderer.answer(one.case) for one in shown],
        "input_tokens": INPUT_TOKENS,
        "max_tokens": pipeline.max_tokens,
        "temperature": pipeline.task.temperature,
        "served": isinstance(_asked(pipeline), ServedModel),
        "labels": labels,
        "words": list(pipeline.renderer.words.words) if labels else [],
        "schema": pipeline.schema,
        "probe": probed(here),
        **({} if here is None else {"stop": sorted(here.chat.stop_ids)}),
        **({} if server is None else {"server": server}),
        **({"quantised": True} if getattr(here, "quantised", False) else {}),
        "prior": _taken_off(pipeline),
    }
    return {**values, "lookup": _lookup(pipeline)} if looks else values


def _taken_off(pipeline: Pipeline) -> list[float]:
    """Of the log-likelihood of each label: its prior, and what is added to its share where no votes come between."""
    setup, prior = pipeline.setup, pipeline.prior
    values = [0.0] * len(pipeline.task.labels)
    if prior is not None and setup.calibration:
        values = [setup.calibration * value for value in prior.values]
    if setup.shift is not None and not setup.votes:
        values = [value - more for value, more in zip(values, _added(pipeline), strict=True)]
    return values if any(values) else []


def _added(pipeline: Pipeline) -> list[float]:
    """To the log-share of each label; empty where there is nothing to add."""
    shift, labels = pipeline.setup.shift, pipeline.task.labels
    return [] if shift is None else [shift.added.get(label, 0.0) for label in labels]


def _sizes(renderer: Renderer, shown: Sequence[Shown]) -> list[int]:
    """Characters of each example at the beginning of the last message; none where examples are messages of their own."""
    if renderer.form.layout != "inline":
        return []
    lengths = [len(renderer.request(PLACE, shown[place:])[-1].content) for place in range(len(shown) + 1)]
    return [longer - shorter for longer, shorter in pairwise(lengths)]


def _server(pipeline: Pipeline) -> dict[str, Any] | None:
    """What `asking.py` reads: where the model answers, and the labels that its answers may name; None for one that is here."""
    model = _asked(pipeline)
    if not isinstance(model, EndpointModel):
        return None
    labels = list(pipeline.task.labels)
    return {
        "address": model.base_url.rstrip("/"),
        "model": model.model,
        "key_env": model.key_env,
        "timeout_s": model.timeout_s,
        "retries": model.retries,
        "context_tokens": model.context_tokens,
        "copies": model.copies,
        "reasoning_tokens": model.reasoning_tokens,
        "extra_body": dict(model.extra_body),
        "temperature": pipeline.task.temperature,
        "alternatives": ALTERNATIVES,
        "labels": labels,
        "words": list(pipeline.renderer.words.words) if labels else [],
        **({} if pipeline.setup.shift is None else {"added": pipeline.setup.shift.added}),
    }


def _asked(pipeline: Pipeline) -> Any:
    """The model itself: a run wraps one that costs money."""
    model: Any = pipeline.model
    while (inner := getattr(model, "inner", None)) is not None:
        model = inner
    return model


def _nearest(pipeline: Pipeline) -> bool:
    return bool(pipeline.setup.shots) and pipeline.setup.picks == "nearest"


def _lookup(pipeline: Pipeline) -> dict[str, Any]:
    """What `lookup.py` reads: how a request is laid out, and what is looked up for it."""
    setup, form, task, index = pipeline.setup, pipeline.setup.form, pipeline.task, pipeline.sources.index
    named = named_by(index)
    before, after = MARKS[form.marks]
    marked = form.marked or form.layout == "inline"
    nearest, standing, lists_all = _nearest(pipeline), pipeline.sources.standing, pipeline.lists_all
    scores = isinstance(_asked(pipeline), ScoresLabels)
    found = {"beginnings": BEGINNINGS, "spaced": SPACED, "edge": EDGE, "ended": SENTENCE_END.pattern}
    reading = asdict(setup.reading) | found if setup.reading and scores else None
    votes = setup.votes if scores else 0.0
    return {
        "layout": form.layout,
        "asks": f"{before} {PLACE}\n{after}" if marked else PLACE,
        "shown": [] if nearest else [_shown(pipeline, one) for one in pipeline.demonstrations([""])[0]],
        "shots": setup.shots if nearest else 0,
        "looked_at": pipeline.candidates if nearest else 0,
        "varied": setup.varied,
        "order": -1 if form.turned else 1,
        "rests_on": _rests_on(task) if setup.grounded else [],
        "plain": PLAIN,
        "examples": [
            {
                "input": case.input,
                "output": case.output,
                "said": pipeline.renderer.answer(case),
                "accepted": list(case.accepted),
                "documents": list(named.all_of(case)),
                "own": task.kind == "qa" and named.hold(case),
                "stands": case.output in standing,
            }
            for case in (pipeline.sources.cases if nearest or votes or not lists_all else ())
        ],
        "listing": None if lists_all else _listing(pipeline),
        "passages": setup.passages if index is not None else 0,
        "mode": setup.mode,
        "reading": reading,
        "votes": {"weight": votes, "voters": VOTERS, "sharpness": SHARPNESS, "added": _added(pipeline)}
        if votes
        else None,
        "words_of_labels": [case.input for case in label_cases(task.labels)] if votes else [],
    }


def _listing(pipeline: Pipeline) -> dict[str, int]:
    """How the list of labels is cut for each request (`fitting.nearest_labels`)."""
    return {"looked_at": NEIGHBOURS, "most": LISTED, "tokens": room_for_labels(pipeline.model)}


def _shown(pipeline: Pipeline, one: Shown) -> dict[str, str]:
    return {
        "input": one.case.input,
        "answer": pipeline.renderer.answer(one.case),
        "passages": passages(one.evidence),
    }


def _rests_on(task: Task) -> list[str]:
    """By which of these an example's answer is told to rest on its passages (`demonstrations.founded`)."""
    return ["names"] if task.labels else ["holds"] if task.kind == "qa" else ["names", "holds"]


def write(pipeline: Pipeline, folder: Path) -> None:
    """Puts `prompt.json` into the folder of a fit, where there is one to write."""
    values = prompt_of(pipeline)
    if values is not None:
        (folder / PROMPT).write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8")
