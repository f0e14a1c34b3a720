"""What kind of mistake each wrong answer on the selection cases is: compared with the key, and with the other approaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.contract import Benchmark, ScoreFailure
from benchmarks.evaluation.form_faults import FormKind, form_faults
from benchmarks.evaluation.grounding import declining
from benchmarks.metrics import _json
from benchmarks.metrics._words import plain
from benchmarks.metrics.style_rules import StyleRules
from benchmarks.probes.gold import naming
from strategies.contract import Case, Evidence, Task
from strategies.prompting.demonstrations import Shown, holds

RIGHT = 0.999
"""A score from which an answer counts as right."""
Kind = (
    FormKind
    | Literal[
        "disputed key",
        "no answer",
        "confused",
        "field",
        "content",
        "knowledge",
        "missed",
        "invented",
        "withheld",
        "not found",
        "misread",
        "other answer",
    ]
)
"""`knowledge` and `missed`: right once the right passage was handed over, of an approach that shows none and of one that
searches; `misread`: wrong although it was shown or handed over; `not found`: it was not shown, and nobody asked with it."""
Answers = Mapping[str, Mapping[str, tuple[str, float] | tuple[str, float, bool | None]]]
"""candidate -> selection case -> (answer, score, whether the passages that were shown hold what is right or None)."""
Handed = Mapping[str, Mapping[str, bool]]
"""candidate -> selection case that it was asked again -> whether it was right with the right passage in the prompt."""
Sort = tuple[Kind, tuple[str, ...]]
"""A kind with its detail."""
_DISPUTED: Sort = ("disputed key", ())
_AGREEING = 3
"""Families that have to give the same other answer before a key is called disputed."""
_LOOKING_UP = ("retrieval", "combined")


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One kind of mistake and how many of the wrong cases show it."""

    kind: Kind
    cases: int
    detail: tuple[str, ...] = ()
    """`confused`: the label wanted and the one given; `field`: the way to the field; `rule`: what it says; `form`: which."""
    right_by: str = ""
    """The other candidate that gets most of these cases right; empty where none gets any, or where the key is disputed."""
    right: int = 0
    """How many of them it does."""


@dataclass(frozen=True, kw_only=True)
class Mistakes:
    """Of one candidate. A case that lacks several fields or breaks several rules counts under each of them."""

    candidate: str
    asked: int
    wrong: int
    found: tuple[Mistake, ...]
    """The most frequent first; disputed keys before all others."""
    kinds: tuple[tuple[Kind, int], ...] = ()
    """How many of the wrong cases show each kind, whatever the detail; the most frequent first."""
    handed: int = 0
    """Wrong cases that were asked again with the right passage in the prompt."""
    lacking: float = 0.0
    """What those with a disputed key lack of a full score, in cases: as many as they are where a score is 0 or 1."""


def mistakes(
    benchmark: Benchmark,
    answers: Answers,
    families: Mapping[str, str],
    handed: Handed,
    of_examples: Collection[str] = (),
) -> dict[str, Mistakes]:
    """Candidate -> its wrong answers by kind; none of those without selection answers. Those `of_examples` look up no documents,
    so that no search of theirs misses any.

    A key is disputed where approaches of three families, the candidate's among them, give one and the same other answer,
    none gives another one, it is not the one that says that there is no answer, and with the right passage nobody came to the
    key. Of generation none is: there is more than one good text.
    """
    sorter = _Sorter(benchmark, answers, families, handed)
    sorter.searching -= {*of_examples}
    known = {case.id for case in benchmark.task.examples}
    asked = (name for name, rows in answers.items() if known & set(rows))
    return {name: sorter.mistakes(name) for name in asked}


class _Sorter:
    """What is known of the selection cases of one task."""

    def __init__(self, benchmark: Benchmark, answers: Answers, families: Mapping[str, str], handed: Handed) -> None:
        task = benchmark.task
        self.benchmark, self.answers, self.families, self.handed = benchmark, answers, families, handed
        self.searching = {name for name, family in families.items() if family in _LOOKING_UP}
        self.known = {case.id: case for case in task.examples}
        self.standing = StandingAnswers.of(task)
        self.faults = form_faults(benchmark)

    def mistakes(self, candidate: str) -> Mistakes:
        mine = {name: given for name, given in self.answers[candidate].items() if name in self.known}
        wrong = [name for name, given in mine.items() if given[1] < RIGHT]
        cases: dict[Sort, list[str]] = {}
        kinds = Counter[Kind]()
        for name in wrong:
            sorts = {_DISPUTED} if self._disputed(name, candidate) else self._sorted(name, candidate)
            kinds.update({kind for kind, _ in sorts})
            for each in sorts:
                cases.setdefault(each, []).append(name)
        others = {name: rows for name, rows in self.answers.items() if name != candidate}
        ordered = sorted(cases.items(), key=lambda item: (item[0] != _DISPUTED, -len(item[1]), item[0]))
        return Mistakes(
            candidate=candidate,
            asked=len(mine),
            wrong=len(wrong),
            found=tuple(_mistake(which, names, {} if which == _DISPUTED else others) for which, names in ordered),
            kinds=tuple(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
            handed=len(set(wrong) & set(self.handed.get(candidate, ()))),
            lacking=sum([1 - mine[name][1] for name in cases.get(_DISPUTED, ())]),
        )

    def _disputed(self, name: str, candidate: str) -> bool:
        given = {each: plain(rows[name][0]) for each, rows in self.answers.items() if name in rows}
        mine = given[candidate]
        if not mine or mine in self.standing.texts or self.benchmark.task.kind == "generation":
            return False
        if any(rows.get(name) for rows in self.handed.values()):
            return False
        agreeing = {self.families.get(each, "") for each, text in given.items() if text == mine}
        learned = {text for each, text in given.items() if self.families.get(each) != "reference" or text == mine}
        return learned == {mine} and len(agreeing) >= _AGREEING

    def _sorted(self, name: str, candidate: str) -> set[Sort]:
        """The right answer among other words is a matter of form, whatever else is known; else what the right passage changed."""
        case, given = self.known[name], self.answers[candidate][name]
        text, shown = given[0], given[2] if len(given) > 2 else None
        if not text.strip():
            return {("no answer", ())}
        faults: set[Sort] = {*self.faults(case, text)}
        helped = self.handed.get(candidate, {}).get(name)
        if helped and ("wrapped", ()) not in faults:
            return {("missed" if candidate in self.searching else "knowledge", ())}
        if self.benchmark.task.kind in ("classification", "extraction"):
            return faults | set(self._by_key(case, text, faults)) or {("other answer", ())}
        lost: set[Sort] = {("content", ())} if self._content_lost(case, text) else set()
        return faults | lost or {(self._by_passages(case, text, True if helped is False else shown), ())}

    def _by_key(self, case: Case, text: str, faults: set[Sort]) -> Iterator[Sort]:
        """Which labels are confused, or which fields are wrong, where the form allows to tell."""
        if self.benchmark.task.kind == "extraction":
            yield from _fields(case, text)
        elif not faults:
            yield "confused", (case.output, text)

    def _content_lost(self, case: Case, text: str) -> bool:
        metric = self.benchmark.metric
        try:
            return isinstance(metric, StyleRules) and not metric.survives(case, text)
        except ScoreFailure:
            return False

    def _by_passages(self, case: Case, text: str, shown: bool | None) -> Kind:
        """`shown`: whether the right passage was before it; None where nobody knows."""
        if not shown and self.standing.has_none(case):
            return "invented"
        if shown is None:
            return "withheld" if plain(text) in self.standing.texts else "other answer"
        return "misread" if shown else "not found"


@dataclass(frozen=True)
class StandingAnswers:
    """The answers by which examples say that there is none, and of which questions they say so."""

    texts: frozenset[str]
    documents: Mapping[str, str]

    @classmethod
    def of(cls, task: Task) -> StandingAnswers:
        texts = declining(task) if task.kind == "qa" else ()
        return cls(frozenset(map(plain, texts)), {document.id: document.text for document in task.documents})

    def has_none(self, case: Case) -> bool:
        """Whether the key says that there is no answer: it is shared by many, and no document that the case names holds it."""
        if plain(case.output) not in self.texts:
            return False
        named = {name: self.documents[name] for name in case.document_ids if name in self.documents}
        whole = tuple(Evidence(document_id=name, text=text, score=0.0) for name, text in named.items())
        return not holds(Shown(case, whole))


def search_or_reading(
    task: Task, answers: Sequence[Sequence[Any]], handed: Mapping[str, bool]
) -> list[tuple[Case, bool]] | None:
    """The cases of wrong selection answers of one that searches, each with whether the right passage was not shown: the others
    are wrong even with it. None where it is not known what was shown.

    `answers` are rows as a fit notes them. Questions without an answer are left out: for these there is no right passage. So are
    cases with labels that name no document that there is: the words of a label may stand anywhere.
    """
    standing = StandingAnswers.of(task)
    told = naming(task.examples, task.documents) if task.labels else task.examples
    asked = {case.id: case for case in told if not standing.has_none(case)}
    known = [row for row in answers if len(row) > 4 and row[0] in asked]
    wrong = [row for row in known if row[2] < RIGHT]
    return [(asked[row[0]], not row[4] and handed.get(row[0]) is not False) for row in wrong] if known else None


def _mistake(which: Sort, names: Sequence[str], others: Answers) -> Mistake:
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


def _fields(case: Case, text: str) -> Iterator[Sort]:
    """The fields in which the answer differs from the key; list items count as their list."""
    given, wanted = _json.read(text), _json.read(case.output)
    if given is None or wanted is None:
        if wanted is None:
            yield "other answer", ()
        return
    found, key = dict(_json.leaves(given.value)), dict(_json.leaves(wanted.value))
    for path in {*found, *key}:
        if found.get(path, _json) != key.get(path, _json):
            yield "field", tuple(part for part in path if isinstance(part, str))
