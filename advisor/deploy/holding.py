"""What an answer of a fitted candidate is held back for: how unsure it is, or a form that the task does not allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.checked import Guard, Held
from benchmarks.evaluation.guard import SAYS
from benchmarks.evaluation.misfits import allows_all, misfit_of
from strategies.answers import sureness
from strategies.contract import Outcome, Prediction


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A threshold of sureness, if any, and what is said in place of answers below it and of those of another form."""

    guard: Guard | None = None
    """None where no threshold could be set."""
    held: Held | None = None
    """None: nothing is held back for being unsure."""
    wrong: Callable[[str], str] = field(compare=False)
    """What is wrong with the form of an answer, or nothing."""

    @property
    def says(self) -> str:
        return SAYS if self.guard is None else self.guard.says

    def holds_back(self, outcome: Outcome) -> bool:
        """Whether it is an answer that is too unsure, or of no form that the task allows."""
        return isinstance(outcome, Prediction) and (self._is_unsure(outcome) or bool(self.problem(outcome)))

    def _is_unsure(self, outcome: Outcome) -> bool:
        sure = sureness(outcome)
        return self.held is not None and (sure is None or sure < self.held.threshold)

    def problem(self, outcome: Outcome) -> str:
        """`outside the labels`, `not of the schema`: what whoever takes the answer up could not use; empty where nothing is."""
        return self.wrong(outcome.text) if isinstance(outcome, Prediction) else ""


def wrong_form(form: Mapping[str, Any]) -> Callable[[str], str]:
    """`form`: `kind`, `labels` and `schema` of the task."""
    return misfit_of(form["kind"], form["labels"], form["schema"])


def has_a_form(form: Mapping[str, Any]) -> bool:
    """Whether there are answers that the task does not allow."""
    return not allows_all(form["kind"], form["labels"], form["schema"])


def must_be_a_form(form: Mapping[str, Any]) -> None:
    """Raises `TypeError` for what is none."""
    if not (
        isinstance(form["kind"], str)
        and isinstance(form["labels"], list)
        and all(isinstance(label, str) for label in form["labels"])
        and isinstance(form["schema"], dict | None)
    ):
        raise TypeError("the form of answers is something else")
