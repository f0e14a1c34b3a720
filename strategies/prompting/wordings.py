"""Sentences that complete a person's instruction, from what is known of the task: how an answer looks, how to come to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from strategies.contract import Case, Task
from strategies.fields import ABSENT, Columns, columns, is_object
from strategies.prompting.rendering import Form, LabelWords
from strategies.schemas import common
from strategies.spans import standing_answers
from strategies.words import count, unspaced

LONGEST = 400
"""Characters of a sentence; where names or values make it longer it is left out."""
FEW_WORDS = 12
"""Answers of at most so many words are told by their longest, others by a range."""
FIELDS, NAMED, VALUES = 12, 4, 8
"""Fields that are listed, fields of which something is said, and values that are listed, at most."""
USUAL, MOSTLY = 0.95, 0.6
_WORD = re.compile(r"[^\W_]+")


def library(task: Task) -> tuple[str, ...]:
    """What may follow the instruction of this task, that which is tried first first; empty where nothing is known.

    It is read off labels, schema and the training part of the first fold. Its sentences are the same for all tasks of a kind,
    but for names, values and numbers.
    """
    looks, way = _looks(task), _way(task)
    return tuple(dict.fromkeys(filter(None, (looks, f"{looks} {way}".strip(), way))))


def retold(form: Form, before: str, task: Task) -> Form:
    """The form for a task whose instruction was `before`, and whose labels or format may be others now.

    What was added stays where it is still true. To a stronger model's instruction comes what the person's has got longer by;
    where that is another one altogether, it holds.
    """
    if form == form.own:
        return form
    added = form.added if form.added in library(task) else ""
    known, now = before.strip(), task.instruction.strip()
    proposed = f"{form.proposed} {now.removeprefix(known).strip()}".strip() if now.startswith(known) else ""
    return replace(form, added=added, proposed=proposed if form.proposed else "")


def _looks(task: Task) -> str:
    """What an answer looks like."""
    cases = task.folds[0].train
    if task.labels:
        sizes = [len(word.split()) for word in LabelWords.of(task.labels, natural=True).words]
        return f"The answer is one label, of {_range(min(sizes), max(sizes))}, and nothing else."
    if not cases:
        return ""
    if _objects(task):
        return _bounded(_of_objects(task, cases))
    sizes = sorted(count(case.output) for case in cases)
    least, most = (sizes[min(len(sizes) - 1, int(share * len(sizes)))] for share in (1 - USUAL, USUAL))
    unit = "letter" if unspaced("".join(case.output for case in cases[:FEW_WORDS])) else "word"
    if most <= FEW_WORDS:
        ended = sum(case.output.rstrip().endswith((".", "!", "?")) for case in cases)
        rest = " and is not a whole sentence" if ended <= (1 - USUAL) * len(cases) else ""
        return f"The answer has at most {_range(most, most, unit)}{rest}."
    return f"The answer has about {_range(max(1, least // 5 * 5), -(-most // 5) * 5, unit)}."


def _way(task: Task) -> str:
    """How to come to an answer."""
    cases = task.folds[0].train
    if task.labels:
        return "Where several labels seem to fit, the answer is the one that fits the whole text best."
    if not cases:
        return ""
    if _objects(task):
        return _bounded(_of_values(columns(cases)))
    standing = standing_answers(cases)[:NAMED]
    if standing:
        return _bounded(f"Answers that come often: {_quoted(standing)}.")
    if sum(case.output.strip() in case.input for case in cases) >= MOSTLY * len(cases):
        return "The answer stands in the text: copy it word for word."
    kept = [_shared(case) for case in cases if _WORD.search(case.output)]
    return "Most words of the answer stand in the text." if kept and median(kept) >= MOSTLY else ""


def _objects(task: Task) -> bool:
    return task.kind == "extraction" and all(map(is_object, task.folds[0].train))


def _of_objects(task: Task, cases: Sequence[Case]) -> str:
    found = [json.loads(case.output) for case in cases]
    known = (task.schema or {}).get("properties") or {name: None for row in found for name in row}
    if not known or len(known) > FIELDS:
        return "The answer is one JSON object and nothing else."
    always = set(common(found).get("required", known))
    left_out = [name for name in known if name not in always]
    optional = f" What the text does not say is left out: {_quoted(left_out)}." if left_out else ""
    many = "fields" if len(known) > 1 else "field"
    return f"The answer is one JSON object with the {many} {_quoted(known)} and nothing else.{optional}"


def _of_values(found: Columns) -> str:
    """Which values a field takes, and which fields are copied from the text."""
    few = {path: sorted(set(values) - {ABSENT}) for path, values in found.decided.items()}
    listed = [(path, values) for path, values in few.items() if 1 < len(values) <= VALUES]
    said = [f'"{".".join(path)}" is one of {", ".join(values)}.' for path, values in listed[:NAMED]]
    names = [".".join(path) for path in found.copied][:NAMED]
    said += [f"Copied from the text as it is written there: {_quoted(names)}."] if names else []
    return " ".join(said)


def _shared(case: Case) -> float:
    """The share of the answer's words that stand in the input."""
    there = set(_WORD.findall(case.input.casefold()))
    words = _WORD.findall(case.output.casefold())
    return sum(word in there for word in words) / len(words)


def _range(least: int, most: int, unit: str = "word") -> str:
    words = f"{most} {unit}{'' if most == 1 else 's'}"
    return words if least == most else f"{least} to {words}"


def _quoted(names: Iterable[str]) -> str:
    *others, last = (json.dumps(name, ensure_ascii=False) for name in names)
    return f"{', '.join(others)} and {last}" if others else last


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST else ""
