"""Numbers of sentences that nobody measured or stated as they are: each with what it was computed from, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from advisor.ask.triage import fewest_of_a_label
from advisor.contract import Turn
from advisor.costs.economics import saving
from advisor.decision.slices import parts
from advisor.decision.unsteady import at_most_the_same
from advisor.decision.untried import fresh_cases
from advisor.drawn import WinnerMap
from advisor.figures.winners import cells_at
from advisor.material import Material
from advisor.probes.asked_again import reach
from advisor.probes.steadiness import steadiness
from advisor.story.foretold import Foretold
from advisor.story.gap import USABLE, between_models
from advisor.story.more_data import all_ahead, prompt_worth
from advisor.story.nothing_beats import unbeaten
from advisor.story.payback import payback
from advisor.story.value import stakes
from benchmarks.checked import Agreement, ByHeart, Changed, Grounding, Handover, Latency
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.statistics.counted import interval, shown


def of_the_run(material: Material, winners: WinnerMap | None, foretold: Foretold) -> dict[str, Any]:
    """Beside the facts that are stated or measured. What does not apply is null, or an empty list."""
    return {
        "tested": sum(each.state in (State.MEETS, State.MISSES, State.UNDECIDED) for each in material.statuses),
        "limits": _limits(material.benchmark),
        **_data(material),
        "suggested": _suggested(material),
        "predicted": _predicted(material, foretold),
        "keys": _keys(material),
        "left_out": _left_out(material),
        "unbeaten": _unbeaten(material),
        "short_of_target": _short(material),
        "savings": list(_savings(material)),
        "paid_back": None if (back := payback(material)) is None else asdict(back),
        "every_target": [
            {"candidate": name, "lower": lower, "upper": upper}
            for name, (lower, upper) in material.recommendation.every_target.items()
        ],
        "turning_points": [_turn(turn) for turn in material.recommendation.turns],
        "deciding": [asdict(stake) for stake in stakes(material)],
        "label_price": None
        if (price := material.extras.label_price) is None
        else {"value": price[0], "unit": price[1]},
        "more_examples": [asdict(ahead) for ahead in all_ahead(material)],
        "between_models": _models(material),
        "prompt_worth": None if (worth := prompt_worth(material)) is None else asdict(worth),
        "flips": None if (flips := reach(material)) is None else asdict(flips),
        "steadiness": [asdict(each) for each in steadiness(material)],
        "chosen_by_volume": _chosen(winners),
    }


def _limits(benchmark: Benchmark) -> dict[str, Any]:
    """Those that are set; 0 is one."""
    stated = asdict(benchmark.constraints).items()
    return {name: value for name, value in stated if value or (value == 0 and value is not False)}


def _data(material: Material) -> dict[str, Any]:
    task, (groups, grouped) = material.benchmark.task, material.groups
    asked = [len(each.scores) for each in material.evaluations.values() if each.scores]
    possible = len(asked) * len(material.benchmark.heldout)
    return {
        "labels": len(task.labels),
        "examples_a_label": len(task.examples) // len(task.labels) if task.labels else None,
        "fewest_of_a_label": fewest_of_a_label(task),
        "documents": len(task.documents),
        "answers_in_documents": material.recommendation.in_documents if task.documents else None,
        "groups": {"number": groups, "cases": grouped} if groups else None,
        "answers": {"possible": possible, "asked": sum(asked), "not_needed": possible - sum(asked)},
        "alike": {name: vars(found) | {} for name, found in material.extras.alike.items()},
        "notes": list(material.benchmark.notes),
        "machine": material.extras.machine,
    }


def _suggested(material: Material) -> dict[str, Any] | None:
    """The family that the task alone suggested, and what the best of it reached."""
    name = material.recommendation.suggested
    if name is None:
        return None
    return {"family": material.evaluations[name].family, "best": name, "figure": material.evaluations[name].figure}


def _predicted(material: Material, found: Foretold) -> dict[str, Any] | None:
    if not found.pairs:
        return None
    return {
        "order": list(found.order),
        "approaches": len(found.order),
        "pairs": found.pairs,
        "true": len(found.true),
        "within_noise": len(found.within_noise),
        "otherwise": [list(pair) for pair in found.otherwise],
        "target": material.extras.predicted_target,
        "outcome": found.outcome,
        "came_true": found.came_true,
        "why": material.extras.predicted_why,
    }


def _unbeaten(material: Material) -> dict[str, Any] | None:
    found = unbeaten(material.evaluations, material.statuses, material.benchmark)
    return None if found is None else asdict(found)


def _keys(material: Material) -> dict[str, Any] | None:
    """What the named candidate gets wrong on the selection cases, in how many the key is in dispute, and what these cost."""
    found = material.extras.mistakes
    if found is None or not found.asked:
        return None
    disputed = [each for each in found.found if each.kind == "disputed key"]
    shares = {
        "wrong_share": found.wrong / found.asked,
        "disputed_share": found.lacking / found.asked,
    }
    return asdict(found) | {"disputed": sum(each.cases for each in disputed), **shares}


def _left_out(material: Material) -> dict[str, Any] | None:
    """For want of held-out cases: how many fresh ones would tell, how many where every cheaper approach is shown to miss, and of
    what share that is really right."""
    asked = fresh_cases(material.statuses, material.benchmark)
    if asked is None:
        return None
    return {
        "more_cases": asked.cases_behind,
        "behind_misses": asked.cases_needed,
        "assumed_truth": asked.assumed_truth,
    }


def _short(material: Material) -> dict[str, Any] | None:
    named, target = material.named, material.benchmark.target
    if named is None or target is None or not (figure := material.evaluations[named].figure) < target:
        return None
    return {"candidate": named, "figure": figure, "target": target, "by": target - figure}


def _models(material: Material) -> dict[str, Any] | None:
    found = between_models([material.evaluations[each.candidate] for each in material.statuses if each.state in USABLE])
    return None if found is None else asdict(found) | {"apart": found.apart}


def _savings(material: Material) -> Iterator[dict[str, Any]]:
    """The named candidate against each other one, where timings tell the costs apart: two bills and their difference."""
    named, months = material.named, material.benchmark.horizon_months
    for other in material.ranking.order if named is not None else ():
        for dearer, cheaper in ((named, other), (other, named)):
            if dearer and cheaper and (saved := saving(material.ranking, dearer, cheaper, months)) is not None:
                bills = {name: asdict(material.costs[name].monthly) for name in (dearer, cheaper)}
                yield {"dearer": dearer, "cheaper": cheaper, "bills": bills, "saved": asdict(saved)}


def _turn(turn: Turn) -> dict[str, Any]:
    values = {"now": turn.now, "at": turn.at, "unit": turn.unit}
    bills = {name: asdict(bill) for name, bill in turn.bills.items()}
    return {
        "of": turn.of,
        "times": turn.times,
        **values,
        "safe": turn.safe,
        "unsettled": turn.unsettled,
        "bills": bills,
    }


def _chosen(winners: WinnerMap | None) -> list[dict[str, Any]]:
    """By the map of winners, at the goal that was stated before the run."""
    if winners is None or winners.own is None:
        return []
    cells = cells_at(winners.strips, winners.own)
    return [
        {"candidate": each.named, "verdict": each.verdict, "above": each.above, "upto": each.upto} for each in cells
    ]


# ---------------------------------------------------------------- of one candidate


def counts(found: Any, counted: int, cases: int) -> dict[str, Any]:
    """The fields of a check with the 95 % interval of the share that it counts."""
    return {**_stated(found), "interval": list(interval(counted, cases, found.by_group)) if cases else None}


def changed(found: Changed) -> dict[str, Any]:
    """With the interval of those that follow at once, and of those that do once it is fitted again."""
    again = None if found.again is None else interval(found.again, found.told, found.again_by_group)
    return {**counts(found, found.new, found.known), "again_interval": list(again) if again and found.told else None}


def _stated(found: Any) -> dict[str, Any]:
    """Its fields, without the counts by group, which are there for bounds."""
    return {name: value for name, value in vars(found).items() if not name.endswith("by_group")}


def by_heart(known: ByHeart) -> dict[str, Any]:
    return {name: counts(each, each.right, each.cases) for name, each in vars(known).items()}


def handover(found: Handover) -> dict[str, Any]:
    return vars(found) | {"share": found.alone / found.of, "to_a_person": found.of - found.alone}


def grounding(found: Grounding) -> dict[str, Any]:
    return _stated(found) | {"answers": found.answers, "nowhere_share": found.nowhere / max(1, found.answers)}


def agreement(check: Agreement, benchmark: Benchmark) -> dict[str, Any]:
    """Share of answers that change, the interval of those that stay, and their bound where the task has a limit on it; how many
    flip, and the interval of their share."""
    count = check.right_twice + check.wrong_twice_same
    drawn = list(shown(count, check.pairs, check.by_group)) if check.pairs else None
    bound = None if benchmark.constraints.same_at_least is None or not check.pairs else at_most_the_same(check)
    flips = list(shown(check.flips, check.pairs, check.flips_by_group)) if check.pairs else None
    return {
        "same_count": count,
        "changed": 1 - check.same,
        "interval": drawn,
        "same_at_most": bound,
        "flips": check.flips,
        "flips_interval": flips,
    }


def longer(latency: Latency, benchmark: Benchmark) -> int | None:
    """Requests that took longer than the limit; None without one."""
    limit = benchmark.constraints.p95_latency_s
    return None if limit is None else sum(seconds > limit for seconds in latency.seconds)


def weakest(evaluation: Evaluation, benchmark: Benchmark) -> list[Mapping[str, Any]]:
    """The parts of the cases with the bound that the limit on them is held against; empty without one."""
    return (
        [vars(part) for part in parts(evaluation, benchmark)]
        if benchmark.constraints.slice_at_least is not None
        else []
    )
