"""Infers what a spec leaves open: the kind of task, its labels and its metrics, each with the sentence that says so."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import regex

from benchmarks.audit.findings import many
from benchmarks.contract import BadInput
from benchmarks.metrics._json import read as read_json
from strategies.contract import Case, Kind
from strategies.schemas import LONGEST_MATCH_S
from strategies.words import count

_LABEL_LENGTH = 100
_MOST_LABELS = 300
_ROWS_A_LABEL, _ROWS_A_WORD = 3, 2
"""From so many rows an output on, outputs are labels: of short texts, and of a few words."""
_LABEL_WORDS = 3
_LETTERS = re.compile(r"[^\W\d_]{2}")
_MOSTLY = 0.8
"""Share of outputs that are JSON objects from which on the others are rows to correct, and not another kind of answer."""

DEFAULT_METRICS: Mapping[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "extraction": ("field_f1", "exact_match", "json_valid"),
    "qa": ("exact_match", "token_f1", "answer_contained"),
    "generation": ("chrf", "rouge_l"),
}
"""The first decides where the spec names none (in generation it only compares); the others are shown."""


def infer_kind(
    examples: Sequence[Case], has_documents: bool, has_labels: bool, has_schema: bool, has_metric: bool = False
) -> tuple[Kind, str]:
    """The kind of a task that does not say it, and the reason as a sentence. Whoever names a metric may mean short answers."""
    if has_schema:
        return "extraction", "kind: extraction, because there is a schema."
    if has_labels:
        return "classification", "kind: classification, because there are labels."
    objects = sum(_is_object(case.output) for case in examples)
    if objects == len(examples):
        return "extraction", "kind: extraction, because every output is a JSON object."
    if objects >= _MOSTLY * len(examples):
        of = f"{objects:,} of {len(examples):,} outputs are JSON objects"
        return "extraction", f"kind: extraction, because {of}; the others have to be corrected or left out."
    outputs = {case.output for case in examples}
    rows, different = many(len(examples), "row has", "rows have"), many(len(outputs), "output", "different outputs")
    if len(outputs) == 1 or _few(outputs, len(examples), _ROWS_A_LABEL):
        return "classification", f"kind: classification, because {rows} only {different}."
    if has_documents:
        return "qa", f"kind: qa, because there are documents and {rows} {different}."
    if not has_metric and _few(outputs, len(examples), _ROWS_A_WORD) and all(map(_are_words, outputs)):
        return "classification", f"kind: classification, because {rows} only {different}, of a few words each."
    labels = " If these are labels, write `kind: classification`." if all(map(_are_words, outputs)) else ""
    return "generation", f"kind: generation, because {rows} {different} and no documents were named.{labels}"


def _few(outputs: set[str], rows: int, rows_each: int) -> bool:
    short = all(len(text) <= _LABEL_LENGTH for text in outputs)
    return short and 2 <= len(outputs) <= min(_MOST_LABELS, rows / rows_each)


def _are_words(text: str) -> bool:
    return count(text) <= _LABEL_WORDS and bool(_LETTERS.search(text))


def _is_object(text: str) -> bool:
    return json_object(text) is not None


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is for the metrics too, which read no NaN, or None."""
    if not text.lstrip().startswith("{"):
        return None
    parsed = read_json(text, fenced=False)
    return parsed.value if parsed is not None and isinstance(parsed.value, dict) else None


def infer_labels(examples: Sequence[Case]) -> tuple[tuple[str, ...], str]:
    """The labels that the examples use, in alphabetical order, and the sentence about it.

    Held-out cases are not looked at. Raises `BadInput` where there is only one label.
    """
    labels = tuple(sorted({case.output for case in examples}))
    if len(labels) < 2:
        raise BadInput(
            f'Every example has the same output, "{labels[0][:60]}", so there is nothing to decide. '
            "Add examples with other labels, or name another column under `columns: {output: NAME}`."
        )
    shown = ", ".join(f'"{label[:40]}"' for label in labels[:3])
    rest = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return labels, f"labels: {len(labels)}, taken from the examples: {shown}{rest}."


def check_labels(cases: Sequence[Case], labels: Sequence[str], part: str) -> None:
    """Raises `BadInput` for the first case whose output is not one of the labels, with the nearest label."""
    known = set(labels)
    strangers = [case for case in cases if case.output not in known]
    if strangers:
        first = strangers[0]
        near = difflib.get_close_matches(first.output, labels, n=1, cutoff=0.6)
        hint = f'Write "{near[0]}"' if near else "Add it to labels"
        more = f" ({len(strangers) - 1:,} more rows have such outputs)" if len(strangers) > 1 else ""
        raise BadInput(
            f'{part} {first.id}: the output "{first.output[:60]}" is not in the list of labels{more}. '
            f"{hint}, or correct the row."
        )


def check_objects(cases: Sequence[Case], part: str) -> None:
    """Raises `BadInput` for the first case of an extraction task whose output is not a JSON object."""
    for case in cases:
        if not _is_object(case.output):
            raise BadInput(
                f"{part} {case.id}: the output is not a JSON object, which extraction needs. "
                'Write {"field": "value"}, with null in place of NaN or Infinity, or set another kind.'
            )


def check_pattern(cases: Sequence[Case], pattern: str, part: str) -> None:
    """Raises `BadInput` for the first case with an accepted answer that is not of the form `pattern`."""
    whole = regex.compile(pattern)
    for case in cases:
        for answer in case.accepted:
            if answer and not _fits(whole, answer, f"{part} {case.id}"):
                raise BadInput(
                    f'{part} {case.id}: the output "{answer[:60]}" is not of the form `{pattern}`. '
                    "Correct the row, or widen `pattern:`."
                )


def _fits(whole: regex.Pattern[str], answer: str, where: str) -> bool:
    try:
        return bool(whole.fullmatch(answer, timeout=LONGEST_MATCH_S))
    except TimeoutError:
        raise BadInput(
            f"{where}: whether the output is of the form `pattern:` was not known after {LONGEST_MATCH_S:g} s. "
            "Write the pattern without a repetition inside a repetition."
        ) from None


def imbalance_note(heldout: Sequence[Case], labels: Sequence[str], metric: str) -> tuple[str, ...]:
    """A sentence where accuracy hides a rare label; else none."""
    if metric != "accuracy" or not labels or not heldout:
        return ()
    label, count = Counter(case.output for case in heldout).most_common(1)[0]
    if count < 0.8 * len(heldout):
        return ()
    return (
        f'{count:,} of {len(heldout):,} held-out cases are "{label[:40]}", so accuracy is high for an approach '
        "that always says so; consider `metric: {name: f1_of_label, label: ...}`.",
    )
