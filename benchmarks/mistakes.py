"""What kind of mistake each wrong answer on the selection cases is: compared with the key, and with the other approaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.contract import Benchmark
from benchmarks.metrics import _json
from benchmarks.metrics._words import plain
from strategies.contract import Case
from strategies.spans import standing_answers

RIGHT = 0.999
"""A score from which an answer counts as right."""
Kind = Literal[
    "disputed key",
    "no answer",
    "no json",
    "confused",
    "field",
    "invented",
    "withheld",
    "not found",
    "misread",
    "other answer",
]
Answers = Mapping[str, Mapping[str, tuple[str, float] | tuple[str, float, bool | None]]]
"""candidate -> selection case -> (answer, score, whether the passages that were shown hold what is right or None)."""
_DISPUTED: tuple[Kind, tuple[str, ...]] = ("disputed key", ())
_AGREEING = 3
"""Families that have to give the same other answer before a key is called disputed."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One kind of mistake and how many of the wrong cases show it."""

    kind: Kind
    cases: int
    detail: tuple[str, ...] = ()
    """`confused`: the label wanted and the one given; `field`: the way to the field."""
    right_by: str = ""
    """The other candidate that gets most of these cases right; empty where none gets any, or where the key is disputed."""
    right: int = 0
    """How many of them it does."""


@dataclass(frozen=True, kw_only=True)
class Mistakes:
    """Of one candidate. A case that lacks several fields counts under each of them."""

    candidate: str
    asked: int
    wrong: int
    found: tuple[Mistake, ...]
    """The most frequent first; disputed keys before all others."""


def mistakes(benchmark: Benchmark, answers: Answers, families: Mapping[str, str], candidate: str) -> Mistakes | None:
    """The candidate's wrong answers by kind. None where it has no selection answers, where none of them is
    wrong, and for generation, where a rule or a reference would have to be taken apart.

    A key is disputed where approaches of three families, the candidate's among them, give one and the same other answer,
    none gives another one, and it is not the one that says that there is no answer.
    """
    known = {case.id: case for case in benchmark.task.examples}
    mine = {name: given for name, given in answers.get(candidate, {}).items() if name in known}
    wrong = {name: given[0] for name, given in mine.items() if given[1] < RIGHT}
    shown = {name: given[2] for name, given in mine.items() if len(given) > 2}
    if not wrong or benchmark.task.kind == "generation":
        return None
    standing = frozenset(map(plain, standing_answers(benchmark.task.examples))) if benchmark.task.kind == "qa" else ()
    cases: dict[tuple[Kind, tuple[str, ...]], list[str]] = {}
    for name, text in wrong.items():
        disputed = plain(text) not in standing and _disputed(name, answers, families, candidate)
        sorts = {_DISPUTED} if disputed else _sorted(benchmark, known[name], (text, shown.get(name)), standing)
        for each in sorts:
            cases.setdefault(each, []).append(name)
    others = {name: rows for name, rows in answers.items() if name != candidate}
    ordered = sorted(cases.items(), key=lambda item: (item[0] != _DISPUTED, -len(item[1]), item[0]))
    found = tuple(_mistake(which, names, {} if which == _DISPUTED else others) for which, names in ordered)
    return Mistakes(candidate=candidate, asked=len(mine), wrong=len(wrong), found=found)


def _mistake(which: tuple[Kind, tuple[str, ...]], names: Sequence[str], others: Answers) -> Mistake:
    """With the other candidate that gets most of the cases right; of several the first."""
    right = {each: sum(rows.get(name, ("", 0.0))[1] >= RIGHT for name in names) for each, rows in others.items()}
    best = max(right, key=lambda each: right[each], default="")
    known = bool(best) and right[best] > 0
    return Mistake(
        kind=which[0],
        cases=len(names),
        detail=which[1],
        right_by=best if known else "",
        right=right[best] if known else 0,
    )


def _disputed(name: str, answers: Answers, families: Mapping[str, str], candidate: str) -> bool:
    given = {each: plain(rows[name][0]) for each, rows in answers.items() if name in rows}
    mine = given[candidate]
    agreeing = {families.get(each, "") for each, text in given.items() if text == mine}
    learned = {text for each, text in given.items() if families.get(each) != "reference" or text == mine}
    return bool(mine) and learned == {mine} and len(agreeing) >= _AGREEING


def _sorted(
    benchmark: Benchmark, case: Case, given: tuple[str, bool | None], standing: Sequence[str] | frozenset[str]
) -> set[tuple[Kind, tuple[str, ...]]]:
    text, shown = given
    if not text.strip():
        return {("no answer", ())}
    kind = benchmark.task.kind
    if kind == "classification":
        return {("confused", (case.output, text))}
    if kind == "extraction":
        return set(_fields(case, text))
    if plain(case.output) in standing:
        return {("invented", ())}
    if plain(text) in standing:
        return {("withheld", ())}
    sort: Kind = "other answer" if shown is None else "misread" if shown else "not found"
    return {(sort, ())}


def _fields(case: Case, text: str) -> Iterator[tuple[Kind, tuple[str, ...]]]:
    """The fields in which the answer differs from the key; list items count as their list."""
    given, wanted = _json.read(text), _json.read(case.output)
    if given is None or wanted is None:
        yield ("no json", ()) if wanted is not None else ("other answer", ())
        return
    found, key = dict(_json.leaves(given.value)), dict(_json.leaves(wanted.value))
    for path in {*found, *key}:
        if found.get(path, _json) != key.get(path, _json):
            yield "field", tuple(part for part in path if isinstance(part, str))
