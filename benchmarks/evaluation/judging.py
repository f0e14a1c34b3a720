"""What a judge of one's own says of stored answers, and how far people agree with it: shown beside the figures, never one of
them."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.checked import ByGroup
from benchmarks.contract import BadInput, Benchmark, Metric
from benchmarks.data.fingerprint import canonical
from benchmarks.review.sheets import NO, YES, read_sheet, write_sheet
from benchmarks.running.foreign import foreign_metric_code
from benchmarks.scored import text_score
from benchmarks.statistics.counted import by_group
from benchmarks.storage.store import Store
from strategies.contract import Case, Prediction

GRADES, READ = "judge", "read by people"
"""Where a run's store keeps what the judge said last, and what people said, whichever judge it was for."""
SHEET = "to-judge.csv"
COLUMNS = ("id", "input", "expected", "answer", "right")
TO_READ = 100
RIGHT = 0.5
"""A grade from here on counts as right, where it is held against what people say."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer to a held-out case, and who gave it."""

    case: Case
    text: str
    by: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.case.id}|{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    @property
    def digest(self) -> str:
        """A hash of all that a judge may go by: the whole case, and the answer."""
        return hashlib.sha256(b"\0".join((canonical(self.case), self.text.encode()))).hexdigest()[:24]


@dataclass(frozen=True, kw_only=True)
class OfOne:
    """What the judge says of one approach. Held-out cases that it was asked and gave no answer to are wrong and not shown to the
    judge."""

    cases: int
    """That it was asked."""
    right: float | None
    """Mean grade, over these cases; None where some of its answers have no grade."""
    read: int
    """Of its answers, those that people read too."""
    agreed: int
    ungraded: int = 0
    """Answers that came after the judge was asked."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A judge beside people, over different answers: the same one of several approaches counts once."""

    name: str
    answers: int
    by: Mapping[str, OfOne]
    both: int = 0
    """Right for the judge and for people."""
    neither: int = 0
    too_kind: int = 0
    """Right for the judge alone."""
    too_strict: int = 0
    by_case: ByGroup = ()
    """(agreed, read) of each case or group of cases, where several of the answers that people read are to one of these."""

    @property
    def read(self) -> int:
        return self.both + self.neither + self.too_kind + self.too_strict

    @property
    def kappa(self) -> float | None:
        """Agreement beyond what both would reach by chance (Cohen 1960), at most 1; None where one of them is always of the
        same opinion."""
        if not self.read:
            return None
        agreed = (self.both + self.neither) / self.read
        judge, people = (self.both + self.too_kind) / self.read, (self.both + self.too_strict) / self.read
        chance = judge * people + (1 - judge) * (1 - people)
        return None if judge in (0, 1) or people in (0, 1) else (agreed - chance) / (1 - chance)


def answers_of(benchmark: Benchmark, names: Sequence[str], store: Store) -> list[Answer]:
    """Every different answer to a held-out case, in the order of the cases."""
    by: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for row in store.rows(name, "heldout"):
            if isinstance(row.outcome, Prediction):
                by.setdefault((row.key, row.outcome.text), []).append(name)
    cases = {case.id: case for case in benchmark.heldout}
    found = [Answer(case=cases[key], text=text, by=tuple(names)) for (key, text), names in by.items() if key in cases]
    place = {case.id: number for number, case in enumerate(benchmark.heldout)}
    return sorted(found, key=lambda answer: (place[answer.case.id], answer.key))


@dataclass(frozen=True, kw_only=True)
class Grading:
    """The judge over the answers; what it said of one is kept before the next is asked for, since it may cost money."""

    judge: Metric
    name: str
    """As a person gave it."""
    answers: Sequence[Answer]
    store: Store

    def grades(self) -> Iterator[tuple[str, float]]:
        """Raises `BadInput` for a judge of whole tables, and `ScoreFailure` where it gives no grade."""
        if self.judge.over_rows:
            raise BadInput(f"{self.judge.name} scores a whole table of answers, and a judge is asked for each.")
        journal, identity = self.store.journal(GRADES), self.identity  # Once: it reads the code of the judge's package.
        for answer in self.answers:
            key = f"{identity}|{answer.digest}"
            known = journal.get(key)
            if known is None:
                known = {"grade": text_score(self.judge, answer.case, answer.text)}
                journal.put(key, known)
            yield answer.key, float(known["grade"])

    @property
    def shown_name(self) -> str:
        """Without the folders that a file of one's own lies in."""
        where, colon, function = self.name.rpartition(":")
        return f"{Path(where).name}{colon}{function}"

    @property
    def identity(self) -> str:
        """Another file, function or parameter is another judge, and so is an edited version of an installed one."""
        code = foreign_metric_code(self.judge)
        own = getattr(self.judge, "source_sha256", "") or repr(self.judge)
        return _hash([self.shown_name, own, *([code] if code else [])])

    def keep(self, grades: Mapping[str, float]) -> None:
        self.store.set_meta(GRADES, {"name": self.shown_name, "grades": dict(grades)})


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def judged(benchmark: Benchmark, names: Sequence[str], store: Store) -> Judge | None:
    """What was kept, as far as the run still has these answers; None where no judge was asked."""
    kept = store.meta(GRADES)
    if not kept:
        return None
    grades: Mapping[str, float] = kept["grades"]
    people: Mapping[str, bool] = store.meta(READ) or {}
    everything = answers_of(benchmark, names, store)
    answers = [answer for answer in everything if answer.key in grades]
    heldout = {case.id for case in benchmark.heldout}
    read = [(answer.case, grades[answer.key] >= RIGHT, people[answer.key]) for answer in answers if answer.key in people]
    table = Counter((graded, found) for _, graded, found in read)
    owners = [replace(case, group=case.group or case.id) for case, _, _ in read]
    by = {}
    for name in names:
        asked = sum(row.key in heldout for row in store.rows(name, "heldout"))
        by[name] = _of_one([each for each in everything if name in each.by], asked, grades, people)
    return Judge(
        name=kept["name"],
        answers=len(answers),
        by={name: found for name, found in by.items() if found is not None},
        both=table[True, True],
        neither=table[False, False],
        too_kind=table[True, False],
        too_strict=table[False, True],
        by_case=by_group(owners, [graded == found for _, graded, found in read]),
    )


def _of_one(
    answers: Sequence[Answer], cases: int, grades: Mapping[str, float], people: Mapping[str, bool]
) -> OfOne | None:
    if not answers:
        return None
    graded = [answer.key for answer in answers if answer.key in grades]
    read = [key for key in graded if key in people]
    return OfOne(
        cases=cases,
        right=sum(grades[key] for key in graded) / cases if len(graded) == len(answers) else None,
        read=len(read),
        agreed=sum((grades[key] >= RIGHT) == people[key] for key in read),
        ungraded=len(answers) - len(graded),
    )


# ---------------------------------------------------------------- what people say


def write_sample(answers: Sequence[Answer], path: Path, number: int, seed: int) -> list[Case]:
    """A sheet of so many random answers, for a person to write yes or no; who gave them and what the judge says does not stand
    there. Returns the cases that it shows."""
    drawn = random.Random(seed).sample(list(answers), min(number, len(answers)))
    write_sheet(
        path,
        COLUMNS,
        ((each.key, each.case.input, " | ".join(each.case.accepted), each.text, "") for each in drawn),
    )
    return list({each.case.id: each.case for each in drawn}.values())


def read_people(path: Path, answers: Sequence[Answer]) -> dict[str, bool]:
    """What the sheet says of which answer; rows without a word are left out. Raises `BadInput` with the line."""
    known, found = {answer.key for answer in answers}, dict[str, bool]()
    for place, row in read_sheet(path, COLUMNS):
        word = row["right"].strip().casefold()
        if not word:
            continue
        if word not in YES | NO:
            raise BadInput(f'{path.name}, {place}: "right" holds "{word[:20]}". Write yes or no, or nothing.')
        if row["id"] not in known:
            raise BadInput(
                f'{path.name}, {place}: "{row["id"][:60]}" is no answer of this run. Use the sheet that it wrote.'
            )
        found[row["id"]] = word in YES
    return found


def keep_people(said: Mapping[str, bool], store: Store) -> None:
    """Beside what was said before; of the same answer the later word counts."""
    store.set_meta(READ, {**(store.meta(READ) or {}), **said})
