"""Answers of an extraction that models on this machine cannot write: not of the schema, or beyond the grammar made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from benchmarks.audit.findings import Finding, ids, many
from benchmarks.contract import ScoreFailure
from benchmarks.evaluation.misfits import misfit
from benchmarks.metrics._json import read
from strategies.contract import Case, Task
from strategies.fields import is_object
from strategies.schemas import answer_schema, beyond, left_out, ordered, without_least
from strategies.standalone.tagging import unmarked

MOST, CHARACTERS = 500, 60_000
"""Cases of each side that are held against a schema, and characters of the answers that its grammar has to write: a second."""
_IMPOSSIBLE = "Models on this machine are held to it, so what is right is impossible for them there."

Sides = tuple[list[Case], list[Case]]
"""Examples and held-out cases."""


def schema_findings(task: Task, heldout: Sequence[Case]) -> Iterator[Finding]:
    """What is found of the answers that are compared, the first ones of each side. Without a schema of the task it is told of the
    held-out ones, and what they are held against is what the examples have in common."""
    if task.kind != "extraction" or not all(map(is_object, task.examples)):
        return
    sides: Sides = list(task.examples[:MOST]), list(heldout[:MOST])
    if not task.schema:
        yield from _unlike(json.loads(unmarked(answer_schema(task, task.examples))), sides[1])
        return
    held: dict[str, Any] = json.loads(unmarked(answer_schema(task, task.examples)))
    fits = misfit(task)
    outside = _those(sides, lambda text: not fits(text))
    yield from _outside(task.schema, outside, sides)
    if said := beyond(held):
        yield _not_followed(said)
        return
    lenient = held.get("x-guidance", {}).get("lenient", False)
    least = ("minProperties",) if lenient and without_least(task.schema) != task.schema else ()
    yield from _followed_in_part((*left_out(held), *least))
    tried = _some(sides, outside)
    yield from _unwritable(_those(tried, _writable(held)), tried)


def _some(sides: Sides, outside: Sides) -> Sides:
    """The first ones of each side that are of the schema."""
    found: Sides = [], []
    for side, out, some in zip(sides, outside, found, strict=True):
        left, names = CHARACTERS, {case.id for case in out}
        for case in side:
            left -= len(case.output)
            if left < 0 and some:
                break
            some.extend([case] if case.id not in names else [])
    return found


def _those(sides: Sides, can_be: Callable[[str], bool]) -> Sides:
    """Examples whose answer cannot be, and held-out cases of which no accepted one can."""
    examples = [case for case in sides[0] if not can_be(case.output)]
    return examples, [case for case in sides[1] if not any(map(can_be, case.accepted))]


def _shares(found: Sides, tried: Sides) -> str:
    told = (("example", "examples"), ("held-out case", "held-out cases"))
    said = " and ".join(many(len(side), *names) for side, names in zip(found, told, strict=True) if side)
    return f"{said}, of {sum(map(len, tried)):,} that were tried,"


# ---------------------------------------------------------------- the schema of the task


def _outside(schema: Mapping[str, Any], found: Sides, tried: Sides) -> Iterator[Finding]:
    cases = [*found[0], *found[1]]
    if cases:
        yield Finding(
            kind="outside the schema",
            count=len(cases),
            examples=ids(cases),
            says=f"The answers of {_shares(found, tried)} are not of the `schema`{_first(schema, cases[0])}.",
            effect=_IMPOSSIBLE,
            what_to_do="Correct these answers, or the schema.",
        )


def _first(schema: Mapping[str, Any], case: Case) -> str:
    """Where the first of them is not of it, and by which keyword."""
    from benchmarks.metrics._schema import first_fault

    try:
        where, word = first_fault(schema, json.loads(case.output))
    except (ScoreFailure, ValueError, LookupError):
        return ""
    return f" (the first by `{word}`, at `{where}`)"


def _not_followed(said: str) -> Finding:
    return Finding(
        kind="schema not followed",
        count=1,
        examples=(),
        says=f"Models on this machine cannot be held to the `schema`: {said.rstrip('.')}.",
        effect="They may write anything, so that more of their answers are not of it than have to be.",
        what_to_do="Write that part of the schema in another way.",
    )


def _followed_in_part(left: Sequence[str]) -> Iterator[Finding]:
    if left:
        yield Finding(
            kind="schema followed in part",
            count=len(left),
            examples=(),
            says=f"Models on this machine are held to the `schema` but for what its grammar leaves out: {'; '.join(left)}.",
            effect="In that their answers may be not of it; whether they are is counted.",
            what_to_do="Write that part of the schema in another way where it matters.",
        )


def _unwritable(found: Sides, tried: Sides) -> Iterator[Finding]:
    cases = [*found[0], *found[1]]
    if cases:
        yield Finding(
            kind="unwritable answers",
            count=len(cases),
            examples=ids(cases),
            says=f"The answers of {_shares(found, tried)} are of the `schema`, and the grammar made of it cannot write them: it "
            "reads a `format` or `pattern` more strictly, gives a whole number no point, has fields that the schema does not "
            "name behind the others, and lets no string or list be more than twice as long as the longest of the examples.",
            effect=_IMPOSSIBLE,
            what_to_do="Write these answers so, or leave the `format` or `pattern` out of the schema, name all fields, and state "
            "`maxLength` or `maxItems` where answers may be longer.",
        )


def _writable(schema: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether a text can be written by a schema, in whatever spelling of JSON and with its fields in any order."""
    from llguidance import LLMatcher, LLTokenizer

    tokens = LLTokenizer("byte")
    lenient = bool(schema.get("x-guidance", {}).get("lenient"))
    options = {"x-guidance": {"lenient": lenient}}

    @lru_cache(maxsize=16)
    def begun(held: str) -> Any:
        return LLMatcher(tokens, LLMatcher.grammar_from_json_schema({**json.loads(held), **options}))

    def takes(held: Mapping[str, Any], text: str) -> bool:
        matcher, answer = begun(json.dumps(held)).deep_copy(), list(text.strip().encode("utf-8", "replace"))
        return matcher.try_consume_tokens(answer) == len(answer) and bool(matcher.is_accepting())

    def writable(text: str) -> bool:
        parsed = read(text, fenced=False)
        return parsed is not None and (takes(schema, text) or takes(ordered(schema, [parsed.value]), text))

    return writable


# ---------------------------------------------------------------- what the examples have in common


def _unlike(learnt: Mapping[str, Any], heldout: Sequence[Case]) -> Iterator[Finding]:
    from benchmarks.metrics._schema import is_valid

    def fits(text: str) -> bool:
        try:
            return is_valid(learnt, json.loads(text))
        except (ScoreFailure, ValueError):
            return False

    _, cases = _those(([], list(heldout)), fits)
    if cases:
        yield Finding(
            kind="unlike the examples",
            count=len(cases),
            examples=ids(cases),
            says=f"{many(len(cases), 'held-out answer is', 'held-out answers are')} of a form that the examples rule out: with a "
            "new field, with null or a point where none has one, with a filled list where all are empty, without a field that "
            "all have, or with a string or list more than twice as long as the longest of theirs.",
            effect="Without a `schema` models on this machine write what the examples have in common, so what is right is "
            "impossible for them there.",
            what_to_do="Add such examples, or state a `schema`.",
        )
