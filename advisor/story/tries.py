"""What each search tried, configuration by configuration: what was chosen stands beside what was not."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from advisor.drawn import Table
from advisor.material import Material
from advisor.story import setups
from advisor.wording import NONE, percent
from strategies.contract import Trial

MOST = 12
"""Configurations of one search that stand in the table; the others are counted in one row."""


def tuning_table(material: Material) -> Table:
    """What choosing a configuration took, and whether more of it might have helped."""
    rows = []
    for status in material.suitable:
        evaluation = material.evaluations[status.candidate]
        trials = material.extras.trials.get(status.candidate, ())
        tried = len(trials) or evaluation.trials
        spent = sum(trial.tokens for trial in trials)
        score = evaluation.selection_score
        if score is None:
            score = max((trial.score for trial in trials if trial.cases), default=None)
        state = "cut short" if evaluation.rising else "no choice to make" if tried <= 1 else "saturated"
        rows.append(
            (
                status.candidate,
                f"{tried:,}" if tried else NONE,
                NONE if score is None else percent(score),
                f"{spent:,}" if trials else NONE,
                state if tried else NONE,
                setups.told(evaluation.chosen),
            )
        )
    return Table(
        title="How each approach was tuned",
        columns=("approach", "configurations", material.selection_score, "tokens spent", "state", "chosen"),
        rows=tuple(rows),
        note=(
            "Selection scores are from examples, never from held-out cases, and from before the final fit on all examples; "
            "the best of several may look better than it is. Cut short: the budget ran out "
            "before everything was tried, and a larger one might have found better."
        ),
        numeric=(1, 2, 3),
    )


def tries_table(material: Material) -> Table:
    """One row a configuration, as the search ranked them; approaches that share one search share its rows."""
    rows = tuple(row for name, trials in _searches(material) for row in _rows(name, ranked(trials)))
    return Table(
        title="What was tried",
        columns=("approach", "configuration", material.compared_by, "cases", "tokens"),
        rows=rows,
        note=_note(material) if rows else "",
        numeric=(2, 3, 4),
    )


_NOTE = (
    "Those that got furthest come first, then those with the better score: a search tries all on a few selection cases and "
    "goes on with the best, so a score on few cases says little. Loss: on examples that the training did not see. Short "
    "trainings answer no case and are ranked by it; of recipes for one prompt whose scores differ by no more than chance, the "
    "one with the lowest loss is taken. A token of training counts as two. Approaches that share one search are listed under "
    "the shorter name. report.json holds every try."
)


def _note(material: Material) -> str:
    return f"{_NOTE} {_BY_METRIC}" if material.by_metric else _NOTE


_BY_METRIC = (
    "The score is the metric over those cases; where they hold too few of the rare labels for that, it is the share that was "
    "right."
)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Most cases first, then the score; trainings that answered none by their loss."""
    return sorted(trials, key=lambda each: (-each.cases, -each.counts, _loss(each)))


def as_facts(trials: Sequence[Trial], labels: Collection[str]) -> list[dict[str, Any]]:
    """Every try in plain values, without answers of examples other than labels; one that answered no case has no score."""
    return [
        {
            "configuration": setups.shared(each.configuration, labels),
            "score": each.score if each.cases else None,
            "cases": each.cases,
            "tokens": each.tokens,
            "validation_loss": each.validation_loss,
            **({} if each.mark is None else {"mark": each.mark}),
        }
        for each in ranked(trials)
    ]


def _searches(material: Material) -> list[tuple[str, Sequence[Trial]]]:
    """Searches in which there was something to choose, by the shortest name of those that were taken from it."""
    found: list[tuple[str, Sequence[Trial]]] = []
    for name in sorted((status.candidate for status in material.suitable), key=len):
        trials = material.extras.trials.get(name, ())
        if len(trials) > 1 and not any(list(others) == list(trials) for _, others in found):
            found.append((name, trials))
    order = [status.candidate for status in material.suitable]
    return sorted(found, key=lambda search: order.index(search[0]))


def _rows(name: str, trials: Sequence[Trial]) -> Iterator[tuple[str, ...]]:
    for each in trials[:MOST]:
        yield name, setups.tried(each.configuration), _score(each), f"{each.cases:,}", f"{each.tokens:,}"
    rest = trials[MOST:]
    if rest:
        best = max((each.counts for each in rest if each.cases), default=None)
        reached = NONE if best is None else f"{percent(best)} at best"
        yield name, f"{len(rest):,} more", reached, NONE, f"{sum(each.tokens for each in rest):,}"


def _score(trial: Trial) -> str:
    score = [percent(trial.counts)] if trial.cases else []
    loss = [] if trial.validation_loss is None else [f"loss {trial.validation_loss:.2f}"]
    return ", ".join([*score, *loss]) or NONE


def _loss(trial: Trial) -> float:
    return math.inf if trial.validation_loss is None else trial.validation_loss
