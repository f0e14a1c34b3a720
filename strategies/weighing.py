"""From what is known of each label, likelihoods, votes and a shift, to the labels' shares, and which way to weigh it is best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from strategies import answers
from strategies.answers import Prior, mean_prior
from strategies.contract import Outcome, Prediction
from strategies.leaning import Shift, cross_fitted, parts_of

if TYPE_CHECKING:
    from strategies.pipeline import Setup

Row = tuple[str, float | None]
"""An answer, and how sure it is."""
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


def priors_of(evidence: Sequence[Mapping[str, Any]]) -> dict[str, Prior]:
    """The labels' prior under each context that was looked at."""
    rows: dict[str, list[Sequence[float]]] = {}
    for raw in evidence:
        rows.setdefault(raw["context"], []).append(raw["scores"])
    return {context: mean_prior(scores) for context, scores in rows.items()}


@dataclass(frozen=True)
class Weighing:
    """What one option of weighing makes of raw evidence: (answer, score, how sure or None) of each case."""

    setup: Setup
    rows: tuple[tuple[str, float, float | None], ...]

    @property
    def scores(self) -> list[float]:
        return [row[1] for row in self.rows]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(row[0] for row in self.rows)

    def without(self, parts: Sequence[Sequence[int]]) -> list[float]:
        """The sum of the scores but for those of a part, for each part."""
        total = sum(self.scores)
        return [total - sum(self.rows[place][1] for place in part) for part in parts]


def crossed(weighings: Sequence[Weighing], leans: Marks | None = None) -> list[int]:
    """For each case the option that is best on the cases of the other parts; ties go to the first. `leans`: by what they are
    compared in place of their scores."""
    cases = len(weighings[0].rows)
    parts = parts_of(cases)
    if leans is None:
        return cross_fitted([weighing.without(parts) for weighing in weighings], cases)
    known = {texts: leans(texts, parts) for texts in dict.fromkeys(weighing.texts for weighing in weighings)}
    return cross_fitted([known[weighing.texts] for weighing in weighings], cases)
