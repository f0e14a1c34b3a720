"""Limits of a task that nothing was measured for: what is not known to keep them is not said to meet the goal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from advisor.contract import Costs, Status
from advisor.costs.economics import in_money
from advisor.decision.tuned import only_elsewhere, takes_tuning
from advisor.decision.unsteady import edited
from advisor.goal import Goal
from advisor.wording import listed
from benchmarks.contract import Benchmark, Constraints, Evaluation, State
from benchmarks.costs.prices import MachinePrices

_CHECKS = "run again without `--probes none`"
_FILE = "answers from a file cannot be asked anew, so this limit can only be taken out"
_OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "recorded": {
        "cost_per_month": "state `cost` with each recorded answer",
        "p95_latency_s": "state `seconds` with each recorded answer",
        "same_at_least": _FILE,
        "planted_at_most": _FILE,
    },
    "elsewhere": {
        "perplexity_ratio": "a model that was tuned elsewhere comes without its base, so this limit can only be taken out",
    },
    "impossible": {
        "planted_at_most": "nothing can be planted in the passages that it looks up, so this limit can only be taken out",
    },
}
"""How it is measured of recorded answers, of what was tuned elsewhere, and by `Evaluation.unplanted`, where that is otherwise."""


@dataclass(frozen=True, kw_only=True)
class _Limit:
    """One key under `constraints` that something besides the scores has to be measured for."""

    name: str
    """What the limit is on."""
    lacks: Callable[[Evaluation, MachinePrices], bool]
    """Whether it applies to a candidate and nothing was measured for it."""
    way: str
    """How it is measured."""


_BEFORE: Mapping[str, str] = {
    "cost_per_month": "state `machine_hour` under `prices`, now or when the report is made again (`--machine-hour PRICE`)",
    "planted_at_most": "run with `--planted`",
    **dict.fromkeys(("p95_latency_s", "perplexity_ratio", "same_at_least"), "run without `--probes none`"),
}
"""How it is measured, said before a run."""


def _of_costs(_: Evaluation, __: MachinePrices) -> bool:
    return True


def _planted_in_all(evaluation: Evaluation) -> bool:
    """Whether it was done in the passages too, of what answers from some."""
    places = {each.place for each in evaluation.planted}
    return bool(places) and (not evaluation.searches or "passage" in places)


_LIMITS: Mapping[str, _Limit] = {
    "cost_per_month": _Limit(
        name="costs a month",
        lacks=_of_costs,
        way="state the price of a machine hour (`advisor report RUN --machine-hour PRICE`), or of the tokens (`--prices FILE`)",
    ),
    "p95_latency_s": _Limit(name="waiting times", lacks=lambda each, _: each.latency is None, way=_CHECKS),
    "perplexity_ratio": _Limit(
        name="what was forgotten",
        lacks=lambda each, prices: takes_tuning(each, prices) and each.forgetting is None,
        way=_CHECKS,
    ),
    "same_at_least": _Limit(name="steady answers", lacks=lambda each, _: edited(each) is None, way=_CHECKS),
    "grounded_at_least": _Limit(
        name="grounded answers", lacks=lambda each, _: each.grounding is None, way="give questions over documents"
    ),
    "declined_at_least": _Limit(
        name="answers that are declined",
        lacks=lambda each, _: each.grounding is None or not each.grounding.unanswerable,
        way="add held-out questions without an answer, and examples that say so",
    ),
    "planted_at_most": _Limit(
        name="planted instructions",
        lacks=lambda each, _: not _planted_in_all(each),
        way="go on with the same command and --resume --planted",
    ),
}


def unmeasured(evaluation: Evaluation, cost: Costs, benchmark: Benchmark, prices: MachinePrices) -> tuple[str, ...]:
    """Keys under `constraints` that apply to the candidate and that nothing was measured for. A limit on a share of answers of
    which there are none, such as valid ones where every text is allowed, is no such: there is nothing that could break it."""
    stated = [key for key in _LIMITS if getattr(benchmark.constraints, key) is not None]
    if not stated:
        return ()
    priced = in_money(cost, prices.currency)
    return tuple(
        key for key in stated if not (key == "cost_per_month" and priced) and _LIMITS[key].lacks(evaluation, prices)
    )


def unmeasured_by(
    constraints: Constraints, prices: MachinePrices, *, probes: bool = True, planted: bool = True, tunes: bool = True
) -> tuple[str, ...]:
    """Keys under `constraints` for which a run measures nothing of any approach that is performed, as it was asked for.
    `tunes`: whether one of them trains a language model, which alone can forget."""
    checked = {"p95_latency_s": probes, "same_at_least": probes, "planted_at_most": planted}
    checked["perplexity_ratio"] = probes or not tunes
    by_token = any(each is not None for each in prices.tokens.values())
    checked["cost_per_month"] = prices.machine_hour is not None or bool(by_token or prices.hours or prices.monthly)
    return tuple(key for key in _LIMITS if getattr(constraints, key) is not None and not checked.get(key, True))


def beforehand(keys: Sequence[str]) -> str:
    """What is said of them before such a run; empty where there are none."""
    if not keys:
        return ""
    them = "it" if len(keys) == 1 else "them"
    way = dict.fromkeys(_BEFORE.get(key, _LIMITS[key].way) for key in keys)
    return f"Nothing will be shown to keep {named(keys)}, since nothing here measures {them}: {'; '.join(way)}."


def named(keys: Sequence[str]) -> str:
    """`the limits on waiting times and steady answers`."""
    return f"the limit{'s' if len(keys) > 1 else ''} on {listed([_LIMITS[key].name for key in keys])}"


def origin(evaluation: Evaluation, prices: MachinePrices, keys: Collection[str] = ()) -> str:
    """Where an approach comes from, or why its passages were not planted, as `ways` has it of these limits; else empty."""
    if evaluation.family == "recorded":
        return "recorded"
    if only_elsewhere(evaluation, prices):
        return "elsewhere"
    return evaluation.unplanted if "planted_at_most" in keys else ""


def ways(keys: Sequence[str], of: str = "") -> list[str]:
    """How these limits get measured of approaches with that `origin`, in clauses."""
    otherwise = _OTHERWISE.get(of, {})
    return list(dict.fromkeys(otherwise.get(key, _LIMITS[key].way) for key in keys))


def with_open_limits(
    tested: Sequence[Status], lacking: Mapping[str, tuple[str, ...]], benchmark: Benchmark
) -> tuple[Status, ...]:
    """The same, but nothing is said to meet of which a limit was not measured (`lacking`: candidate -> keys).

    With a margin such a candidate may be the best or be ruled out, so what misses beside it may come close enough too.
    """
    if not any(lacking.values()):
        return tuple(tested)
    goal = Goal.of(benchmark)
    states = {status.candidate: status.state for status in tested}
    then = held_open(states, [name for name in states if lacking.get(name)], out_for_good(tested, benchmark.margin))
    return tuple(_told(status, then[status.candidate], lacking.get(status.candidate, ()), goal) for status in tested)


def out_for_good(tested: Iterable[Status], margin: float | None) -> Collection[str] | None:
    """With a margin those that lie further below one of which every limit was measured; None with a target."""
    if margin is None:
        return None
    return {each.candidate for each in tested if each.beside_measured is not None and each.beside_measured < -margin}


def held_open(states: Mapping[str, State], lacking: Collection[str], out: Collection[str] | None) -> dict[str, State]:
    """The states at one goal, where of `lacking` a limit was not measured. `out`: as of `out_for_good`."""
    doubtful = out is not None and any(states.get(name, State.MISSES) is not State.MISSES for name in lacking)
    return {
        name: State.UNDECIDED
        if (state is State.MEETS and name in lacking)
        or (state is State.MISSES and doubtful and out is not None and name not in out)
        else state
        for name, state in states.items()
    }


def _told(status: Status, then: State, keys: tuple[str, ...], goal: Goal) -> Status:
    if then is status.state:
        return replace(status, unchecked=keys)
    meets = status.state is State.MEETS
    reason = "It lies further below the best, but whether that keeps all limits was not measured."
    if meets:
        reason = f"It {goal.meets_plainly}, but whether it keeps {named(keys)} was not measured."
    return replace(
        status, state=then, reason=reason, unchecked=keys, but_for_limits=meets, more_cases=None, hopeless=False
    )
