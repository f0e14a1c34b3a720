"""Changed facts: what an approach answers on the day on which facts in the documents are others, and once it is fitted again.

A fact is changed by program, and only where that is certain: the answer stands once in the one document that the case names, of
which there is no copy, word for word, and is a number or a name. A number gives way to another of its kind (a year to a year,
else as many digits), a name to another that answers the same kind of question, all from the answers of the task's own examples.
What is counted is who gives the new answer and who still gives the old one.

Fitting again learns from the examples that told such a fact, by the same certainty, with the new one in their answers: they ask
for it in other words than the held-out questions do. Facts that no example tells are not asked then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.checked import Changed
from benchmarks.contract import Benchmark, Row
from benchmarks.metrics._words import CLOSED, KOREAN, stands, words
from benchmarks.probes.consistency import probe_cases
from benchmarks.statistics.counted import by_group
from benchmarks.storage.outcomes import text_of
from strategies.answers import is_lost
from strategies.contract import Case, Document, Fold, Task
from strategies.retrieval.chunking import heading
from strategies.retrieval.named import Named
from strategies.standalone.reading import UNSPACED

CASES = 100
"""At most so many facts are changed, all on one day."""
_WRITTEN = (
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty ninety"
)
_BEFORE, _AFTER, _JOINED = (
    rf"(?<![^\W{UNSPACED}])",
    rf"(?![^\W{UNSPACED}])",
    rf"(?![^\W{UNSPACED}{KOREAN}])",
)
"""Edges of what stands by itself: no letter or digit beside it but of a script without spaces; Korean particles behind it."""
_NUMBER = re.compile(rf"{_BEFORE}(?:\d+(?:[.,:]\d+)*{_JOINED}|(?:{'|'.join(_WRITTEN.split())}){_AFTER})", re.IGNORECASE)
_NO_NAMES = CLOSED | {"none", "never", "always", "both", "not"}
_SIZES = (12, 31, 59)
"""Months and hours, days, minutes: a number up to one of these gives way to such a number."""
_WITHIN = re.compile(r"[\w,;]\s+$")
"""What stands before a word that does not begin a sentence."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One changed fact: `old` stands in the document from character `start` on."""

    key: str
    """The case that asks for it."""
    document: str
    start: int
    old: str
    new: str

    @property
    def end(self) -> int:
        return self.start + len(self.old)

    def within(self, answer: str) -> str:
        """An accepted answer as it reads now."""
        return re.sub(_alone(self.old), lambda _: self.new, answer, flags=re.IGNORECASE)


def asks_for_facts(benchmark: Benchmark) -> bool:
    """Whether there are questions over documents that name the document of their answer."""
    named = any(case.document_ids for case in benchmark.heldout)
    return benchmark.task.kind == "qa" and bool(benchmark.task.documents) and named


def edits(benchmark: Benchmark, seed: int) -> list[Edit]:
    """The facts that are changed, the same for every approach. Two questions for one fact share its new value."""
    task, made, place_of = benchmark.task, list[Edit](), _Places(benchmark.task.documents)
    documents = {document.id: document for document in task.documents}
    for case in asked_first(benchmark, seed):
        if len(made) == CASES:
            break
        if (found := place_of(case)) is None:
            continue
        document, (_, start, old) = documents[found[0]], found
        there = [edit for edit in made if edit.document == document.id]
        twin = next((edit for edit in there if (edit.start, edit.old) == (start, old)), None)
        if twin is None and any(start < edit.end and edit.start < start + len(old) for edit in there):
            continue
        taken = " ".join([heading(document), document.text, case.input, *(edit.new for edit in there)])
        new = twin.new if twin else _other(old, case, (task, taken))
        if new and not any(stands(answer, new) for answer in case.accepted):
            made.append(Edit(key=case.id, document=document.id, start=start, old=old, new=new))
    return made


def edited(task: Task, changes: Sequence[Edit]) -> list[Document]:
    """The documents that hold a changed fact, as they read now."""
    found = []
    for document in task.documents:
        text = document.text
        facts = {edit.start: edit for edit in changes if edit.document == document.id}
        for edit in sorted(facts.values(), key=lambda edit: -edit.start):
            text = text[: edit.start] + edit.new + text[edit.end :]
        if facts:
            found.append(replace(document, text=text))
    return found


@dataclass(frozen=True, kw_only=True)
class Later:
    """The task from that day on: with the changed documents, and new answers in the examples that told a changed fact."""

    task: Task
    examples: int
    """That were rewritten."""
    told: tuple[str, ...]
    """The cases that ask for a fact which one of these tells."""

    @classmethod
    def of(cls, task: Task, changes: Sequence[Edit]) -> Later:
        place_of, rewritten, told = _Places(task.documents), dict[str, Case](), list[str]()
        for case in task.examples:
            place = place_of(case)
            here = [edit for edit in changes if place == (edit.document, edit.start, edit.old)]
            # Questions for one fact share its new value.
            if here and (output := here[0].within(case.output)) != case.output:
                rewritten[case.id] = replace(case, output=output, answers=tuple(map(here[0].within, case.answers)))
                told += [edit.key for edit in here]
        now = _with(task, changes, rewritten)
        return cls(task=now, examples=len(rewritten), told=tuple(dict.fromkeys(told)))


def _with(task: Task, changes: Sequence[Edit], rewritten: Mapping[str, Case]) -> Task:
    def part(cases: Sequence[Case]) -> tuple[Case, ...]:
        return tuple(rewritten.get(case.id, case) for case in cases)

    now = {document.id: document for document in edited(task, changes)}
    return replace(
        task,
        documents=tuple(now.get(document.id, document) for document in task.documents),
        folds=tuple(Fold(train=part(fold.train), selection=part(fold.selection)) for fold in task.folds),
    )


# ---------------------------------------------------------------- what can be changed with certainty


class _Places:
    """Where the answer of a case stands: (id of the document, first character, the number or name in it); None where that is not
    certain."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents, self._named = {document.id: document for document in documents}, Named(documents)

    def __call__(self, case: Case) -> tuple[str, int, str] | None:
        return _place(case, [self._documents[name] for name in self._named.all_of(case)])


def asked_first(benchmark: Benchmark, seed: int) -> Iterator[Case]:
    """The cases of the checks first; further ones where all are asked."""
    first = probe_cases(benchmark, seed)
    yield from first
    if not benchmark.sequential:
        known = {case.id for case in first}
        yield from (case for case in benchmark.heldout if case.id not in known)


def _place(case: Case, named: Sequence[Document]) -> tuple[str, int, str] | None:
    holding = [document for document in named if any(stands(answer, document.text) for answer in case.accepted)]
    if len(holding) != 1 or any(stands(answer, case.input) for answer in case.accepted):
        return None
    document = holding[0]
    for answer in sorted(case.accepted, key=len, reverse=True):
        found = [match.start() for match in re.finditer(_alone(answer), document.text)]
        if not found:
            continue
        if len(found) > 1 or (fact := _fact(answer, document.text[: found[0]])) is None:
            return None
        start = found[0] + fact[0]
        rest = f"{heading(document)}{document.text[:start]} \0 {document.text[start + len(fact[1]) :]}"
        gone = not any(stands(answer, rest) for answer in case.accepted)
        return (document.id, start, fact[1]) if gone else None
    return None


def _alone(value: str) -> str:
    """A pattern for the value where it is no part of a longer word or number."""
    before = "" if re.match(f"[{UNSPACED}]", value) else _BEFORE
    if re.search(f"[{UNSPACED}]$", value):
        return before + re.escape(value)
    single = re.search(rf"(?<![^\W{UNSPACED}])[{KOREAN}]$", value)
    return before + re.escape(value) + (_AFTER if single else _JOINED)


def _fact(answer: str, before: str) -> tuple[int, str] | None:
    """The one number in the answer with its place, or the whole where it is a name in the middle of a sentence."""
    numbers = [(match.start(), match.group()) for match in _NUMBER.finditer(answer)]
    if numbers:
        return numbers[0] if len(numbers) == 1 else None
    return (0, answer) if _is_name(answer) and _WITHIN.search(before) else None


def _is_name(text: str) -> bool:
    """Up to four words in upper case."""
    parts = text.split()
    capital = all(part[0].isupper() and part[-1].isalpha() and len(part) > 1 for part in parts)
    return 0 < len(parts) <= 4 and capital and parts[0].casefold() not in _NO_NAMES


def _other(old: str, case: Case, among: tuple[Task, str]) -> str:
    """Another value of the same type, the same one each time; empty where there is none. `among`: the task, and a text in
    which the new value must not stand."""
    task, taken = among
    if _NUMBER.fullmatch(old):
        found = [number for each in task.examples for number in _NUMBER.findall(each.output)]
        values = [_cased(value, old) for value in found if _form(value) == _form(old) and not _padded(value)]
    else:
        asked = [each for each in task.examples if words(each.input)[:1] == words(case.input)[:1]]
        values = [each.output for each in asked if _is_name(each.output)]
    open_to = sorted({value for value in values if not stands(value, taken) and not stands(value, old)})
    turn = int(hashlib.sha256(case.id.encode("utf-8", "surrogatepass")).hexdigest()[:12], 16)
    return open_to[turn % len(open_to)] if open_to else ""


def _form(number: str) -> str:
    """What numbers of one kind share: `year`, `word` for `six`, `0.00` for `3.50`, `12` for what may be an hour or a month."""
    if not number.isdecimal():
        return re.sub(r"\d", "0", number) if number[0].isdecimal() else "word"
    if re.fullmatch(r"1[5-9]\d\d|20\d\d", number):
        return "year"
    return next((str(most) for most in _SIZES if int(number) <= most), "0" * len(number))


def _padded(number: str) -> bool:
    return number.isdecimal() and number != str(int(number))


def _cased(value: str, like: str) -> str:
    return value.capitalize() if like[:1].isupper() else value.lower()


# ---------------------------------------------------------------- what came out


def changed(
    benchmark: Benchmark, note: Mapping[str, Any], before: Mapping[str, Row], after: Sequence[Row]
) -> Changed | None:
    """From what the unit noted, and the answers before, at once and after another fit; who reads no documents answers at once as
    before. Answers that were lost are left out.

    None where it was not asked for, or where the approach cannot be given other documents from here.
    """
    if "edits" not in note:
        return None
    cases = {case.id: case for case in benchmark.heldout}
    seconds = note["seconds"]
    before = _kept(before.values())
    later = before if seconds is None else _kept(row for row in after if not row.variant)
    again = _kept(row for row in after if row.variant == "again")
    made = [Edit(**edit) for edit in note["edits"] if edit["key"] in before and edit["key"] in later]

    known = [edit for edit, said in zip(made, _said(made, cases, before), strict=True) if said == "old"]
    told = [edit for edit in known if edit.key in again]
    said, then = _said(known, cases, later), _said(told, cases, again)
    return Changed(
        cases=len(made),
        known=len(known),
        new=said.count("new"),
        old=said.count("old"),
        documents=len({edit["document"] for edit in note["edits"]}),
        seconds=seconds,
        examples=note.get("examples", 0),
        told=len(told),
        again=then.count("new") if again else None,
        again_seconds=note.get("again_seconds"),
        again_failed="problem" in note,
        by_group=by_group([cases[edit.key] for edit in known], [each == "new" for each in said]),
        again_by_group=by_group([cases[edit.key] for edit in told], [each == "new" for each in then]),
    )


def _said(edits: Sequence[Edit], cases: Mapping[str, Case], rows: Mapping[str, Row]) -> list[str]:
    """What each was answered, as of `_given`."""
    return [_given(edit, cases[edit.key].accepted, text_of(rows[edit.key].outcome)) for edit in edits]


def _kept(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.key: row for row in rows if not is_lost(row.outcome)}


def _given(edit: Edit, accepted: Sequence[str], text: str) -> str:
    """`new`, `old`, or empty for neither and for both."""
    now = {answer for given in accepted if (answer := edit.within(given)) != given}
    new, old = (any(stands(answer, text) for answer in answers) for answers in (now, accepted))
    return "" if new == old else "new" if new else "old"
