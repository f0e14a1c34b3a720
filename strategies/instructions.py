"""Which instructions a search tries besides the person's own, and when one of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any

from strategies.contract import Case, Fold, Task, Workbench
from strategies.pipeline import Setup
from strategies.prompting.proposals import COUNT, proposed, shown_cases
from strategies.prompting.rendering import Form
from strategies.prompting.wordings import library
from strategies.search import SearchResult, Standing, first_look, outdone

WORTH_ASKING = 2
"""First looks that the budget has to pay for before a teacher is asked for instructions."""


@dataclass
class Instructions:
    """Those of one search. Where there is a teacher it is asked for some, once the form of the prompt is chosen."""

    task: Task
    bench: Workbench
    _proposed: tuple[str, ...] | None = field(default=None, repr=False)
    """None: nobody was asked."""
    _silent: str = field(default="", repr=False)
    """Why the teacher said nothing."""

    @cached_property
    def seen(self) -> tuple[Case, ...]:
        """The examples that the teacher is shown; nothing is chosen by them."""
        return () if self.bench.teacher is None else shown_cases(self.task, self.bench.seed)

    @property
    def unseen(self) -> Task:
        """The task without these, and what is like them, among its selection cases: where each example is in one of them. What is
        like them stays where nothing else would be left to choose by."""
        if not self.seen:
            return self.task
        folds = self._without({case.group or case.id for case in self.seen}, lambda case: case.group or case.id)
        if not any(fold.selection for fold in folds):
            folds = self._without({case.id for case in self.seen}, lambda case: case.id)
        return replace(self.task, folds=folds)

    def _without(self, names: Collection[str], name: Callable[[Case], str]) -> tuple[Fold, ...]:
        kept = [tuple(case for case in fold.selection if name(case) not in names) for fold in self.task.folds]
        return tuple(replace(fold, selection=cases) for fold, cases in zip(self.task.folds, kept, strict=True))

    def on(self, chosen: Standing, tokens: float) -> list[Setup]:
        """The chosen prompt with other instructions, as many as the tokens pay a first look for."""
        cases = tokens / max(1.0, chosen.tokens_per_case)
        teacher, known = self.bench.teacher, len(library(self.task))
        if teacher is not None and self._paid(cases, known + COUNT) >= WORTH_ASKING:
            self._proposed, self._silent = proposed(self.task, teacher, self.seen)
        setup: Setup = chosen.configuration
        forms = self._forms(setup.form)
        return [replace(setup, form=form) for form in forms[: self._paid(cases, len(forms))]]

    def _paid(self, cases: float, most: int) -> int:
        """How many of them get a first look for so many answered cases in all: the fewer there are, the longer it is."""
        every = sum(len(fold.selection) for fold in self.unseen.folds)
        paid = [count for count in range(1, most + 1) if count * first_look(count, every)[1] <= cases]
        return max(paid, default=0)

    def _forms(self, form: Form) -> list[Form]:
        """One of the teacher's, then one of the library's, and so on."""
        added = [replace(form, added=text) for text in library(self.task)]
        proposals = [replace(form, proposed=text) for text in self._proposed or ()]
        return [each for each in chain.from_iterable(zip_longest(proposals, added)) if each is not None]

    def taken(self, chosen: Standing, others: SearchResult) -> Standing:
        """The best of the others, where the chosen prompt in the person's own words is not within noise of it on the same cases.

        In doubt the person's: whoever wrote them answers for them.
        """
        return others.best if outdone(chosen, others.best) else chosen

    def left_out(self, tried: Sequence[Setup]) -> bool:
        """Whether the budget did not pay for a look at all of them."""
        return len(tried) < len(self._forms(Form()))

    @property
    def record(self) -> Mapping[str, Any]:
        """What a reader wants to know of the teacher's part; empty where it had none."""
        if self._proposed is None or self.bench.teacher is None:
            return {}
        why = {"silent": self._silent} if self._silent else {}
        return {"proposed": {"teacher": self.bench.teacher.model.name, "instructions": len(self._proposed), **why}}
