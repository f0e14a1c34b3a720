"""Which instructions a search tries besides the person's own, on which prompts, and when one of them is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, zip_longest
from typing import Any

from strategies.contract import Case, Task, Workbench
from strategies.pipeline import Setup
from strategies.prompting.proposals import proposed, shown_cases
from strategies.prompting.rendering import Form
from strategies.prompting.wordings import library
from strategies.search import Finished, Standing, within_noise

LEADING = 2
"""Prompts that other instructions are tried on: the best after the first look."""
WORTH_ASKING = 2
"""Further looks that the budget has to pay for before a teacher is asked for instructions."""


@dataclass
class Instructions:
    """Those of one search; a teacher is asked for some, where there is one, once the first look is over."""

    task: Task
    bench: Workbench
    _proposed: tuple[str, ...] | None = field(default=None, repr=False)
    """None: nobody was asked."""

    @cached_property
    def seen(self) -> tuple[Case, ...]:
        """The examples that the teacher is shown; nothing is chosen by them."""
        return () if self.bench.teacher is None else shown_cases(self.task, self.bench.seed)

    @property
    def unseen(self) -> Task:
        """The task without these, and what is like them, among its selection cases: where each example is in one of them."""
        names = {case.group or case.id for case in self.seen}

        def fresh(cases: Sequence[Case]) -> tuple[Case, ...]:
            return tuple(case for case in cases if (case.group or case.id) not in names)

        folds = tuple(replace(fold, selection=fresh(fold.selection)) for fold in self.task.folds)
        return replace(self.task, folds=folds) if names else self.task

    def further(self, standings: Sequence[Standing], tokens: float) -> list[Setup]:
        """The leading prompts with other instructions, as many as the tokens pay a first look for (`search.Further`)."""
        looks = int(tokens / max(1, standings[0].tokens))
        if looks < 1:
            return []
        teacher = self.bench.teacher
        if teacher is not None and looks >= WORTH_ASKING:
            self._proposed = proposed(self.task, teacher, self.seen)
        leading: list[Setup] = [standing.configuration for standing in standings[:LEADING]]
        return [replace(setup, form=form) for setup in leading for form in self._forms(setup.form)][:looks]

    def _forms(self, form: Form) -> list[Form]:
        """One of each kind after the other."""
        added = [replace(form, added=text) for text in library(self.task)]
        proposals = [replace(form, proposed=text) for text in self._proposed or ()]
        return [each for each in chain.from_iterable(zip_longest(proposals, added)) if each is not None]

    def settled(self, outcome: Finished, chosen: Standing) -> Standing:
        """The chosen prompt, in the person's own words where these are within noise of the others."""
        setup: Setup = chosen.configuration
        own = replace(setup, form=setup.form.own)
        for standing in outcome.standings:
            if standing.configuration == own and within_noise(chosen.scores, standing.scores):
                return standing
        return chosen

    def rising(self, outcome: Finished, chosen: Standing) -> bool:
        """Whether another instruction was taken, and the budget ended before all of them had a look."""
        looked_at = sum(not is_own(standing.configuration) for standing in outcome.standings)
        return not is_own(chosen.configuration) and looked_at < LEADING * len(self._forms(Form()))

    @property
    def record(self) -> Mapping[str, Any]:
        """What a reader wants to know of the teacher's part; empty where it had none."""
        if self._proposed is None or self.bench.teacher is None:
            return {}
        return {"proposed": {"teacher": self.bench.teacher.model.name, "instructions": len(self._proposed)}}


def is_own(setup: Setup) -> bool:
    """Whether its instruction is the person's and nothing else."""
    return setup.form == setup.form.own
