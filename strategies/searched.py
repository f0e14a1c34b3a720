"""The search of an approach that is prompted: its setups are raced, then other words and other examples for the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from strategies.beyond import gone_beyond, pays
from strategies.contract import Task
from strategies.instructions import Instructions
from strategies.pipeline import Pipeline, Setup
from strategies.search import HalvingSearch, SearchResult, Standing, outdone
from strategies.selection import PipelineBuilder, answers_of, evidence_of
from strategies.traits import Preference

FORMS_SHARE, WORDS_SHARE, DRAWS_SHARE = 0.6, 0.1, 0.3
"""Of the budget: for the form of a prompt, for what is said besides the instruction, and for which examples it shows."""


def record_of(outcome: SearchResult, chosen: Any) -> dict[str, Any]:
    """What a reader wants to know of a search."""
    return {
        "selection_answers": answers_of(chosen.notes),
        "selection_score": chosen.mean,
        "selection_cases": len(chosen.scores),
        "configurations_tried": len(outcome.standings),
        "rising": outcome.rising,
    }


def fit_searched(
    approach: str,
    builder: PipelineBuilder,
    setups: Sequence[Setup],
    prefer: Preference,
    words: Instructions | None = None,
) -> Pipeline:
    """Races the setups on the selection cases and builds the best, or the cheapest within noise of it, on all examples.

    With `words` the chosen one is tried with other instructions first; then with the other ways to search that the setups have,
    and with several sets of examples or, where it shows the nearest ones, with these in the other order. What is not of a share
    of its own is tried if what is left of the budget pays for it.
    """
    course = _Course(approach, builder, builder.task if words is None else words.unseen)
    course.begin(setups, prefer)
    if words is not None:
        course.reword(words)
    course.search_otherwise(setups)
    course.show_others()
    record = {**course.record, **({} if words is None else words.record), **builder.noted}
    chosen = course.chosen
    return replace(builder.finish(chosen.configuration, evidence_of(chosen.notes)), record=record)


class _Course:
    """One search as it goes: what is chosen so far, and what is told of how it was found."""

    chosen: Standing
    record: dict[str, Any]

    def __init__(self, approach: str, builder: PipelineBuilder, task: Task) -> None:
        self.approach, self.builder, self.task = approach, builder, task
        self.races: list[SearchResult] = []

    def begin(self, setups: Sequence[Setup], prefer: Preference) -> None:
        """Races these; and what is larger than the best of them, where the best is asked for."""
        share = FORMS_SHARE if any(setup.draws for setup in setups) else 1.0
        outcome = self._race(setups, share)
        self.chosen = outcome.best if prefer == "best" else outcome.cheapest()
        self.record = record_of(outcome, self.chosen)
        if prefer == "best" and (larger := self.builder.larger(self.chosen.configuration)):
            means = share * self._tokens, self._tokens
            chosen, told = gone_beyond((outcome, self.chosen), larger, self._race, means)
            if told is None:
                self.record["rising"] = True
            else:
                self._take(chosen, told)

    def reword(self, words: Instructions) -> None:
        """What is chosen with other instructions."""
        if not (others := words.on(self.chosen, WORDS_SHARE * self._tokens)):
            return
        told = self._race(others, WORDS_SHARE)
        taken = words.taken(self.chosen, told)
        rising = taken is not self.chosen and (told.rising or words.left_out(others))
        self._take(taken, replace(told, rising=rising))

    def search_otherwise(self, setups: Sequence[Setup]) -> None:
        """What is chosen with the other ways to search that these have."""
        tried = [each.configuration for told in self.races for each in told.standings]
        if ways := [setup for setup in searching(self.chosen.configuration, setups) if setup not in tried]:
            self._refine(ways, DRAWS_SHARE if self.chosen.configuration.draws else 0.0)

    def show_others(self) -> None:
        """What is chosen with other sets of examples, or with the nearest ones in the other order."""
        if self.chosen.configuration.draws:
            shown = self._race(self.builder.draws(self.chosen.configuration), DRAWS_SHARE)
            self._take(shown.best, shown)
        elif other := turned(self.chosen.configuration):
            self._refine([other], 0.0)

    @property
    def _tokens(self) -> float:
        return float(self.builder.bench.tuning_tokens)

    def _race(self, entered: Sequence[Setup], share: float) -> SearchResult:
        search = HalvingSearch(self.approach, self.task, self.builder.bench, share, self.builder.judge)
        self.races.append(search.run(entered, self.builder.looks))
        return self.races[-1]

    def _refine(self, others: Sequence[Setup], kept: float) -> None:
        """Takes one of these where it is better beyond noise, if what is left but for a share that is kept pays for a look."""
        left = (1 - kept) * self._tokens - sum(each.tokens for told in self.races for each in told.standings)
        if not pays(self.chosen, others, left):
            self.record["rising"] = True
            return
        shown = self._race(others, min(DRAWS_SHARE, left / self._tokens))
        better = outdone(self.chosen, shown.best)
        self._take(shown.best if better else self.chosen, replace(shown, rising=better and shown.rising))

    def _take(self, chosen: Standing, told: SearchResult) -> None:
        """Goes on with this one; the record has the search that named it too."""
        tried = self.record["configurations_tried"] + len(told.standings)
        rising = self.record["rising"] or told.rising
        self.chosen = chosen
        self.record |= record_of(told, chosen) | {"configurations_tried": tried, "rising": rising}


def searching(setup: Setup, setups: Sequence[Setup]) -> list[Setup]:
    """The setup, if it shows passages, with each other way to search that some of these have."""
    modes = dict.fromkeys(each.mode for each in setups if each.passages)
    return [replace(setup, mode=mode) for mode in modes if mode != setup.mode] if setup.passages else []


def turned(setup: Setup) -> Setup | None:
    """The setup with its nearest examples in the other order; None where there are not several of them."""
    several = setup.picks == "nearest" and setup.shots > 1
    return replace(setup, form=replace(setup.form, turned=True)) if several else None
