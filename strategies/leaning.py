"""Shifts the shares of labels by one number, so that a metric over rows of labels is as high as selection cases let it be.

Where a label is rare, the answer of the greatest share is seldom the one by which F1 is highest. For F1 of a label the number is
added to the logarithm of that label's share; for macro-F1 it is how much of the rarity of each label is (logit adjustment, Menon
et al., arXiv 2007.07314).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from strategies.contract import Case, OverRows, ScoresRows, Task
from strategies.standalone.odds import moved

OF_LABEL = (0.0, *(sign * size for size in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0) for sign in (1, -1)))
"""Of a label's log-share; the smallest first, to which ties go."""
OF_ALL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""Of minus the log of each label's share of the examples."""
LEAST_CASES = 5
"""Selection cases of the rare labels with fewer of which nothing is chosen by the metric: chance would choose."""
SHIFT = "shift"
"""What it is called in the record of a fit."""
PARTS = 5
"""Of the selection cases: what is chosen for one of them is chosen on the others."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What was chosen, in plain values."""

    by: float
    of: str
    """The label that the metric is of; empty: all alike."""
    towards: tuple[tuple[str, float], ...]
    """(label, what a shift of 1 adds to its log-share); nothing for the others."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Shift:
        return cls(by=values["by"], of=values["of"], towards=tuple((label, size) for label, size in values["towards"]))

    @property
    def added(self) -> dict[str, float]:
        """Label -> what is added to its log-share."""
        return {label: self.by * size for label, size in self.towards}

    def over(self, labels: Sequence[str]) -> Shift:
        """The same for these labels: of new ones nothing is known yet, so that they are taken for as rare as the others on
        average; where the metric is of one label they get nothing."""
        known = dict(self.towards)
        kept = [known[label] for label in labels if label in known]
        usual = math.fsum(kept) / len(kept) if kept and not self.of else 0.0
        moved = ((label, known.get(label, usual)) for label in labels)
        return replace(self, towards=tuple((label, size) for label, size in moved if size))

    def of_shares(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Shares of labels as it moves them, summing to 1."""
        return moved(shares, self.added)


@dataclass(frozen=True, kw_only=True)
class Leaning:
    """Which shifts there are to choose from, and the metric that they are for."""

    metric: OverRows
    towards: tuple[tuple[str, float], ...]
    """(label, what a shift of 1 adds to its log-share); nothing for the others."""
    sizes: tuple[float, ...]
    rare: frozenset[str]
    """The labels of which there may be too few cases."""

    @classmethod
    def of(cls, task: Task) -> Leaning | None:
        """None where the metric is the mean of the scores, or there are no labels."""
        metric = task.score.over_rows if isinstance(task.score, ScoresRows) else None
        if metric is None or not task.labels:
            return None
        if metric.label:
            meant = [label for label in task.labels if _plain(label) == _plain(metric.label)][:1]
            towards = tuple((label, 1.0) for label in meant)
            return cls(metric=metric, towards=towards, sizes=OF_LABEL, rare=frozenset(meant))
        counts = Counter(case.output for case in task.examples)
        whole = len(task.examples) + len(task.labels)  # A label without an example counts as if it had a share of one.
        towards = tuple((label, -math.log((counts[label] + 1) / whole)) for label in task.labels)
        commonest = max(task.labels, key=counts.__getitem__)
        rare = frozenset(task.labels) - {commonest}
        return cls(metric=metric, towards=towards, sizes=OF_ALL, rare=rare)

    def enough(self, cases: Sequence[Case]) -> bool:
        """Whether these cases hold as many of the rare labels as it takes to choose by the metric."""
        return sum(case.output in self.rare for case in cases) >= LEAST_CASES

    def figure(self, answers: Sequence[tuple[Case, str]]) -> float:
        """The metric over (case, answer)."""
        return float(self.metric.figures(answers, _counts([range(0)], len(answers)))[0])

    def without(self, answers: Sequence[tuple[Case, str]], parts: Sequence[Sequence[int]]) -> list[float]:
        """The metric over all answers but those at the places of a part, for each part."""
        return [float(each) for each in self.metric.figures(answers, _counts(parts, len(answers)))]

    def worths(self, answers: Sequence[tuple[Case, str]]) -> list[float]:
        """A number for each answer, the mean of which is the metric over all of them: more where the metric is less without it
        (jackknife). So configurations are compared case by case."""
        count = len(answers)
        if count < 2:
            return [self.figure(answers)] * count
        whole, left = self.figure(answers), self.without(answers, [[place] for place in range(count)])
        usual = math.fsum(left) / count
        return [whole + (count - 1) * (usual - each) for each in left]

    @property
    def options(self) -> list[Shift | None]:
        """None, that nothing is added, then the smaller before the larger."""
        return [
            Shift(by=size, of=self.metric.label, towards=self.towards) if size and self.towards else None
            for size in self.sizes
        ]


def _plain(label: str) -> str:
    return label.strip().casefold()


def _counts(left_out: Sequence[Sequence[int]], cases: int) -> Any:
    import numpy as np

    counts = np.ones((len(left_out), cases))
    for row, places in zip(counts, left_out, strict=True):
        row[list(places)] = 0.0
    return counts


def parts_of(cases: int) -> list[range]:
    """The places of so many cases in parts."""
    return [range(part, cases, PARTS) for part in range(min(PARTS, cases))]


def cross_fitted(marks: Sequence[Sequence[float]], cases: int) -> list[int]:
    """For each case the option that is best on the cases of the other parts; ties go to the first. `marks`: for each option,
    how good it is without each of the parts."""
    chosen = [0] * cases
    for part, places in enumerate(parts_of(cases)):
        best = max(range(len(marks)), key=lambda option: (round(marks[option][part], 9), -option))
        for place in places:
            chosen[place] = best
    return chosen


def shift_told(shift: Shift | None) -> dict[str, Any]:
    """The shift for the record of a fit; empty where there is none."""
    return {} if shift is None else {SHIFT: asdict(shift)}


def shift_in(record: Mapping[str, Any]) -> Shift | None:
    """The shift of such a record."""
    return Shift.from_dict(record[SHIFT]) if record.get(SHIFT) else None
