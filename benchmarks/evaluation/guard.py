"""What it costs, and what it saves, that an approach says it does not know in place of answers of which it is unsure.

A threshold of sureness is set on the selection cases so that at most a stated share of the right answers is lost by it, and
what it does is counted on the held-out cases. Of n right answers the threshold is the (k+1)-th least sure one, so that a new
right answer lies below it with a probability of (k+1)/(n+1) at most (split conformal prediction, arXiv 2107.07511; for graded
scores conformal risk control, arXiv 2208.02814). The adapters and indexes of the folds are not those that answer in the end,
so the share that is counted may be another one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmarks.checked import Guard, Held
from benchmarks.contract import Benchmark, Row
from benchmarks.evaluation.grounding import declining
from benchmarks.evaluation.handover import FEWEST, sure, too_many_unknown
from benchmarks.metrics._words import plain
from benchmarks.statistics.confidence import FIXED
from benchmarks.storage.outcomes import text_of
from strategies.contract import Case, Task

AT_MOST = (0.05, 0.1, 0.2, 0.3)
"""Shares of the right answers that may be lost."""
SAYS = "I do not know."
"""In place of an answer where the examples have no words for that."""
PARTS = 5
"""Of the selection cases: what one of them would have got is told by a threshold that is set on the others."""
SHOWN = 0.025


@dataclass(frozen=True)
class _Asked:
    """One case: how sure the answer is (None: there is none), its score, what silence would score, whether it is silence."""

    mark: float | None
    score: float
    silence: float
    silent: bool

    def stays(self, least: float) -> bool:
        """Whether it is an answer still."""
        return not self.silent and self.mark is not None and self.mark >= least

    @property
    def worth(self) -> float:
        """What is lost where it is held back."""
        return 0.0 if self.silent else max(0.0, self.score - self.silence)


def guard(
    benchmark: Benchmark, looked: Sequence[Sequence[Any]], rows: Sequence[Row], near: bool = False
) -> Guard | None:
    """`looked` are the selection answers: (case, text, score, how sure); `near` as of `handover.sure`. Scores are those of single
    answers, also where the metric is one over rows. None where the answers do not say how sure they are, where asking stopped
    early, and where too few answers are right to set anything.
    """
    if benchmark.sequential:
        return None
    said, examples = refusals(benchmark.task), {case.id: case for case in benchmark.task.examples}
    says = frozenset(map(plain, said))
    known = [
        _asked(row[3], row[2], says, (row[1], examples[row[0]]))
        for row in looked
        if len(row) > 3 and row[0] in examples
    ]
    cases = {case.id: case for case in benchmark.heldout}
    asked = [
        _asked(sure(benchmark, row, near), row.score, says, (text_of(row.outcome), cases[row.key])) for row in rows
    ]
    if len(known) < FEWEST or any(too_many_unknown([each.mark for each in some]) for some in (known, asked)):
        return None
    groups = [cases[row.key].group or row.key for row in rows]
    thresholds = {0.0: 0.0} | {share: mark for share in AT_MOST if (mark := threshold(known, share)) is not None}
    level = SHOWN / len(thresholds)
    held = [_held((share, mark), known, asked, (groups, level)) for share, mark in thresholds.items()]
    found = tuple(each for each in held if each is not None)
    if len(found) < 2:
        return None
    unanswerable = sum(each.silence for each in asked)
    return Guard(
        says=said[0] if said else SAYS,
        cases=len(rows),
        unanswerable=round(unanswerable),
        held=found,
        graded=benchmark.metric.graded,
        over_rows=benchmark.metric.over_rows,
    )


def refusals(task: Task) -> tuple[str, ...]:
    """The answers by which the examples of a task over documents say that there is none (`grounding.declining`), the one that
    most have first; no example that names a document has one. Empty where no example names any."""
    named = {case.output for case in task.examples if case.document_ids}
    if task.kind != "qa" or task.labels or not named:
        return ()
    return tuple(text for text in declining(task) if text not in named)


def threshold(known: Sequence[_Asked], share: float) -> float | None:
    """The highest mark below which at most the share of what is right lies, the uncertainty of so few cases counted in; None
    where they are too few for that share, or where all could be held back."""
    allowed = share * (sum(each.worth for each in known) + 1) - 1
    marks = sorted((each.mark, each.worth) for each in known if each.mark is not None)
    lost = 0.0
    for mark, tied in groupby(marks, key=lambda each: each[0]):
        lost += sum(worth for _, worth in tied)
        if lost > max(0.0, allowed) + 1e-9:
            return mark if allowed > -1e-9 else None
    return None


def _asked(mark: float | None, score: float, says: Collection[str], answered: tuple[str, Case]) -> _Asked:
    """`says`: how it may be said that there is no answer, each `plain`. Where the key says so, in whichever words, silence is
    right, and whatever else it accepts is silence."""
    given, keys = plain(answered[0]), {plain(text) for text in answered[1].accepted}
    unanswerable = not keys.isdisjoint(says)
    return _Asked(mark, score, float(unanswerable), mark is None or given in says or (unanswerable and given in keys))


def _held(
    at: tuple[float, float], known: Sequence[_Asked], asked: Sequence[_Asked], over: tuple[Sequence[str], float]
) -> Held | None:
    """What the threshold does; None where too few answers are left to say so."""
    share, mark = at
    groups, level = over
    kept = [each.stays(mark) for each in asked]
    scores = [each.score for each, stays in zip(asked, kept, strict=True) if stays]
    if len(scores) < FEWEST:
        return None
    owners = [group for group, stays in zip(groups, kept, strict=True) if stays]
    back = [each for each, stays in zip(asked, kept, strict=True) if not stays]
    given = [each for each in asked if not each.silent]
    expected = _expected(known, share)
    return Held(
        at_most=share,
        threshold=mark,
        answered=len(scores),
        figure=sum(scores) / len(scores),
        lower=FIXED.lower(scores, owners, level),
        upper=FIXED.upper(scores, owners, level),
        lost=_share(sum(each.worth for each in back), sum(each.worth for each in given)),
        stopped=_share(sum(1 - each.score for each in back if not each.silent), sum(1 - each.score for each in given)),
        overall=(sum(scores) + sum(each.silence for each in back)) / len(asked),
        expected_answered=len(expected) / len(known),
        expected_figure=_share(sum(expected), len(expected)),
        refused=sum(each.silence == 1 for each in back),
        wrongly_refused=sum(each.silence == 0 for each in back),
    )


def _expected(known: Sequence[_Asked], share: float) -> list[float]:
    """Scores of the selection cases that keep their answer, each under a threshold set on the other parts."""
    kept = []
    for part in range(PARTS):
        others = [each for place, each in enumerate(known) if place % PARTS != part]
        mark = threshold(others, share) if share else 0.0
        kept += [each.score for each in known[part::PARTS] if each.stays(0.0 if mark is None else mark)]
    return kept


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
