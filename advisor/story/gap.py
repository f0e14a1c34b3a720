"""How far the best is from a target that nothing meets, and how much of that documents, keys, examples and a larger model would
close: what was measured of it, or that it was not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.decision.decided import Decided
from advisor.figures.learning import foretold, untold
from advisor.material import Material
from advisor.story.more_data import enough, helped, most
from advisor.story.right_documents import would_bring
from advisor.wording import counted, percent, plain_percent, plain_points, start
from benchmarks.contract import Evaluation, State

USABLE = (State.MEETS, State.MISSES, State.UNDECIDED, State.RULED_OUT, State.COMPARED)
"""States of candidates whose figures may be used."""
_FEWEST = 3
"""Disputed keys from which on they are more than a slip."""


def short_of_the_target(material: Material, name: str) -> str:
    """`18 points short`; empty where the figure does not lie below the target."""
    target = material.benchmark.target
    if target is None:
        return ""
    missing = round(100 * (target - material.evaluations[name].figure))
    return f", {plain_points(missing / 100)} short" if missing >= 1 else ""


def what_closes_the_gap(material: Material) -> tuple[str, ...]:
    """For a verdict that nothing meets: each thing that was measured, with the points that it may bring at most."""
    if material.recommendation.verdict != "nothing meets" or material.named is None:
        return ()
    return (*_documents(material), *_keys(material))


def of_more_examples(decided: Decided) -> str:
    """A step, with what the learning curve says of it where there is one."""
    target, goal = decided.benchmark.target, decided.goal
    upkeep, currency = decided.prices.upkeep, decided.prices.currency
    price = (upkeep.label_price, currency) if upkeep.label_price else None
    have = f"the {len(decided.benchmark.task.examples):,} there are"
    step = f"Collect more examples than {have}, above all of the kinds that go wrong"
    within = [state for state in USABLE if state is not State.RULED_OUT]
    known = [decided.evaluations[name] for name in decided.having(*within)]
    learnt = sorted((each for each in known if each.curve is not None), key=lambda each: -each.figure)
    if not learnt:
        return f"{step}. How much they would help was not measured: run with --curve."
    if not foretold(learnt[0]):
        return f"{step}. How much they would help is not foretold: {untold(decided.benchmark)}."
    found = [
        clause for each in learnt if target is not None and (clause := enough(each, target, goal, price)) is not None
    ]
    if found:
        return f"{step}: {found[0]}."
    best = next((each for each in learnt if helped(each)), learnt[0])
    reach = f"with four times as many {best.candidate} would probably reach {percent(most(best))} at the most"
    if not helped(best):
        return f"More examples like {have} would hardly help: {reach}."
    return f"{step}: {reach}{'' if target is None else ', so they alone are not enough'}."


@dataclass(frozen=True, kw_only=True)
class BetweenModels:
    """The approach whose figure differs most between the models that were compared, with the best and the worst of them."""

    approach: str
    best: str
    worst: str
    best_figure: float
    worst_figure: float

    @property
    def apart(self) -> float:
        return self.best_figure - self.worst_figure


def between_models(known: Sequence[Evaluation]) -> BetweenModels | None:
    """None where no approach was measured with two models."""
    figures: dict[str, dict[str, float]] = {}
    for each in known:
        if each.model and each.family != "recorded":
            of_approach = figures.setdefault(each.approach, {})
            of_approach[each.model] = max(each.figure, of_approach.get(each.model, 0.0))
    found = [_ends(approach, models) for approach, models in figures.items() if len(models) > 1]
    return max(found, key=lambda each: each.apart, default=None)


def _ends(approach: str, figures: Mapping[str, float]) -> BetweenModels:
    best, *_, worst = sorted(figures, key=lambda model: -figures[model])
    return BetweenModels(
        approach=approach, best=best, worst=worst, best_figure=figures[best], worst_figure=figures[worst]
    )


def without_a_model(evaluations: Iterable[Evaluation]) -> bool:
    """None is of an approach with a language model, or of one of which nobody knows."""
    return all(each.family == "reference" for each in evaluations)


def of_a_larger_model(decided: Decided, named: str) -> Iterator[str]:
    """A step, with the largest difference between two models of one approach where several were compared. None where those with
    a language model could not be measured: other steps say so."""
    every = decided.evaluations.values()
    if without_a_model(every):
        yield (
            "Try approaches with a language model, named under models in the task spec and not left out by --approach: none was "
            "compared, so how much they would help was not measured here."
        )
    if without_a_model(each for each in every if math.isfinite(each.figure)):
        return
    step = "Try a larger language model: name it under models in the task spec."
    if decided.evaluations[named].figure > 0:
        within = " within the limits" if decided.beyond(named) else ""
        step = f"{step} {start(named)} is the one to beat{within}."
    found = between_models([decided.evaluations[name] for name in decided.having(*USABLE)])
    if found is None:
        yield f"{step} How much a larger one would help was not measured here: a run with one as a second model would show it."
        return
    yield (
        f"{step} Between the models compared here the difference is at most {plain_points(round(found.apart, 2))}: "
        f"{found.approach} reaches {percent(found.best_figure)} with {found.best} and {percent(found.worst_figure)} with "
        f"{found.worst}."
    )


def _documents(material: Material) -> Iterator[str]:
    """By what is reached where the right documents are handed over."""
    handed = [each for each in material.evaluations.values() if each.oracle is not None]
    best = max(handed, key=lambda each: each.oracle or 0.0, default=None)
    if best is not None and (said := would_bring(best, material.benchmark)):
        yield said


def _keys(material: Material) -> Iterator[str]:
    disputed, asked, lacking = _disputed(material)
    points = round(lacking / asked, 2)
    if disputed >= _FEWEST and points:
        share = plain_points(points)
        yield (
            f"Check the answers in the data: in {disputed:,} of {counted(asked, 'selection case')} approaches of different kinds "
            f"agree on another one. If that is the right one, up to {share} are errors in the data, not of the approaches."
        )


def key_noise(material: Material) -> tuple[str, ...]:
    """That keys may stand in the way of the target, where disputed ones cost so much of the figure and nothing meets it; how many
    are wrong only a sample can tell."""
    disputed, asked, lacking = _disputed(material)
    target = material.benchmark.target
    if target is None or disputed < _FEWEST or target <= 1 - lacking / asked:
        return ()
    states = {each.state for each in material.statuses}
    meets = State.MEETS in states or any(each.but_for_limits for each in material.statuses)
    if meets or not states & {State.MISSES, State.UNDECIDED}:
        return ()
    told = "labels a random sample of the held-out cases anew (`advisor check task.yaml --fix reviewed`)"
    if not material.benchmark.task.labels:
        told = "answers a random sample of the held-out cases anew"
    return (
        f"Wrong answers in the data may put the target of {plain_percent(target)} out of reach: in {disputed:,} of "
        f"{counted(asked, 'selection case')} approaches of different kinds agree on another answer than the given one. To know "
        f"how many given answers are wrong, and what figure is still possible, a person {told}.",
    )


def _disputed(material: Material) -> tuple[int, int, float]:
    """How many selection cases have a disputed key, how many were asked, and what the disputed ones lack of a full score, in
    cases."""
    found = material.extras.mistakes
    if found is None or not found.asked:
        return 0, 1, 0.0
    disputed = [each for each in found.found if each.kind == "disputed key"]
    return sum(each.cases for each in disputed), found.asked, found.lacking
