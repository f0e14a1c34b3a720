"""Says what is wrong with a task spec in one sentence: what was given, what is allowed, what to write instead."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.specs.yaml_text import Place, YamlText

SPEC_KEYS = (
    *("name", "instruction", "kind", "examples", "heldout", "documents", "recorded", "traffic", "labels", "schema"),
    *("target", "constraints", "volume", "horizon_months", "temperature", "slices", "models", "embedder", "columns"),
    *("reranker", "teacher"),
    *("metric", "margin", "pattern", "prices", "procedure", "upkeep"),
)
SECTION_KEYS: Mapping[str, tuple[str, ...]] = {
    "constraints": (
        *("cost_per_month", "p95_latency_s", "slice_at_least", "perplexity_ratio", "same_at_least"),
        *("valid_at_least", "grounded_at_least", "declined_at_least", "planted_at_most"),
        *("licences", "data_stays_here"),
    ),
    "columns": ("input", "output", "id", "answers", "document_ids", "group", "time"),
    "prices": ("machine_hour", "currency", "models", "date"),
    "upkeep": ("facts_months", "task_months", "labels", "label_price", "hours", "hour_price", "machine_hours"),
    "embedder": ("name", "folder"),
    "reranker": ("name", "folder"),
    "models": (
        *("name", "folder", "engine", "endpoint", "model", "key_env"),
        *("concurrency", "timeout_s", "retries", "context_tokens", "reasoning_tokens", "extra_body"),
        *(
            "input_per_million",
            "output_per_million",
            "cached_per_million",
            "machine_hour",
            "monthly",
            "tuned",
            "tuning_price",
        ),
    ),
}
SECRET_KEYS = ("api_key", "apikey", "key", "token", "password", "secret", "authorization")
_SAMPLES: Mapping[str, str] = {
    "name": "name: support-intents",
    "instruction": "instruction: Answer with the one label that fits the message.",
    "kind": "kind: classification",
    "examples": "examples: examples.jsonl",
    "heldout": "heldout: heldout.jsonl",
    "documents": "documents: documents.jsonl",
    "recorded": "recorded: answers.jsonl",
    "traffic": "traffic: last-month.csv",
    "teacher": "teacher: gpt-5.4-mini",
    "labels": "labels: [invoice, refund, other]",
    "schema": "schema: {type: object}",
    "pattern": "pattern: '[A-Z]{2}-[0-9]+'",
    "metric": "metric: accuracy",
    "target": "target: 0.9",
    "margin": "margin: 0.05",
    "constraints": "constraints: {p95_latency_s: 2}",
    "volume": "volume: 10000",
    "horizon_months": "horizon_months: 12",
    "temperature": "temperature: 0",
    "slices": "slices: [persona]",
    "models": "models: [smollm2-135m]",
    "embedder": "embedder: minilm-l6",
    "reranker": "reranker: cross-encoder/ms-marco-MiniLM-L6-v2",
    "columns": "columns: {input: text, output: label}",
    "procedure": "procedure: fixed sequence",
    "prices": "prices: {machine_hour: 0.40, currency: USD}",
    "upkeep": "upkeep: {facts_months: 1, task_months: 6}",
    "facts_months": "facts_months: 1",
    "task_months": "task_months: 6",
    "label_price": "label_price: 0.5",
    "hours": "hours: 4",
    "hour_price": "hour_price: 60",
    "machine_hours": "machine_hours: 730",
    "cost_per_month": "cost_per_month: 200",
    "p95_latency_s": "p95_latency_s: 2",
    "slice_at_least": "slice_at_least: 0.6",
    "perplexity_ratio": "perplexity_ratio: 1.2",
    "same_at_least": "same_at_least: 0.9",
    "valid_at_least": "valid_at_least: 0.99",
    "grounded_at_least": "grounded_at_least: 0.95",
    "declined_at_least": "declined_at_least: 0.5",
    "planted_at_most": "planted_at_most: 0.1",
    "licences": "licences: [Apache-2.0, MIT]",
    "data_stays_here": "data_stays_here: true",
    "machine_hour": "machine_hour: 0.40",
    "monthly": "monthly: 50",
    "tuned": "tuned: true",
    "tuning_price": "tuning_price: 38.50",
    "reasoning_tokens": "reasoning_tokens: 2000",
    "extra_body": "extra_body: {reasoning_effort: low}",
    "currency": "currency: USD",
}
_KINDS = {
    "string_type": "a text",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a section of `key: value` lines",
    "model_type": "a section of `key: value` lines",
    "model_attributes_type": "a section of `key: value` lines",
}
Details = Mapping[str, Any]


class OfTask(ValueError):
    """What is wrong with a task as a whole, as a clause about it, and the place of the key that brings it about."""

    def __init__(self, place: Place, says: str) -> None:
        super().__init__(says)
        self.place = place


def brief(value: object) -> str:
    """A value as it is shown in a sentence: at most 60 characters, texts in quotes."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = "".join(character if character.isprintable() else " " for character in text)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f'"{shown}"' if isinstance(value, str) else shown


def spec_sentence(errors: Sequence[Details], values: Mapping[str, Any], text: YamlText) -> str:
    """The sentence for the first mistake in the order of the file; wrong keys come before missing ones."""
    order = {"extra_forbidden": 0, "missing": 2}
    errors = [one for one in errors if not _follows(one, errors)]
    error = min(errors, key=lambda one: (order.get(one["type"], 1), text.lines.get(_place(one, values), 0)))
    place = _place(error, values)
    says = _says(error, place)
    more = len({_place(one, values) for one in errors}) - 1
    rest = f" ({more} more {'mistake follows' if more == 1 else 'mistakes follow'}.)" if more else ""
    return f"{text.where(place)}: {says}{rest}"


def _follows(error: Details, errors: Sequence[Details]) -> bool:
    """True for a list found too short only because its entries are wrong."""
    loc = error["loc"]
    return error["type"] == "too_short" and any(one is not error and one["loc"][: len(loc)] == loc for one in errors)


def _place(error: Details, values: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The error's place in the file: without the steps that the parser adds for the alternatives of a union."""
    if isinstance(said := _said(error), OfTask):
        return said.place
    place: list[str | int] = []
    value: Any = values
    for step in error["loc"]:
        if isinstance(value, Mapping) and (step in value or not place):
            value = value.get(step)
        elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif error["type"] != "missing" or not isinstance(value, Mapping):
            continue
        place.append(step)
    return tuple(place)


def _said(error: Details) -> object:
    """What one of our own checks raised, if that is where the error is from."""
    return error.get("ctx", {}).get("error")


def _says(error: Details, place: tuple[str | int, ...]) -> str:
    key = _spoken(place)
    last = next((str(step) for step in reversed(place) if isinstance(step, str)), "")
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind == "missing":
        sample = _SAMPLES[last] if len(place) == 1 and last in _SAMPLES else f"{last}: ..."
        return f'"{key}" is missing. Add a line like `{sample}`.'
    if kind == "value_error":
        said = _said(error)
        return f"{'the task' if isinstance(said, OfTask) else key} {said}"
    advice = f"Write, for instance, `{_SAMPLES[last]}`." if last in _SAMPLES else "Correct the value."
    allowed = _allowed(error)
    if error["input"] is None:
        return f"{key} has no value; {allowed} is wanted. {advice}"
    return f"{key} is {brief(error['input'])}; it must be {allowed}. {advice}"


def _spoken(place: tuple[str | int, ...]) -> str:
    """`constraints.cost_per_month`, or `models (entry 2)` for an entry of a list."""
    spoken = ""
    for step in place:
        spoken += f" (entry {step + 1})" if isinstance(step, int) else f".{step}" if spoken else str(step)
    return spoken


def _allowed(error: Details) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "greater_than":
            return f"above {context['gt']:g}"
        case "greater_than_equal":
            return f"at least {context['ge']:g}"
        case "less_than_equal":
            return f"at most {context['le']:g}"
        case "string_too_long" | "too_long":
            return f"at most {context['max_length']} characters long"
        case "too_short":
            return f"a list with at least {context['min_length']} entry"
        case "literal_error":
            return f"one of {context['expected'].replace(chr(39), '').replace(' or ', ' and ')}"
        case "string_pattern_mismatch":
            return "a currency code of three capital letters"
        case other:
            return _KINDS.get(other, "another value")


def _unknown_key(place: tuple[str | int, ...]) -> str:
    key, section = str(place[-1]), str(place[0])
    known = SECTION_KEYS.get(section, ()) if len(place) > 1 else SPEC_KEYS
    owner = f"in {section}" if len(place) > 1 else "of a task spec"
    inside = next(
        (name for name, keys in SECTION_KEYS.items() if key in keys and name not in ("models", "embedder", "reranker")),
        "",
    )
    if inside and len(place) == 1:
        return f"{brief(key)} is not a key {owner}. Write it under `{inside}:`."
    if key.lower().replace("-", "_") in SECRET_KEYS:
        advice = "A secret does not belong in a file: set OPENAI_API_KEY in the environment."
        return f"{brief(key)} is not a key {owner}. {advice}"
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    if near:
        return f'{brief(key)} is not a key {owner}. Did you mean "{near[0]}"?'
    return f"{brief(key)} is not a key {owner}. Allowed are {', '.join(known)}."
