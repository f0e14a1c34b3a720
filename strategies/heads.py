"""Logistic regression on features, and how an approach without a language model chooses among its options."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strategies.answers import sureness
from strategies.contract import Case, Fitted, Prediction, Query, Sampling, Task, Trial, Usage, Workbench

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

    @property
    def table(self) -> Any:
        """Array (classes, features + 1) that `from_table` reads."""
        import numpy as np

        return np.hstack([self.weights, self.offsets[:, None]])

    @classmethod
    def from_table(cls, classes: Sequence[str], table: Any) -> Head:
        return cls(tuple(classes), table[:, :-1], table[:, -1])


def chosen(approach: str, on: tuple[Task, Workbench], options: Sequence[Option], build: Build) -> tuple[Option, Option]:
    """The option that scores best on the selection cases of all folds, the first among equals, and a record of the choice.

    Every option is built from the training part of each fold, and told as a trial.
    """
    task, bench = on
    looks = [_looks(task, option, build) for option in options]
    scores = [sum(row[2] for row in rows) / len(rows) for rows in looks]
    best = max(range(len(options)), key=scores.__getitem__)
    cases = sum(len(fold.selection) for fold in task.folds)
    for option, score in zip(options, scores, strict=True):
        bench.tried(Trial(approach=approach, configuration=option, score=score, cases=cases, tokens=0))
    record = {
        **options[best],
        "selection_score": scores[best],
        "selection_cases": cases,
        "configurations_tried": len(options),
        "selection_answers": looks[best],
    }
    return options[best], record


def _looks(task: Task, option: Option, build: Build) -> list[list[Any]]:
    return [row for number, fold in enumerate(task.folds) for row in looked(task, number, build(fold.train, option))]


def looked(task: Task, fold: int, fitted: Fitted) -> list[list[Any]]:
    """[case id, answer, score, how sure] of every selection case of a fold."""
    cases = task.folds[fold].selection
    found = dict(fitted.answer([Query.of(case.input) for case in cases], Sampling()))
    rows: list[list[Any]] = []
    for case in cases:
        outcome = found[Query.of(case.input).key]
        text = outcome.text if isinstance(outcome, Prediction) else ""
        rows.append([case.id, text, task.score(case, outcome), sureness(outcome)])
    return rows
