"""From what is known of each label, likelihoods, votes and a shift, to the labels' shares, and which way to weigh it is best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from strategies import answers
from strategies.answers import Prior, PriorFrom, mean_prior
from strategies.contract import Case, Outcome, Prediction
from strategies.leaning import Shift, parts_of

if TYPE_CHECKING:
    from strategies.pipeline import Setup

Row = tuple[str, float | None]
"""An answer, and how sure it is."""
LEAST_SHARE = 1e-3
"""The share of a right answer counts as this at least, so that no single case decides."""
Marks = Callable[[Sequence[str], Sequence[Sequence[int]]], list[float]]
"""(answers to selection cases, parts of their places) -> how good the others are without each part."""


@dataclass(frozen=True)
class LabelEvidence:
    """What label answers are made from: log-likelihoods by the model, and the neighbours' votes (empty: none)."""

    scores: tuple[float, ...]
    votes: tuple[float, ...] = ()


def weigh(evidence: LabelEvidence, prior: Prior | None, setup: Setup) -> list[float]:
    """Label probabilities: likelihoods with the prior taken off, mixed with the votes. The shift comes after (`leant`)."""
    taken = replace(prior, strength=setup.calibration) if prior is not None and setup.calibration else None
    shares = answers.probabilities(evidence.scores, taken)
    if setup.votes and evidence.votes:
        pairs = zip(shares, evidence.votes, strict=True)
        shares = [(1 - setup.votes) * own + setup.votes * vote for own, vote in pairs]
    return shares


def leant(labels: Sequence[str], shares: Sequence[float], shift: Shift | None) -> list[float]:
    """The shares of these labels as the shift moves them."""
    return [*shares] if shift is None else [*shift.of_shares(dict(zip(labels, shares, strict=True))).values()]


def leant_answer(outcome: Outcome, shift: Shift | None) -> Outcome:
    """A written answer with the shift: the label that has the greatest share then, where its shares are known."""
    if shift is None or not isinstance(outcome, Prediction) or not outcome.probabilities:
        return outcome
    shares = shift.of_shares(outcome.probabilities)
    return replace(outcome, text=max(shares, key=shares.__getitem__), probabilities=shares)


def written(raw: Mapping[str, Any], shift: Shift | None) -> Row:
    """A label that was written, and how sure it is: as `told` in its note, or with the shift where its shares are known."""
    _, text, _, sure, *_ = raw["told"]
    if shift is None or not raw["shares"]:
        return text, sure
    shares = shift.of_shares(raw["shares"])
    best = max(shares, key=shares.__getitem__)
    return best, shares[best]


def priors_of(evidence: Sequence[Mapping[str, Any]], over: PriorFrom = "batch") -> dict[str, Prior]:
    """The labels' prior under each context that was looked at."""
    rows: dict[str, list[Sequence[float]]] = {}
    for raw in evidence:
        given = [raw["scores"]] if over == "batch" else raw.get("content_free", ())
        rows.setdefault(raw["context"], []).extend(given)
    return {context: mean_prior(scores) for context, scores in rows.items()}


def has_content_free(evidence: Sequence[Mapping[str, Any]]) -> bool:
    """Whether inputs without content were scored under each context that was looked at."""
    having = {raw["context"] for raw in evidence if raw.get("content_free")}
    return having == {raw.get("context") for raw in evidence}


def log_share(shares: Mapping[str, float], case: Case) -> float:
    """Logarithm of what all accepted answers have together: a few dozen answers tie or differ by chance, and shares tell more."""
    return math.log(max(math.fsum(shares.get(answer, 0.0) for answer in case.accepted), LEAST_SHARE))


def clearly_below(values: Sequence[float], others: Sequence[float]) -> bool:
    """By more than twice the standard error of the difference, case by case."""
    import numpy as np

    behind = np.array(others) - np.array(values)
    return bool(behind.size and behind.mean() > 2 * behind.std() / np.sqrt(behind.size))


@dataclass(frozen=True)
class Weighing:
    """What one option of weighing makes of raw evidence: (answer, score, how sure or None) of each case."""

    setup: Setup
    rows: tuple[tuple[str, float, float | None], ...]
    logs: tuple[float, ...] = ()
    """`log_share` of the right label of each case before any shift; empty where answers have no shares."""

    @property
    def scores(self) -> list[float]:
        return [row[1] for row in self.rows]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(row[0] for row in self.rows)


def crossed(weighings: Sequence[Weighing], leans: Marks | None = None) -> list[int]:
    """For each case the place of the option that is best on the cases of the other parts (`best`)."""
    cases = len(weighings[0].rows)
    parts = parts_of(cases)
    chosen = {case: place for part, place in zip(parts, _best(weighings, parts, leans), strict=True) for case in part}
    return [chosen[case] for case in range(cases)]


def best(weighings: Sequence[Weighing], leans: Marks | None = None) -> Weighing:
    """The option that gives the right labels the largest shares, of those whose answers are not clearly worse than the best.

    Options with the same shares, or none, are told apart by their answers, by `leans` where it is given; ties go to the first.
    """
    return weighings[_best(weighings, [()], leans)[0]]


def _best(weighings: Sequence[Weighing], parts: Sequence[Sequence[int]], leans: Marks | None) -> list[int]:
    """For each part the place of the option that is best on all other cases."""
    known = {texts: leans(texts, parts) for texts in {each.texts for each in weighings}} if leans else {}
    found, answered = list[int](), [each.scores for each in weighings]
    for number, part in enumerate(parts):
        left_out = set(part)
        kept = [case for case in range(len(answered[0])) if case not in left_out]
        scores = [[row[case] for case in kept] for row in answered]
        logs = [math.fsum(each.logs[case] for case in kept) if each.logs else 0.0 for each in weighings]
        figures = [known[each.texts][number] for each in weighings] if leans else [*map(math.fsum, scores)]
        highest = scores[figures.index(max(figures))]
        able = [place for place in range(len(weighings)) if leans or not clearly_below(scores[place], highest)]
        found.append(max(able, key=lambda place: (round(logs[place], 9), round(figures[place], 9), -place)))
    return found
