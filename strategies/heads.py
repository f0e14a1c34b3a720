"""Logistic regression on features, and how an approach without a language model chooses among its options."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from strategies.answers import sureness
from strategies.contract import Case, Fitted, Prediction, Query, Sampling, Task, Trial, Usage, Workbench
from strategies.leaning import Leaning, Shift, cross_fitted, parts_of, shift_told
from strategies.weighing import clearly_below, log_share

Option = Mapping[str, Any]
"""One configuration in plain values."""
Build = Callable[[Sequence[Case], Option], Fitted]


@dataclass(frozen=True)
class Head:
    """Weights of shape (classes, features) and offsets of shape (classes,)."""

    classes: tuple[str, ...]
    weights: Any
    offsets: Any

    @classmethod
    def fit(cls, features: Any, wanted: Sequence[str], strength: float) -> Head:
        """`features` is an array or a sparse matrix of shape (rows, features); `strength` the inverse regularisation."""
        import numpy as np
        from sklearn.linear_model import LogisticRegression

        classes = tuple(sorted(set(wanted)))
        if len(classes) == 1:
            return cls(classes, np.zeros((1, features.shape[1])), np.zeros(1))
        numbers = {name: place for place, name in enumerate(classes)}
        model = LogisticRegression(C=strength, max_iter=2000)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            model.fit(features, np.array([numbers[name] for name in wanted]))
        weights, offsets = model.coef_, model.intercept_
        if len(classes) == 2:
            weights, offsets = np.vstack([-weights / 2, weights / 2]), np.concatenate([-offsets / 2, offsets / 2])
        return cls(classes, weights, offsets)

    def probabilities(self, features: Any) -> Any:
        """Array (rows, classes)."""
        import numpy as np

        marks = features @ self.weights.T + self.offsets
        odds = np.exp(marks - marks.max(1, keepdims=True))
        return odds / odds.sum(1, keepdims=True)

    def label(self, shares: Any, usage: tuple[Usage, ...]) -> Prediction:
        """The answer that one row of probabilities gives."""
        spread = {name: float(share) for name, share in zip(self.classes, shares, strict=True)}
        return Prediction(text=max(spread, key=lambda name: spread[name]), probabilities=spread, usage=usage)

    def leant(self, shift: Shift | None) -> Head:
        """The same with this added to the log-shares of classes."""
        import numpy as np

        if shift is None:
            return self
        added = shift.added
        return replace(self, offsets=self.offsets + np.array([added.get(name, 0.0) for name in self.classes]))

    @property
    def table(self) -> Any:
        """Array (classes, features + 1) that `from_table` reads."""
        import numpy as np

        return np.hstack([self.weights, self.offsets[:, None]])

    @classmethod
    def from_table(cls, classes: Sequence[str], table: Any) -> Head:
        return cls(tuple(classes), table[:, :-1], table[:, -1])


@dataclass(frozen=True)
class Looked:
    """What an option answered on selection cases."""

    rows: list[list[Any]]
    """[case id, answer, score, how sure] of each."""
    logs: list[float]
    """The logarithm of the share that it gave to each right answer; fewer where an answer has no shares."""
    shares: list[Mapping[str, float]] = field(default_factory=list)
    """Of the labels, for each case, where they may be shifted (`Leaning`); else none."""
    worths: list[float] = field(default_factory=list)
    """What each case is worth to a metric over rows; none where the mean score is what counts."""
    shift: Shift | None = None
    """With which it answers best; each of `rows` has the one that other cases name."""

    @property
    def score(self) -> float:
        return float(sum(row[2] for row in self.rows) / len(self.rows))

    @property
    def values(self) -> list[float]:
        """Of each case, what it is compared by."""
        return self.worths or [row[2] for row in self.rows]

    @property
    def mark(self) -> float:
        return float(sum(self.values) / len(self.rows))

    def trial(self, approach: str, option: Mapping[str, Any], tokens: int) -> Trial:
        """As the search tells it, which cost so many tokens."""
        return Trial(
            approach=approach,
            configuration=option,
            score=self.score,
            cases=len(self.rows),
            tokens=tokens,
            mark=self.mark if self.worths else None,
        )

    def clearly_below(self, other: Looked) -> bool:
        return clearly_below(self.values, other.values)

    def leant(self, task: Task) -> Looked:
        """With the shift that the task's metric over rows asks for; as it is without such a metric, or with too few cases."""
        leaning = Leaning.of(task)
        known = {case.id: case for case in task.examples}
        cases = [known[row[0]] for row in self.rows]
        if leaning is None or not leaning.enough(cases) or len(self.shares) < len(self.rows):
            return self
        options = [_answered(self, shift) for shift in leaning.options]
        answers = [[(case, text) for case, (text, _) in zip(cases, option, strict=True)] for option in options]
        best = max(range(len(options)), key=lambda place: (round(leaning.figure(answers[place]), 9), -place))
        crossed = cross_fitted([leaning.without(each, parts_of(len(cases))) for each in answers], len(cases))
        taken = [
            (case, *options[option][place]) for place, (case, option) in enumerate(zip(cases, crossed, strict=True))
        ]
        rows = [[case.id, text, task.score(case, Prediction(text=text)), sure] for case, text, sure in taken]
        worths = leaning.worths([(case, text) for case, text, _ in taken])
        return replace(self, rows=rows, worths=worths, shift=leaning.options[best])


def _answered(look: Looked, shift: Shift | None) -> list[tuple[str, float]]:
    """(answer, its share) of each case with this added to the log-shares."""
    found = []
    for shares in look.shares:
        spread = shares if shift is None else shift.of_shares(shares)
        text = max(spread, key=lambda name: spread[name])
        found.append((text, spread[text]))
    return found


def best_of(looks: Sequence[Looked]) -> int:
    """The place of the option that gives the right answers the largest shares, of those whose score is not clearly below the
    highest. A few dozen scores tie or differ by chance, and shares tell more (LOG.md); without any it is the first of those
    with the highest score."""
    highest = max(range(len(looks)), key=lambda place: looks[place].mark)
    if any(len(look.logs) < len(look.rows) for look in looks):
        return highest
    close = [place for place, look in enumerate(looks) if not look.clearly_below(looks[highest])]
    return max(close, key=lambda place: sum(looks[place].logs))


def chosen(approach: str, on: tuple[Task, Workbench], options: Sequence[Option], build: Build) -> tuple[Option, Option]:
    """The best option on the selection cases of all folds (`best_of`), and a record of the choice.

    Every option is built from the training part of each fold, and told as a trial.
    """
    task, bench = on
    looks = [
        joined([looked(task, number, build(fold.train, option)) for number, fold in enumerate(task.folds)]).leant(task)
        for option in options
    ]
    best, cases = best_of(looks), len(looks[0].rows)
    for option, look in zip(options, looks, strict=True):
        bench.tried(look.trial(approach, option, 0))
    record = {
        **options[best],
        **shift_told(looks[best].shift),
        "selection_score": looks[best].score,
        "selection_cases": cases,
        "configurations_tried": len(options),
        "selection_answers": looks[best].rows,
    }
    return options[best], record


def joined(looks: Sequence[Looked]) -> Looked:
    """Those of all folds, one after another."""
    return Looked(
        rows=[row for look in looks for row in look.rows],
        logs=[log for look in looks for log in look.logs],
        shares=[shares for look in looks for shares in look.shares],
    )


def looked(task: Task, fold: int, fitted: Fitted) -> Looked:
    """Every selection case of a fold."""
    cases = task.folds[fold].selection
    found = dict(fitted.answer([Query.of(case.input) for case in cases], Sampling()))
    rows, logs, spread = list[list[Any]](), list[float](), list[Mapping[str, float]]()
    leans = Leaning.of(task) is not None
    for case in cases:
        outcome = found[Query.of(case.input).key]
        text, shares = (outcome.text, outcome.probabilities) if isinstance(outcome, Prediction) else ("", None)
        rows.append([case.id, text, task.score(case, outcome), sureness(outcome)])
        if shares:
            logs.append(log_share(shares, case))
            spread += [dict(shares)] if leans else []
    return Looked(rows, logs, spread)
