"""A rule of the format that is altered: who follows it at once, and who does so once it is fitted again.

From one day to the next answers are to be in capital letters, and of JSON objects the names of their fields. The instruction
says so, and the examples are rewritten by program: that is certain, and whether an answer follows is certain too. What asks a
model or looks examples up is told so and shown these; weights stay as they are, until everything is fitted again with the
rewritten examples, in the configuration that it has anyway. A case with an accepted answer that the rule leaves as it is, such as
a number, an abbreviation or one in a script without capitals, is not asked: nothing there tells who follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from benchmarks.checked import Altered
from benchmarks.contract import Benchmark, Row
from benchmarks.evaluation.misfits import misfit
from benchmarks.probes.changed import asked_first
from benchmarks.statistics.counted import by_group
from benchmarks.storage.outcomes import text_of
from strategies.answers import is_lost
from strategies.contract import Case, Fold, Kind, Task
from strategies.fields import is_object
from strategies.schemas import SPELLINGS

CASES = 50
"""Held-out cases that are asked, at most: those of the checks first."""
RULES: Mapping[Kind, str] = {
    "qa": "Write the answer in capital letters.",
    "generation": "Write the whole answer in capital letters.",
    "extraction": "Write the names of all fields in capital letters.",
}
_NAMED, _LISTED = ("properties", "patternProperties", "$defs", "definitions"), ("required",)


def has_a_rule(benchmark: Benchmark) -> bool:
    """Whether the format of this task's answers can be altered: labels are what they are, and so are patterns and numbers."""
    task = benchmark.task
    if task.kind == "extraction" and not all(map(is_object, task.examples)):
        return False
    if task.kind not in RULES or (task.schema or {}).get("type") == "string":
        return False
    if not _can_be_written(benchmark):
        return False
    return bool(asked(benchmark, 0))  # Where there is a case, any seed finds it.


def _can_be_written(benchmark: Benchmark) -> bool:
    """Whether the schema of the task, once in capitals, takes the examples as it did; not where it names fields by patterns, and
    where the metric holds answers to the schema as it was."""
    task = benchmark.task
    if not task.schema:
        return True
    if getattr(benchmark.metric, "schema", None):
        return False
    before, now = misfit(task), misfit(altered(task))
    some = [case.output for case in task.examples[:CASES] if not before(case.output)]
    return not any(now(rewritten(answer, task.kind)) for answer in some)


def asked(benchmark: Benchmark, seed: int) -> list[Case]:
    """The held-out cases that are asked, with rewritten answers, the same for every approach."""
    kind = benchmark.task.kind
    able = (case for case in asked_first(benchmark, seed) if _can_be_followed(case, kind))
    return [rewritten_case(case, kind) for case in islice(able, CASES)]


def _can_be_followed(case: Case, kind: Kind) -> bool:
    """Whether who is right follows, with whichever of the accepted answers, and none of them did before."""
    if any(follows(answer, kind) for answer in case.accepted):
        return False
    return all(follows(answer, kind) for answer in rewritten_case(case, kind).accepted)


def altered(task: Task) -> Task:
    """The task as it is from that day on."""
    rewritten = {case.id: rewritten_case(case, task.kind) for case in task.examples}

    def part(cases: Sequence[Case]) -> tuple[Case, ...]:
        return tuple(rewritten[case.id] for case in cases)

    return replace(
        task,
        instruction=f"{task.instruction.rstrip()} {RULES[task.kind]}",
        folds=tuple(Fold(train=part(fold.train), selection=part(fold.selection)) for fold in task.folds),
        schema=_in_capitals(task.schema) if task.schema else task.schema,
    )


def rewritten_case(case: Case, kind: Kind) -> Case:
    answers = tuple(rewritten(answer, kind) for answer in case.answers)
    return replace(case, output=rewritten(case.output, kind), answers=answers)


def rewritten(text: str, kind: Kind) -> str:
    """The answer as the rule wants it; JSON in the spelling that it has."""
    if kind != "extraction":
        return text.upper()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    told = [json.dumps(value, ensure_ascii=False, separators=spelling) for spelling in SPELLINGS]
    place = told.index(text.strip()) if text.strip() in told else 0
    return json.dumps(_renamed(value), ensure_ascii=False, separators=SPELLINGS[place])


def follows(text: str, kind: Kind) -> bool:
    """Whether an answer is as the rule wants it. One without a capital letter is not, and JSON without fields or that is none is
    not."""
    if kind != "extraction":
        return text == text.upper() != text.lower()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(value) and value == _renamed(value)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.upper(): _renamed(held) for name, held in value.items()}
    return [_renamed(held) for held in value] if isinstance(value, list) else value


def _in_capitals(schema: Any) -> Any:
    """A JSON schema of the same objects with the names of their fields in capitals."""
    if isinstance(schema, list):
        return [_in_capitals(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, held in schema.items():
        if key in _NAMED and isinstance(held, dict):
            names = {name.upper() if key == "properties" else name: part for name, part in held.items()}
            found[key] = {name: _in_capitals(part) for name, part in names.items()}
        elif key in _LISTED and isinstance(held, list):
            found[key] = [str(name).upper() for name in held]
        elif key == "$ref" and isinstance(held, str):
            found[key] = _pointer(held)
        else:
            found[key] = held if key in ("enum", "const") else _in_capitals(held)
    return found


def _pointer(place: str) -> str:
    """A reference to a part of the schema, such as `#/properties/from`, with the names of fields in capitals."""
    parts, found = iter(place.split("/")), list[str]()
    for part in parts:
        found.append(part)
        if part in _NAMED and (name := next(parts, None)) is not None:
            found.append(name.upper() if part == "properties" else name)
    return "/".join(found)


# ---------------------------------------------------------------- what came out


def altered_counts(benchmark: Benchmark, note: Mapping[str, Any], rows: Sequence[Row]) -> Altered | None:
    """From what the unit noted, and the answers at once and after another fit; a case of which one was lost is left out. None
    where it was asked of no case."""
    if "takes" not in note:
        return None
    kind, of = benchmark.task.kind, {case.id: case for case in benchmark.heldout}
    lost = {row.key for row in rows if is_lost(row.outcome)}
    cases = note["cases"] - len(lost)
    if not cases:
        return None
    rows = [row for row in rows if row.key not in lost]
    now, again = ([row for row in rows if row.variant == when] for when in ("at once", "again"))

    def followed(rows: Sequence[Row]) -> int:
        return sum(follows(text_of(row.outcome), kind) for row in rows)

    def right(rows: Sequence[Row]) -> int:
        return sum(follows(text_of(row.outcome), kind) and row.score >= 0.999 for row in rows)

    return Altered(
        rule=RULES[kind],
        cases=cases,
        takes=note["takes"],
        at_once=followed(now),
        right_at_once=right(now),
        again=followed(again) if again else None,
        right_again=right(again) if again else None,
        seconds=note["seconds"],
        by_group=by_group([of[row.key] for row in now], [follows(text_of(row.outcome), kind) for row in now]),
    )
