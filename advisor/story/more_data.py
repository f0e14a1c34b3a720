"""What more examples would bring, told: a table of what was measured with fewer, and sentences on where that leads."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.contract import Amount
from advisor.costs.amounts import exactly
from advisor.figures.learning import foretold, learning, points_of
from advisor.goal import Goal
from advisor.material import Material
from advisor.wording import about, amount, percent, rounded_up, start
from benchmarks.contract import Evaluation, State
from benchmarks.probes.curve import FURTHEST, as_many_as, bracket, examples_for
from strategies.contract import TUNED

_GAIN = 0.02
"""A figure that more examples raise by less, at best, is one that they do not help."""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """With how many examples in all one approach is expected to reach the target, from its learning curve."""

    candidate: str
    few: int | None
    """By the law and the resamples that promise most; None: not with four times as many."""
    many: int | None
    """By those that promise least."""
    most: float
    """What it would reach at the most with four times as many."""
    labels: Amount | None
    """What the labels of the fewest further ones cost; None where that is not known, or none are enough."""


@dataclass(frozen=True, kw_only=True)
class PromptWorth:
    """How many examples the best prompt is worth, which needs none: as many as bring the best tuned approach as far."""

    prompt: str
    tuned: str
    figure: float
    """Of the prompt, on the cases of the learning curve."""
    cases: int
    examples: float
    """On average."""
    surely: float | None
    """In 19 of 20 trainings; None: more than all."""
    most: int
    """All that the curve was measured with."""


def all_ahead(material: Material) -> list[Ahead]:
    """Of every candidate that was measured with fewer examples and lies below the target, or of all without one; of none
    where nothing is foretold."""
    target, price = material.benchmark.target, material.extras.label_price
    below = [each for each in learning(material) if foretold(each) and (target is None or each.figure < target)]
    return [_ahead(each, target, price) for each in below]


def _ahead(each: Evaluation, target: float | None, price: tuple[float, str] | None) -> Ahead:
    """`price`: of one label, and the currency."""
    points = points_of(each)
    few, many = (None, None) if target is None else examples_for(points, each.figure, target)
    further = 0 if few is None else few - points[-1].examples
    return Ahead(
        candidate=each.candidate,
        few=few,
        many=many,
        most=most(each),
        labels=None if price is None or few is None else exactly(price[0] * further, price[1]),
    )


def towards_the_target(material: Material) -> list[str]:
    """What more examples would change, for those that would be preferred if they met the target: cheaper ones than the
    named, or all where nothing meets."""
    target, statuses = material.benchmark.target, {each.candidate: each for each in material.statuses}
    if target is None:
        return []
    named = material.named
    order = [each.candidate for each in material.statuses]
    meets = named is not None and statuses[named].state is State.MEETS
    found = []
    for each in sorted(filter(foretold, learning(material)), key=lambda each: -each.figure):
        wanted = statuses[each.candidate].state in (State.MISSES, State.UNDECIDED) and each.figure < target
        if wanted and (not meets or named is None or order.index(each.candidate) < order.index(named)):
            found.append(_towards(each, target, Goal.of(material.benchmark), material.extras.label_price))
    return found[:3]


def _towards(each: Evaluation, target: float, goal: Goal, price: tuple[float, str] | None) -> str:
    found = enough(each, target, goal, price)
    if found is not None:
        return f"More examples: {found}."
    if helped(each):
        return (
            f"Not more examples alone: with four times as many {each.candidate} would probably reach {percent(most(each))} "
            "at the most."
        )
    return f"Not more examples: {each.candidate} gains nothing from them."


def enough(each: Evaluation, target: float, goal: Goal, price: tuple[float, str] | None) -> str | None:
    """With how many examples it would probably meet the target, as a clause; None where four times as many are not enough.
    `price`: of one label, and the currency."""
    found = _ahead(each, target, price)
    few, many = found.few, found.many
    if few is None:
        return None
    cost = "" if found.labels is None else f" ({amount(found.labels)} or more for the labels)"
    if many is None:
        return (
            f"with {about(few, 'example')} or more in all{cost} {each.candidate} may {goal.meet_plainly}; "
            "four times as many may not be enough"
        )
    span = f"{rounded_up(few):,} to {about(many, 'example')}" if few < many else about(few, "example")
    return f"with {span} in all{cost} {each.candidate} would probably {goal.meet_plainly} if its present figure holds"


def most(each: Evaluation) -> float:
    """What it would probably reach at the most with four times the examples."""
    points = points_of(each)
    return bracket(points, each.figure, FURTHEST * points[-1].examples)[1]


def helped(each: Evaluation) -> bool:
    """Whether more examples bring it anything worth speaking of."""
    return most(each) >= each.figure + _GAIN


def prompt_worth(material: Material) -> PromptWorth | None:
    """None where nothing tuned was measured with fewer examples, where the prompt lies outside of what was measured, or where
    figures are no mean scores."""
    tuned = [each for each in learning(material) if each.family in TUNED and not each.over_rows]
    prompts = [each for each in material.evaluations.values() if each.family == "prompting" and each.scores]
    if not tuned or not prompts:
        return None
    best, prompt = max(tuned, key=lambda each: each.figure), max(prompts, key=lambda each: each.figure)
    places = {key: place for place, key in enumerate(prompt.keys)}
    keys = () if best.curve is None else best.curve.keys
    scores = [prompt.scores[places[key]] for key in keys if key in places]
    worth = as_many_as(points_of(best), scores) if len(scores) == len(keys) else None
    if worth is None:
        return None
    return PromptWorth(
        prompt=prompt.candidate,
        tuned=best.candidate,
        figure=sum(scores) / len(scores),
        cases=len(scores),
        examples=worth,
        surely=as_many_as(points_of(best), scores, nearly_always=True),
        most=points_of(best)[-1].examples,
    )


def worth_of_the_prompt(material: Material) -> list[str]:
    """With how many examples the best tuned approach answers as well as the best prompt, which needs none."""
    found = prompt_worth(material)
    if found is None:
        return []
    worth, surely = found.examples, found.surely
    on_average = f"{start(found.prompt)} answers as well as {found.tuned} does with {about(round(worth), 'example')}"
    if surely is not None and round(surely) == round(worth):
        return [f"{on_average}."]
    most = about(round(surely), "example") if surely else f"more than {found.most:,}"
    return [
        f"{on_average} on average; to be as good in 19 of 20 trainings, each on examples of its own, {found.tuned} needs "
        f"{most}."
    ]
