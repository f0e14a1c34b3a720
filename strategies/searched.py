"""The search of an approach that is prompted: its setups are raced, then other words and other examples for the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from strategies.beyond import gone_beyond, pays
from strategies.instructions import Instructions
from strategies.pipeline import Pipeline, Setup
from strategies.search import Contest, Finished, Standing, outdone
from strategies.selection import Kitchen, answers_of, evidence_of
from strategies.traits import Preference

FORMS_SHARE, WORDS_SHARE, DRAWS_SHARE = 0.6, 0.1, 0.3
"""Of the budget: for the form of a prompt, for what is said besides the instruction, and for which examples it shows."""


def record_of(outcome: Finished, chosen: Any) -> dict[str, Any]:
    """What a reader wants to know of a search."""
    return {
        "selection_answers": answers_of(chosen.notes),
        "selection_score": chosen.mean,
        "selection_cases": len(chosen.scores),
        "configurations_tried": len(outcome.standings),
        "rising": outcome.rising,
    }


def fit_searched(
    approach: str, kitchen: Kitchen, setups: Sequence[Setup], prefer: Preference, words: Instructions | None = None
) -> Pipeline:
    """Races the setups on the selection cases and builds the best, or the cheapest within noise of it, on all examples.

    With `words` the chosen one is tried with other instructions first; then with the other ways to search that the setups have,
    and with several sets of examples or, where it shows the nearest ones, with these in the other order. What is not of a share
    of its own is tried if what is left of the budget pays for it.
    """
    task = kitchen.task if words is None else words.unseen
    races: list[Finished] = []

    def race(entered: Sequence[Setup], share: float) -> Finished:
        races.append(Contest(approach, task, kitchen.bench, share, kitchen.judge).halve(entered, kitchen.looks))
        return races[-1]

    def refined(
        record: dict[str, Any], chosen: Standing, others: Sequence[Setup], kept: float
    ) -> tuple[dict[str, Any], Standing]:
        """With one of these where it is better beyond noise, if what is left but for a share that is kept pays for a look."""
        tokens = kitchen.bench.tuning_tokens
        left = (1 - kept) * tokens - sum(each.tokens for told in races for each in told.standings)
        if not pays(chosen, others, left):
            return {**record, "rising": True}, chosen
        shown = race(others, min(DRAWS_SHARE, left / tokens))
        better = outdone(chosen, shown.best)
        taken = shown.best if better else chosen
        return _after(record, replace(shown, rising=better and shown.rising), taken), taken

    share = FORMS_SHARE if any(setup.draws for setup in setups) else 1.0
    outcome = race(setups, share)
    chosen = outcome.best if prefer == "best" else outcome.cheapest()
    record = record_of(outcome, chosen)
    if prefer == "best" and (larger := kitchen.larger(chosen.configuration)):
        tokens = float(kitchen.bench.tuning_tokens)
        chosen, larger_told = gone_beyond((outcome, chosen), larger, race, (share * tokens, tokens))
        record = {**record, "rising": True} if larger_told is None else _after(record, larger_told, chosen)
    others = [] if words is None else words.on(chosen, WORDS_SHARE * kitchen.bench.tuning_tokens)
    if words is not None and others:
        told = race(others, WORDS_SHARE)
        taken = words.taken(chosen, told)
        rising = taken is not chosen and (told.rising or words.left_out(others))
        record, chosen = _after(record, replace(told, rising=rising), taken), taken
    tried = [each.configuration for told in races for each in told.standings]
    if ways := [setup for setup in searching(chosen.configuration, setups) if setup not in tried]:
        record, chosen = refined(record, chosen, ways, DRAWS_SHARE if chosen.configuration.draws else 0.0)
    if chosen.configuration.draws:
        shown = race(kitchen.draws(chosen.configuration), DRAWS_SHARE)
        chosen = shown.best
        record = _after(record, shown, chosen)
    elif other := turned(chosen.configuration):
        record, chosen = refined(record, chosen, [other], 0.0)
    record |= {} if words is None else words.record
    return replace(kitchen.finish(chosen.configuration, evidence_of(chosen.notes)), record=record)


def searching(setup: Setup, setups: Sequence[Setup]) -> list[Setup]:
    """The setup, if it shows passages, with each other way to search that some of these have."""
    modes = dict.fromkeys(each.mode for each in setups if each.passages)
    return [replace(setup, mode=mode) for mode in modes if mode != setup.mode] if setup.passages else []


def turned(setup: Setup) -> Setup | None:
    """The setup with its nearest examples in the other order; None where there are not several of them."""
    several = setup.picks == "nearest" and setup.shots > 1
    return replace(setup, form=replace(setup.form, turned=True)) if several else None


def _after(record: dict[str, Any], outcome: Finished, chosen: Standing) -> dict[str, Any]:
    """The record of a search with that of one that came after it."""
    tried = record["configurations_tried"] + len(outcome.standings)
    rising = record["rising"] or outcome.rising
    return {**record, **record_of(outcome, chosen), "configurations_tried": tried, "rising": rising}
