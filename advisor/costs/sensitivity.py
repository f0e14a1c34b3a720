"""Which price, volume or pace of change would lead to another recommendation, and how far away that is.

The very rule of the decision is asked again with one thing turned up or down at a time, so that what is said here is what
`advisor report` says where that thing is changed. What was shown of the approaches stays as it is, unless a limit on costs
rules out others then: what is shown by bounds for every target at once holds there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from advisor.contract import Costs
from advisor.costs.amounts import times
from advisor.costs.economics import costs, over_limit, rank, settled
from advisor.costs.turning_words import every, from_price, more, of_their_price, rounded_beside, side
from advisor.wording import listed, start
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.costs.prices import MachinePrices, TokenPrices, Upkeep

FURTHEST = 7
"""Doublings, and halvings, that are looked at: about a hundred times as much or as little."""
_HALVINGS = 12
_LOOKS = 8
"""At each doubling of the volume where a machine is kept on: what is the cheapest from some volume on need not stay that."""
_LONG = 120.0
"""Months after which a change that nobody spoke of is looked for at first."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Who would be named, and who would have to be decided about first."""

    safe: str | None
    unsettled: tuple[str, ...]
    """By name: their order says nothing."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked again: the candidates of which it is shown that they meet, and those of which nothing is shown."""

    evaluations: Sequence[Evaluation]
    benchmark: Benchmark
    prices: MachinePrices
    meeting: Sequence[str]
    may: Sequence[str]
    named: str | None
    """None where nothing is shown to meet."""
    over: frozenset[str]
    """Those that the limit on costs rules out now."""
    anew: Mapping[str, State]
    """With such a limit: what is shown where it rules out others."""

    def bills(self, benchmark: Benchmark | None = None, prices: MachinePrices | None = None) -> list[Costs]:
        return [costs(each, benchmark or self.benchmark, prices or self.prices) for each in self.evaluations]

    def outcome(self, bills: Sequence[Costs]) -> Outcome:
        """By the rule of the decision; who costs more than the limit is out."""
        over = _over(bills, self.benchmark, self.prices)
        same = over == self.over or not self.anew
        known = {**dict.fromkeys(self.meeting, State.MEETS), **dict.fromkeys(self.may, State.UNDECIDED)}
        shown = known if same else self.anew
        within = [bill.candidate for bill in bills if bill.candidate not in over]
        meeting, undecided = (
            [name for name in within if shown.get(name) is state] for state in (State.MEETS, State.UNDECIDED)
        )
        if not meeting:
            return Outcome(safe=None, unsettled=tuple(sorted(undecided)))
        safe, unsettled = settled(meeting, undecided, rank(bills, self.evaluations))
        return Outcome(safe=safe, unsettled=tuple(sorted(unsettled)))


def _over(bills: Sequence[Costs], benchmark: Benchmark, prices: MachinePrices) -> frozenset[str]:
    limit = benchmark.constraints.cost_per_month
    return frozenset(bill.candidate for bill in bills if over_limit(bill, limit, prices.currency))


Turned = Callable[[float], Sequence[Costs]]


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One thing that may be more or less than it is. `turned` gives the bills at a multiple of it."""

    noun: str
    turned: Turned
    says: Callable[[float], str]
    """How a sentence begins that speaks of that multiple, above 1 of more and below 1 of less."""
    at: Callable[[float], float]
    """What it is at that multiple, in its unit."""
    unit: str
    furthest: int = FURTHEST
    down: bool = True
    stated: bool = True
    """Somebody said, or it was measured, what it is now."""
    between: Callable[[float, float], str] | None = None
    """As `says`, of all from the one multiple to the other, where what is recommended now may be so again further off."""


@dataclass(frozen=True, kw_only=True)
class Flip:
    """The nearest multiple of one thing, on one side, at which the outcome is another one."""

    knob: Knob
    factor: float
    then: Outcome
    upto: float | None = None
    """The multiple from which on the outcome of now is that again; None: it is not, or was not looked for."""

    @property
    def says(self) -> str:
        if self.upto is None or self.knob.between is None:
            return self.knob.says(self.factor)
        return self.knob.between(*sorted((self.factor, self.upto)))


def flips(question: Question) -> tuple[list[Flip], list[Knob]]:
    """What leads to another outcome, and what does not within a hundred times as much or as little."""
    now = question.outcome(question.bills())
    found: list[Flip] = []
    steady: list[Knob] = []
    for knob in _knobs(question):
        near = [flip for up in (True, False) if (flip := _flip(question, knob, now, up)) is not None]
        found += near
        steady += [] if near else [knob]
    return found, steady


def what_flips_it(question: Question, near: tuple[Sequence[Flip], Sequence[Knob]], met: str) -> tuple[str, ...]:
    """One sentence for each way in which another recommendation is near, then what does not matter: what `flips` found.
    `met`: `meets the target`."""
    now = question.outcome(question.bills())
    told = [f"{flip.says}: {_then(now, flip.then, met)}" for flip in near[0]]
    nouns = [knob.noun for knob in near[1] if knob.down]
    if nouns and question.named is not None:
        told.append(f"Not {_either(nouns)}: with a hundred times as much or as little, {question.named} stays.")
    return tuple(told)


def _flip(question: Question, knob: Knob, now: Outcome, up: bool) -> Flip | None:
    if not up and not knob.down:
        return None
    looks = 1 if knob.between is None else _LOOKS
    tried = [(2.0 if up else 0.5) ** (place / looks) for place in range(knob.furthest * looks + 1)]

    def same(factor: float) -> bool:
        return question.outcome(knob.turned(factor)) == now

    other = next((place for place in range(1, len(tried)) if not same(tried[place])), None)
    if other is None:
        return None
    factor, upto = _edge(same, (tried[other - 1], tried[other])), None
    if knob.between is not None:
        again = next((place for place in range(other + 1, len(tried)) if same(tried[place])), None)
        upto = None if again is None else _edge(same, (tried[again], tried[again - 1]))
    return Flip(knob=knob, factor=factor, then=question.outcome(knob.turned(factor)), upto=upto)


def _edge(same: Callable[[float], bool], between: tuple[float, float]) -> float:
    """The nearest multiple to the first, where the outcome is the same, at which it is not, as at the second."""
    one, other = between
    for _ in range(_HALVINGS):
        middle = (one * other) ** 0.5
        one, other = (middle, other) if same(middle) else (one, middle)
    return other


def _then(now: Outcome, then: Outcome, met: str) -> str:
    if then.safe is None and now.safe is not None:
        return "nothing that is shown to meet would be within the limit of cost."
    gained = [name for name in then.unsettled if name not in now.unsettled]
    if then.safe != now.safe:
        if not then.unsettled:
            return f"{then.safe} would be {'preferred' if now.safe else 'recommended'}."
        return f"{then.safe} would be preferred among those that are proven, and {_whether(then.unsettled, met)}."
    if gained:
        return f"{_whether(gained, met)}."
    gone = [name for name in now.unsettled if name not in then.unsettled]
    if then.safe is None:
        return f"{listed(gone)} would not be within the limit of cost."
    return f"{then.safe} would be preferred to {listed(gone)} in any case."


def _either(nouns: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join([", ".join(nouns[:-1]), nouns[-1]] if nouns[1:] else nouns)


def _whether(names: Sequence[str], met: str) -> str:
    return f"whether {_either(names)} {met} would have to be decided first"


# ---------------------------------------------------------------- what may be turned


def _knobs(question: Question) -> Iterator[Knob]:
    if question.named is not None:
        yield _cost_of_named(question, question.named)
    yield from _volume(question)
    yield from _stated_prices(question)
    yield from _tokens(question)
    yield from _change(question)


def _cost_of_named(question: Question, named: str) -> Knob:
    bills = question.bills()
    mine = next(bill.monthly for bill in bills if bill.candidate == named)

    def turned(factor: float) -> list[Costs]:
        return [
            replace(bill, ahead=times(bill.ahead, factor), monthly=times(bill.monthly, factor))
            if bill.candidate == named
            else bill
            for bill in bills
        ]

    return Knob(
        noun=f"what {named} costs",
        turned=turned,
        says=lambda factor: f"If {named} cost {more(factor)}",
        at=lambda factor: factor * (mine.value or 0.0),
        unit=mine.unit,
        down=False,
    )


def _volume(question: Question) -> Iterator[Knob]:
    """Only where something is due at any volume: else all costs change alike."""
    monthly = [item for bill in question.bills() for item in bill.items if item.when == "monthly"]
    kept_on = any(bill.at_least is not None for bill in question.bills())
    limited = question.benchmark.constraints.cost_per_month is not None
    if not (kept_on or limited or any(not item.by_request for item in monthly)):
        return
    volume = question.benchmark.volume

    def says(factor: float) -> str:
        number = f"about {rounded_beside(volume * factor, volume):,.0f}"
        return f"{'More' if factor > 1 else 'Fewer'} than {number} requests a month ({volume:,} now)"

    def between(low: float, high: float) -> str:
        ends = (f"about {rounded_beside(volume * factor, volume):,.0f}" for factor in (low, high))
        return f"Between {' and '.join(ends)} requests a month ({volume:,} now)"

    yield Knob(
        noun="the volume",
        turned=lambda factor: question.bills(
            benchmark=replace(question.benchmark, volume=max(1, round(volume * factor)))
        ),
        says=says,
        at=lambda factor: volume * factor,
        unit="requests a month",
        between=between if kept_on else None,
    )


def _stated_prices(question: Question) -> Iterator[Knob]:
    prices, kept = question.prices, question.prices.upkeep
    if prices.machine_hour:
        hour = prices.machine_hour
        yield Knob(
            noun="the price of a machine hour",
            turned=lambda factor: question.bills(prices=replace(prices, machine_hour=hour * factor)),
            says=lambda factor: f"A machine hour {side(factor)} {from_price(hour, factor, prices.currency)}",
            at=lambda factor: hour * factor,
            unit=prices.currency,
        )
    asked = {model for each in question.evaluations for model in each.models}
    for key, of in (("hours", "an hour"), ("monthly", "a month")):
        for name, price in getattr(prices, key).items():
            if price and name in asked:
                yield _model_price(question, (key, f"{of} of {name}"), name)
    named = (("label_price", "labels", "Labels"), ("hour_price", "hours", "Hours of work"))
    for key, many, spoken in named:
        price = getattr(kept, key)
        if price and getattr(kept, many) and kept.task_months is not None:
            yield _upkeep_price(question, (key, price, spoken))


def _model_price(question: Question, stated: tuple[str, str], name: str) -> Knob:
    (key, what), prices = stated, question.prices
    known: Mapping[str, float] = getattr(prices, key)

    def turned(factor: float) -> list[Costs]:
        changed: dict[str, Any] = {key: {**known, name: known[name] * factor}}
        return question.bills(prices=replace(prices, **changed))

    return Knob(
        noun=f"the price of {what}",
        turned=turned,
        says=lambda factor: f"{start(what)} {side(factor)} {from_price(known[name], factor, prices.currency)}",
        at=lambda factor: known[name] * factor,
        unit=prices.currency,
    )


def _upkeep_price(question: Question, stated: tuple[str, float, str]) -> Knob:
    key, price, spoken = stated
    prices = question.prices

    def turned(factor: float) -> list[Costs]:
        return question.bills(prices=replace(prices, upkeep=_kept(prices.upkeep, key, price * factor)))

    return Knob(
        noun=f"the price of {spoken.lower()}",
        turned=turned,
        says=lambda factor: f"{spoken} {side(factor)} {from_price(price, factor, prices.currency)} each",
        at=lambda factor: price * factor,
        unit=prices.currency,
    )


def _tokens(question: Question) -> Iterator[Knob]:
    asked = {model for each in question.evaluations for model in each.models}
    for name, price in question.prices.tokens.items():
        if price is not None and name in asked:
            yield _token_price(question, name, price)


def _token_price(question: Question, name: str, price: TokenPrices) -> Knob:
    prices = question.prices

    def turned(factor: float) -> list[Costs]:
        return question.bills(prices=replace(prices, tokens={**prices.tokens, name: price.times(factor)}))

    return Knob(
        noun=f"the price of {name}",
        turned=turned,
        says=lambda factor: f"Tokens of {name} {of_their_price(factor)}",
        at=lambda factor: price.input * factor,
        unit=f"{price.currency} a million prompt tokens",
    )


def _change(question: Question) -> Iterator[Knob]:
    """How often facts and the task change. Where nobody said, from every ten years up to every week is looked at."""
    task = question.benchmark.task
    for key, what in (("facts_months", "Facts"), ("task_months", "Labels, style or form")):
        stated = getattr(question.prices.upkeep, key)
        if stated is None and key == "facts_months" and task.kind != "qa" and not task.documents:
            continue
        knob = _pace(question, (key, what), stated)
        if stated is not None or question.outcome(knob.turned(1.0)) == question.outcome(question.bills()):
            yield knob


def _pace(question: Question, which: tuple[str, str], stated: float | None) -> Knob:
    key, what = which
    prices, months = question.prices, _LONG if stated is None else stated

    def turned(factor: float) -> list[Costs]:
        return question.bills(prices=replace(prices, upkeep=_kept(prices.upkeep, key, months / factor)))

    def says(factor: float) -> str:
        often, then = f"{'more' if factor > 1 else 'less'} often", every(months / factor)
        if stated is not None and then == every(stated):
            return f"{what} that change a little {often} than every {then}"
        now = "" if stated is None else f" (every {every(stated)} now)"
        return f"{what} that change every {then} or {often}{now}"

    return Knob(
        noun=f"how often {what[0].lower()}{what[1:]} change",
        turned=turned,
        says=says,
        at=lambda factor: months / factor,
        unit="months",
        furthest=FURTHEST if stated is not None else FURTHEST + 2,
        down=stated is not None,
        stated=stated is not None,
    )


def _kept(upkeep: Upkeep, key: str, value: float) -> Upkeep:
    changed: dict[str, Any] = {key: value}
    return replace(upkeep, **changed)


def question_of(
    evaluations: Mapping[str, Evaluation],
    benchmark: Benchmark,
    prices: MachinePrices,
    asked: tuple[Sequence[str], ...],
    anew: Mapping[str, State] | None = None,
) -> Question:
    """`asked`: those that meet, those that may, and the one that is named, if any meets. `anew`: with a limit on costs, the
    states of all that it may let in or rule out, where it does."""
    meeting, may, named = asked
    names = dict.fromkeys((*meeting, *may, *(anew or {})))
    family = [evaluations[name] for name in names]
    return Question(
        evaluations=family,
        benchmark=benchmark,
        prices=prices,
        meeting=meeting,
        may=may,
        named=named[0] if named else None,
        over=_over([costs(each, benchmark, prices) for each in family], benchmark, prices),
        anew=anew or {},
    )
