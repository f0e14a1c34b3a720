"""What became of a prediction that was written down before the first run: of the outcome, and of each pair of approaches."""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.contract import settled
from advisor.decision.bounds import ahead
from advisor.material import Material
from advisor.probes.mistakes_table import mostly, not_right
from advisor.story.recommended import has_scores
from advisor.wording import counted, listed, percent, plain_percent, start

_RENAMED = (("safe now", "proven so far"), ("a cheaper one is", "a cheaper or simpler one is"))
"""What verdicts were called when predictions were written, and are now."""
_IN_WORDS = {
    "choose": "a clear choice",
    "safe but cheaper undecided": "proven so far, a cheaper or simpler one is undecided",
}

Pair = tuple[str, str]
"""Two approaches, the one first that was predicted to be better."""


def in_words(verdict: str) -> str:
    """A verdict as predictions put it."""
    for before, now in _RENAMED:
        verdict = verdict.replace(before, now)
    return _IN_WORDS.get(verdict, verdict)


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """Pairs whose order was predicted: those in which it is shown, those within noise, and those in which the other is shown."""

    true: tuple[Pair, ...] = ()
    within_noise: tuple[Pair, ...] = ()
    otherwise: tuple[Pair, ...] = ()
    order: tuple[str, ...] = ()
    """The predicted approaches that were measured."""
    outcome: str = ""
    """As it was predicted."""
    came: str = ""
    """As it came out, in the same words; empty where that cannot be compared, as where some of the order were left out."""

    @property
    def pairs(self) -> int:
        return len(self.true) + len(self.within_noise) + len(self.otherwise)

    @property
    def came_true(self) -> bool | None:
        """Of the outcome; None where it cannot be compared."""
        return self.came == self.outcome if self.came else None


def foretold(material: Material) -> Foretold:
    """Each pair on the same cases, as `ahead` tells it."""
    extras, target = material.extras, material.benchmark.target
    known = {status.candidate for status in material.statuses if has_scores(status)}
    found = {name: material.evaluations[name] for name in extras.predicted_order if name in known}
    order = [name for name, each in found.items() if math.isfinite(each.figure) and each.scores]
    sorted_out: dict[bool | None, list[Pair]] = {True: [], None: [], False: []}
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            sorted_out[ahead(found[one], found[other], material.benchmark.stops_with)].append((one, other))
    same = extras.predicted_target in (None, target) and material.benchmark.judges and material.benchmark.margin is None
    same = same and set(order) == set(extras.predicted_order)
    came = in_words(settled(material.recommendation.verdict, material.benchmark.look.shown > 0))
    return Foretold(
        true=tuple(sorted_out[True]),
        within_noise=tuple(sorted_out[None]),
        otherwise=tuple(sorted_out[False]),
        order=tuple(order),
        outcome=in_words(extras.predicted_outcome),
        came=came if same and extras.predicted_outcome else "",
    )


def predicted(material: Material, found: Foretold) -> tuple[str, ...]:
    """Whether the outcome and the order that were written down before the first run came true, and the reason given for them."""
    if not found.pairs:
        return ()
    why = " ".join(material.extras.predicted_why.split())
    of_all = "" if found.order[0] == material.extras.predicted_order[0] else " of those measured"
    said = f"Before the first run {found.order[0]} was predicted to come first{of_all}{_outcome(material, found)}"
    told = f"{said} {_pairs(found)}.{_surprise(material, found)}"
    return (told, *([f'The reason given for that prediction: "{why.rstrip(".")}".'] if why else []))


def _outcome(material: Material, found: Foretold) -> str:
    """Up to the end of the sentence, and whether it came true."""
    if not found.outcome:
        return "."
    said = f" and the outcome to be: {found.outcome}"
    if found.came_true is None:
        goal = material.extras.predicted_target
        return f"{said} (at a target of {plain_percent(goal)})." if goal is not None else f"{said}."
    return (
        f"{said}. The outcome came true." if found.came_true else f"{said}. The outcome is another one: {found.came}."
    )


def _pairs(found: Foretold) -> str:
    if len(found.true) == found.pairs:
        return f"The whole predicted order of {len(found.order)} approaches came true"
    counts = (
        (found.true, "came true"),
        (found.within_noise, "is within noise" if len(found.within_noise) == 1 else "are within noise"),
        (found.otherwise, "came out the other way"),
    )
    parts = [f"{len(pairs)} {what}" for pairs, what in counts if pairs]
    return f"Of {counted(found.pairs, 'predicted pair')} {listed(parts)}"


def _surprise(material: Material, found: Foretold) -> str:
    """The pair that came out the other way by most, and what those got wrong that were predicted to be ahead."""
    if not found.otherwise:
        return ""
    figures = {name: material.evaluations[name].figure for name in found.order}
    one, other = max(found.otherwise, key=lambda pair: figures[pair[1]] - figures[pair[0]])
    wrong = [
        f"{name} {mistakes.wrong:,} of {mistakes.asked:,} ({mostly(mistakes)})"
        for name in dict.fromkeys(first for first, _ in found.otherwise)
        if (mistakes := material.extras.all_mistakes.get(name)) is not None and mistakes.wrong
    ]
    went = f" {start(not_right(material))} on selection cases: {listed(wrong)}." if wrong else ""
    return f" The largest surprise: {other} ({percent(figures[other])}) is above {one} ({percent(figures[one])}).{went}"
