"""What would change a recommendation, and what to do next: concrete sentences for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.contract import Turn
from advisor.costs.sensitivity import Flip, Knob, Question, flips, question_of, what_flips_it
from advisor.decision.beyond import stands_in_the_way
from advisor.decision.closeness import how_far
from advisor.decision.decided import Decided
from advisor.decision.every_goal import proven, states
from advisor.decision.limits import by_cost_alone
from advisor.decision.soonest import soonest
from advisor.decision.unmeasured import named as limits_named
from advisor.decision.unmeasured import origin, ways
from advisor.decision.untried import as_step
from advisor.story.gap import of_a_larger_model, of_more_examples, without_a_model
from advisor.story.reasons import before
from advisor.wording import about, ceil_percent, floor_percent, full, listed, percent
from benchmarks.contract import Evaluation, State

_LOWEST = 0.5
"""A target below this share of the stated one is another question."""
_WIDEST = 0.3
"""A margin beyond which nobody asks."""


@dataclass(frozen=True, kw_only=True)
class Otherwise:
    """What the sentences about other targets, volumes and prices rest on."""

    proven: Mapping[str, tuple[float, float]]
    """Lower and upper bound of each candidate that hold for every target at once; empty where none is asked for."""
    question: Question | None
    """None where prices turn nothing: nothing is shown to meet, and no cost alone rules out what may."""
    near: tuple[Sequence[Flip], Sequence[Knob]] = ((), ())
    """What leads to another outcome, and what does not."""


def otherwise(decided: Decided) -> Otherwise:
    """By the rule of the decision, with one thing turned at a time."""
    bounds, benchmark = {}, decided.benchmark
    if decided.named is not None and benchmark.judges and benchmark.margin is None:
        bounds = proven(decided.evaluations, decided.statuses, benchmark)
    question = _question(decided)
    return Otherwise(proven=bounds, question=question, near=((), ()) if question is None else flips(question))


def turn_of(flip: Flip) -> Turn:
    """The same as values, with the bills there."""
    knob = flip.knob
    return Turn(
        of=knob.noun,
        times=flip.factor,
        now=knob.at(1.0) if knob.stated else None,
        at=knob.at(flip.factor),
        unit=knob.unit,
        safe=flip.then.safe,
        unsettled=flip.then.unsettled,
        bills={bill.candidate: bill.monthly for bill in knob.turned(flip.factor)},
    )


def would_change(decided: Decided, other: Otherwise) -> tuple[str, ...]:
    """Which other target, volume, price, data or world would lead to another recommendation."""
    found = [*_other_target(decided, other.proven), *_other_cost(decided, other)]
    if decided.ranking.note:
        found.append(decided.ranking.note)
    if decided.benchmark.task.documents and decided.named is not None:
        found.extend(_changing_facts(decided.evaluations[decided.named]))
    risen = [name for name in decided.having(State.MISSES, State.UNDECIDED) if decided.evaluations[name].rising]
    if risen:
        found.append(
            f"A larger tuning budget: it ran out before {listed(risen)} had tried everything, so there may be better."
        )
    return tuple(found)


def next_steps(decided: Decided) -> tuple[str, ...]:
    """What to do now."""
    named = decided.named
    steps: list[str] = []
    if decided.benchmark.look.shown and decided.verdict in ("choose", "safe but cheaper undecided", "undecided"):
        steps.append(_FRESH)
    elif named is not None and decided.verdict in ("choose", "safe but cheaper undecided"):
        steps.append(
            f"Put {named} to work on part of the requests first, and keep labelling some of them: "
            f"{percent(decided.evaluations[named].figure)} was measured on the held-out cases, not on live traffic."
        )
    if decided.verdict in ("safe but cheaper undecided", "undecided") and not decided.benchmark.look.shown:
        steps.extend(_measure_limits(decided))
        steps.extend(_label_more(decided))
    if decided.verdict == "nothing meets" and named is not None:
        steps.extend(_what_to_try(decided, named))
    if decided.verdict == "compared":
        steps.append(
            "Set a target in the task spec (0.9 for 90 %) to get a verdict from the same measurements, or a margin (0.05) "
            "if coming within 5 points of the best is enough."
        )
    if waiting := decided.having(State.OPEN):
        verb = "is" if len(waiting) == 1 else "are"
        steps.insert(0, f"Go on with the same command and --resume: {listed(waiting)} {verb} not measured yet.")
    elif begun := [name for name in decided.ranking.order if decided.evaluations[name].left]:
        steps.append(f"Go on with the same command and --resume: not everything about {listed(begun)} is measured yet.")
    if broken := decided.having(State.INVALID, State.CANNOT_RUN):
        # Where nothing meets, one of these might have: that comes before a larger model or more examples.
        place = 0 if decided.verdict == "nothing meets" else len(steps)
        steps[place:place] = _unjudged(decided, broken)
    return tuple(steps)


def _unjudged(decided: Decided, names: Sequence[str]) -> Iterator[str]:
    """One step for each reason."""
    for reason in dict.fromkeys(decided.statuses[name].reason for name in names):
        alike = listed([name for name in names if decided.statuses[name].reason == reason])
        yield f"See why {alike} could not be judged, and run again if it matters. {full(reason)}".rstrip()


# ---------------------------------------------------------------- what would change it


def _other_target(decided: Decided, proven: Mapping[str, tuple[float, float]]) -> list[str]:
    benchmark, named = decided.benchmark, decided.named
    if named is None:
        return []
    if not benchmark.judges:
        return ["A target: the cheapest approach that meets it would be recommended."]
    found = list(
        _target(decided, named, proven) if benchmark.margin is None else _margin(decided, named, benchmark.margin)
    )
    statuses = [decided.statuses[name] for name in decided.unsettled]
    open_still = [
        each.candidate
        for each in statuses
        if each.state is State.UNDECIDED and not each.hopeless and not each.but_for_limits
    ]
    if open_still and not decided.having(State.OPEN):
        found.append(f"Proof by more held-out cases that {' or '.join(open_still)} {decided.goal.meets_plainly}.")
    return found


def _target(decided: Decided, named: str, proven: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """By bounds that hold for every target at once, as those are that another target is told with."""
    target = decided.benchmark.target or 0.0
    if decided.statuses[named].state is State.MEETS:
        bound = proven[named][0]
        by = ", by a bound that holds for all targets at once" if bound > target else ""
        yield f"A target above {floor_percent(max(target, bound), target)} %: {named} is proven up to there{by}."
    bounds = [(proven[name][0], name) for name in _cheaper_missing(decided, named)]
    bound, name = max(bounds, default=(0.0, ""))
    if bound >= _LOWEST * target and bound > 0:
        yield f"A target of {floor_percent(bound)} % or lower: {name} would be enough."


def _margin(decided: Decided, named: str, margin: float) -> Iterator[str]:
    status = decided.statuses[named]
    if status.state is State.MEETS and status.lower:
        most = how_far(status.lower, 0.0, margin)[1]
        yield f"A margin below {most} points: {named} is not proven to be closer to the best."
    bounds = [(decided.statuses[name].lower or 0.0, name) for name in _cheaper_missing(decided, named)]
    lower, name = max(bounds, default=(-1.0, ""))
    if -lower <= _WIDEST:
        yield f"A margin of {ceil_percent(-lower)} points or more: {name} would be enough."


def _cheaper_missing(decided: Decided, named: str) -> list[str]:
    """Those that miss and would be preferred if they did not; all that miss where the named one meets nothing. None of which a
    limit was not measured: no goal is shown to be enough for it."""
    meets = decided.statuses[named].state is State.MEETS
    missing = [name for name in decided.having(State.MISSES) if not decided.statuses[name].unchecked]
    return [name for name in missing if not meets or before(decided, name)]


def _question(decided: Decided) -> Question | None:
    """Who is asked about when costs are others; None where nothing is shown to meet, unless its cost alone rules out what may
    meet the target."""
    dear = [name for name in decided.having(State.RULED_OUT) if _too_dear(decided, name)]
    meeting = decided.having(State.MEETS)
    if not meeting and (not dear or decided.benchmark.target is None):
        return None
    asked = meeting, [*decided.having(State.UNDECIDED), *dear], [decided.named] if meeting and decided.named else []
    return question_of(decided.evaluations, decided.benchmark, decided.prices, asked, _where_others_are_out(decided))


def _other_cost(decided: Decided, other: Otherwise) -> list[str]:
    """What would have to be paid, asked or changed otherwise before another one is recommended."""
    if other.question is None:
        return []
    limit = decided.benchmark.constraints.cost_per_month
    found = list(what_flips_it(other.question, other.near, decided.goal.meets_plainly))
    running = [item for bill in decided.costs.values() for item in bill.items if item.when == "monthly"]
    if (
        limit is None
        and all(item.by_request for item in running)
        and not any(bill.at_least for bill in decided.costs.values())
    ):
        found.append(
            f"Not the volume: with more or fewer than {decided.benchmark.volume:,} requests a month all costs ahead change in "
            "proportion, since fitting is already paid for."
        )
    return found


def _where_others_are_out(decided: Decided) -> Mapping[str, State]:
    """What is shown of all that a limit on costs may let in or rule out, where it rules out others than now; empty without
    a limit, or a target."""
    target = decided.benchmark.target
    if decided.benchmark.constraints.cost_per_month is None or target is None:
        return {}
    return states(decided.evaluations, decided.statuses, decided.benchmark, [target])[0]


def _changing_facts(evaluation: Evaluation) -> Iterator[str]:
    """Nothing of recorded answers: whether another system looks things up is not known."""
    if evaluation.of_examples:
        yield f"Examples that are not kept current: {evaluation.candidate} answers from those that are like the request."
    elif evaluation.searches or evaluation.family in ("retrieval", "combined"):
        yield f"Documents that are not kept current: {evaluation.candidate} answers from what they say."
    elif evaluation.family != "recorded":
        yield f"Facts that change often: {evaluation.candidate} does not look them up, an approach with retrieval does."


def _too_dear(decided: Decided, name: str) -> bool:
    return by_cost_alone(decided.evaluations[name], decided.statuses[name], decided.benchmark)


# ---------------------------------------------------------------- next steps

_FRESH = (
    "Replace these held-out cases, some of which somebody was shown, by fresh ones drawn like real requests, and run again: "
    "with these nothing more can be settled, however many are added."
)


def _measure_limits(decided: Decided) -> Iterator[str]:
    """One step for all that meets but for limits that were not measured, and one for each `origin` that has other ways."""
    open_still = [status for status in map(decided.statuses.__getitem__, decided.unsettled) if status.but_for_limits]
    origins = [origin(decided.evaluations[each.candidate], decided.prices, each.unchecked) for each in open_still]
    for of in sorted(set(origins)):
        asked = [each for each, its in zip(open_still, origins, strict=True) if its == of]
        keys = list(dict.fromkeys(key for status in asked for key in status.unchecked))
        if keys:
            them = "it" if len(keys) == 1 else "them"
            yield (
                f"Have {limits_named(keys)} checked for {listed([status.candidate for status in asked])}, or take {them} out of "
                f"the task: {'; '.join(ways(keys, of))}."
            )


def _label_more(decided: Decided) -> list[str]:
    unsettled = [decided.statuses[name] for name in decided.unsettled]
    needed = soonest(unsettled, decided.evaluations, decided.benchmark.target)
    if decided.verdict == "undecided" and any(each.too_few for each in unsettled):
        enough, step = as_step([decided.statuses[name] for name in decided.ranking.order], decided.benchmark)
        if needed is None or (enough is not None and enough < needed[0]):
            return [step]
    if needed is None:
        return [*_other_goal(decided), *_state_costs(decided)]
    more, name = needed
    return [
        f"To decide about {name}, label {about(more, 'more held-out case')} drawn like real requests, add them to "
        "these, and run again only once all are labelled: each further run on these cases needs stronger proof."
    ]


def _state_costs(decided: Decided) -> Iterator[str]:
    """A step where something unsettled cannot be compared with the named one by cost, by what is missing."""
    named, ranking = decided.named, decided.ranking
    measured = [
        each for each in decided.unsettled if decided.evaluations[each].scores
    ]  # Else more than a price is missing.
    unlike = [] if named is None else [each for each in measured if not ranking.comparable(each, named)]
    if named is None or not unlike:
        return
    accept = "" if decided.verdict == "undecided" else f", or accept {named}"
    silent = {
        name
        for name in (named, *unlike)
        if decided.evaluations[name].family == "recorded" and ranking.ahead[name].value is None
    }
    if silent:
        yield f"State `cost` with each answer in the file of recorded answers and run again{accept}."
    if named not in silent and not silent.issuperset(unlike):
        yield f"Add the missing price to the task spec and make the report again{accept}."


def _other_goal(decided: Decided) -> Iterator[str]:
    """A step where nothing meets and all that may lie so close to the goal that no further cases decide it."""
    statuses = [decided.statuses[name] for name in decided.unsettled]
    if decided.verdict == "undecided" and statuses and all(each.hopeless for each in statuses):
        noun, larger = decided.goal.noun, "" if without_a_model(decided.evaluations.values()) else "larger "
        yield (
            f"State another {noun}, or try an approach that may be better, such as one with a {larger}language model: no "
            f"realistic number of held-out cases would decide about {listed(decided.unsettled)} at this {noun}."
        )


def _what_to_try(decided: Decided, named: str) -> list[str]:
    steps = []
    beyond = decided.beyond(named)
    if beyond is not None and stands_in_the_way(beyond, decided.benchmark.target):
        steps.append(f"See first whether the limit has to be as strict as it is. {beyond.sentence}")
    tried = {evaluation.family for evaluation in decided.evaluations.values() if math.isfinite(evaluation.figure)}
    quality = decided.evaluations[named].retrieval
    if quality is not None and quality.recall_at and (found := quality.recall_at[max(quality.recall_at)]) < 0.8:
        steps.append(
            f"Improve the search first: in {percent(1 - found)} of the cases none of the passages that {named} looked up is from "
            "the right document."
        )
    steps.extend(of_a_larger_model(decided, named))
    measured = [name for name in decided.ranking.order if math.isfinite(decided.evaluations[name].figure)]
    rising = [name for name in measured if decided.evaluations[name].rising]
    if rising:
        steps.append(
            f"Give {listed(rising)} a larger tuning budget: it ran out before everything was tried; whether the rest is better "
            "was not measured."
        )
    if decided.benchmark.task.documents and "retrieval" not in tried:
        steps.append("Run retrieval too: the task has documents, and how much they would help was not measured here.")
    return [*steps, of_more_examples(decided)]
