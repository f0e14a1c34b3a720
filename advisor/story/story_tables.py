"""The tables and the picture of a story: every number once, as text, from evaluations, costs and a recommendation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from advisor.contract import Amount, CostItem, Costs, Difference, Status
from advisor.costs.amounts import total
from advisor.costs.upkeep import upkeep_note
from advisor.decision.closeness import how_far
from advisor.drawn import Picture, Point, Table
from advisor.figures.differences import interval
from advisor.material import Material
from advisor.wording import (
    NONE,
    ceil_percent,
    counted,
    floor_percent,
    in_cell,
    listed,
    metric_name,
    of_what,
    percent,
    plain_percent,
    plain_points,
    points,
    probability,
)
from advisor.wording import latency as seconds
from benchmarks.checked import Latency
from benchmarks.contract import Benchmark, Evaluation, Procedure, State

_WITHOUT = (State.INVALID, State.CANNOT_RUN, State.SKIPPED)
"""States of candidates without figures that may be shown; one that is not measured yet may have one, and no limit checked."""


def main_table(material: Material) -> Table:
    """One row a candidate, cheapest first; fits 80 columns. What does not suit the task is told among the reasons."""
    rows = []
    for status in material.suitable:
        evaluation, cost = material.evaluations[status.candidate], material.costs[status.candidate]
        rows.append(
            (
                status.candidate,
                _figure(evaluation, status, material.benchmark),
                _same(evaluation),
                in_cell(cost.spent),
                in_cell(cost.monthly),
                _latency(evaluation.latency),
                str(status.state),
            )
        )
    named = material.named
    return Table(
        title=f"{_how_many(material)} on the same {_heldout(material.benchmark)}",
        columns=(
            "approach",
            metric_name(material.benchmark.metric.name),
            "same",
            "spent",
            "a month",
            "wait",
            "status",
        ),
        rows=tuple(rows),
        note=_main_note(material),
        numeric=(2, 3, 4, 5),
        emphasis=tuple(index for index, row in enumerate(rows) if row[0] == named),
    )


def targets_table(material: Material) -> Table:
    """What another target, or margin, would take; those with the same answer share a row."""
    noun, shown = ("target", plain_percent) if material.benchmark.margin is None else ("margin", plain_points)
    rows: list[tuple[float, float, tuple[str, str]]] = []
    for each in material.recommendation.at_targets:
        answer = each.named or ("nothing meets it" if each.verdict == "nothing meets" else "not decided")
        unsettled = [f"{name} (meets it too)" if name in each.unlike else name for name in each.unsettled]
        told = answer, listed(unsettled) if unsettled else NONE
        if rows and rows[-1][2] == told:
            rows[-1] = (rows[-1][0], each.target, told)
        else:
            rows.append((each.target, each.target, told))
    stated = material.benchmark.target
    own = stated is not None and stated in {each.target for each in material.recommendation.at_targets}
    at_own = f" At {shown(stated)} the answer is the verdict itself." if stated is not None and own else ""
    unlike = any(each.unlike for each in material.recommendation.at_targets)
    rest = "undecided, or of a cost that cannot be compared" if unlike else "undecided, and would be preferred"
    return Table(
        title=f"What another {noun} would take",
        columns=(noun, "the cheapest proven to meet it", rest),
        rows=tuple((_range(shown(low), shown(high)), *told) for low, high, told in rows),
        note=f"{_TARGETS_NOTE[noun]}{at_own}" if rows else "",
    )


_TARGETS_NOTE = {
    "target": "In steps of 5 %, from the same answers. The bounds hold for every target at once, so they are wider than "
    "those of the verdict.",
    "margin": "From the same answers; the bounds are those of the verdict, which hold for every margin at once.",
}


def _range(low: str, high: str) -> str:
    """`5 to 20 %`: of two numbers with one unit."""
    return low if low == high else f"{low.split()[0]} to {high}"


def costs_table(material: Material) -> Table:
    """Cost by step, and what 1,000 requests and the horizon cost."""
    months = material.benchmark.horizon_months
    kinds = {item.name for cost in material.costs.values() for item in _upkeep(cost)}
    upkept = bool(kinds)
    rows = []
    for status in material.suitable:
        evaluation, cost = material.evaluations[status.candidate], material.costs[status.candidate]
        steps = [
            _step_amount(cost.items, name) for name in ("choosing the configuration", "building the index", "training")
        ]
        kept = (in_cell(total([item.amount for item in _upkeep(cost)], cost.monthly.unit)),) if upkept else ()
        rows.append(
            (status.candidate, *steps, _tokens(evaluation), in_cell(cost.per_thousand), *kept, in_cell(cost.ahead))
        )
    named = ("upkeep a month",) if upkept else ()
    return Table(
        title="Costs by step",
        columns=("approach", "choosing", "index", "training", "tokens", "1,000 requests", *named, f"{months} months"),
        rows=tuple(rows),
        note=(
            "Choosing, index and training are already spent. Tokens are prompt and answer of one request. "
            f"Which one counts as cheaper follows the last column, at {material.benchmark.volume:,} requests a month."
            f"{upkeep_note(kinds) if upkept else ''}"
        ),
        numeric=tuple(range(1, 8 if upkept else 7)),
    )


def differences_table(material: Material) -> Table:
    """Paired comparisons on the same held-out cases."""
    rows = tuple(_difference(each) for each in material.recommendation.differences)
    exact = material.right_or_wrong
    mixed = " (exact McNemar test where both were only right or wrong)" if material.exact_among_graded > 1 else ""
    how = "exact McNemar test" if exact else f"a bootstrap{mixed}"
    if material.groups != (0, 0):
        how = "Student's t over the totals of groups"
    would = (
        " Would show: the difference that this many cases detect 4 times in 5 (power) if two approaches disagree as "
        f"{'often' if exact else 'widely'} as these."
    )
    if material.benchmark.sequential:
        how, would = "bets on the differences of the cases that both were asked", ""
    better = ("only 1st right", "only 2nd right") if exact else ("1st better", "2nd better")
    note = f"p by {how}, each comparison on its own; nothing is chosen by these.{would}"
    if material.benchmark.metric.over_rows:
        note += f" Single answers are compared, not the {metric_name(material.benchmark.metric.name)} over all."
    return Table(
        title="The same cases, side by side",
        columns=("approach", "against", "difference", "95 % interval", "p", *better, "would show"),
        rows=rows,
        note=note if rows else "Nothing to compare.",
        numeric=(2, 3, 4, 5, 6, 7),
    )


def picture(material: Material) -> Picture:
    """Accuracy against what lies ahead; costs in another unit than the first known one count as unknown.

    Against a target the bars are the bounds that decided, so that none crosses the line whose status is settled.
    """
    months = material.benchmark.horizon_months
    unit = _picture_unit(material)
    measured = [
        (status, material.evaluations[status.candidate])
        for status in material.statuses
        if math.isfinite(material.evaluations[status.candidate].figure) and status.state not in (*_WITHOUT, State.OPEN)
    ]
    return Picture(
        title=f"{metric_name(material.benchmark.metric.name)} against the cost of {counted(months, 'month')}",
        cost_unit=of_what(unit) if unit else "unknown",
        points=tuple(
            Point(
                name=status.candidate,
                cost=_cost_in(material.costs[status.candidate].ahead, unit),
                figure=evaluation.figure,
                lower=low,
                upper=high,
                state=status.state,
            )
            for status, evaluation in measured
            for low, high in [_bar(evaluation, status, material.benchmark)]
        ),
        target=material.benchmark.target,
    )


def _bar(evaluation: Evaluation, status: Status, benchmark: Benchmark) -> tuple[float, float]:
    """The bounds that the table's status rests on; the interval of the figure where there are none, or with a margin,
    whose bounds are those of a difference."""
    if benchmark.margin is None and status.lower is not None and status.upper is not None:
        return status.lower, status.upper
    return evaluation.lower, evaluation.upper


# ---------------------------------------------------------------- cells


def _figure(evaluation: Evaluation, status: Status, benchmark: Benchmark) -> str:
    """`84 % (>= 80)`, `62 % (<= 68)`, `78 % (72-84)`: the figure with the bound that decided, or with both.

    With a margin the bounds say how many points it lies below the best: `84 % (<= 3 below)`; what no bound is told of has the
    figure alone then.
    """
    target = benchmark.target
    if not math.isfinite(evaluation.figure) or status.state in _WITHOUT:
        return NONE
    figure = percent(evaluation.figure)
    if benchmark.margin is not None:
        below = _below(status, benchmark.margin)
        return f"{figure} ({below})" if below else figure
    if status.state is State.MEETS and status.lower is not None:
        return f"{figure} (>= {floor_percent(status.lower, target)})"
    if status.state is State.MISSES and status.upper is not None:
        return f"{figure} (<= {ceil_percent(status.upper, target)})"
    if status.state is State.UNDECIDED and status.lower is not None and status.upper is not None:
        return f"{figure} ({floor_percent(status.lower, target)}-{ceil_percent(status.upper, target)})"
    if math.isfinite(evaluation.lower) and math.isfinite(evaluation.upper):
        return f"{figure} ({floor_percent(evaluation.lower)}-{ceil_percent(evaluation.upper)})"
    return figure


def _below(status: Status, margin: float) -> str:
    """Empty where nothing is known on either side: -1 as the lower bound says that the best may not be measured yet."""
    if status.lower is None or status.upper is None:
        return ""
    least, most = how_far(status.lower, status.upper, margin)
    if status.state is State.MEETS:
        return f"<= {most} below" if status.lower < 0 else "the best"
    if status.state is State.MISSES or status.lower <= -1:
        return f">= {least} below" if status.upper < 0 else ""
    return f"{least}-{most} below"


def _same(evaluation: Evaluation) -> str:
    """Share of the same answers under harmless edits."""
    for check in evaluation.agreements:
        if check.name in ("edit", "edits") and check.pairs:
            return percent(check.same)
    return NONE


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return NONE
    return f"{seconds(latency.p50_s)}/{seconds(latency.p95_s)} s"


def _tokens(evaluation: Evaluation) -> str:
    usage = evaluation.answering
    if usage is None or not usage.calls:
        return NONE
    prompt, answer = usage.prompt_tokens / usage.calls, usage.answer_tokens / usage.calls
    return f"{prompt:,.0f} + {answer:,.0f}" if prompt or answer else "0"


def _upkeep(cost: Costs) -> list[CostItem]:
    """The items a month that do not grow with the volume."""
    return [item for item in cost.items if item.when == "monthly" and not item.by_request]


def _step_amount(items: Sequence[CostItem], name: str) -> str:
    """Several kinds of bill for one step stand beside each other, since their units differ."""
    parts = [in_cell(item.amount) for item in items if item.when == "spent" and item.name == name]
    return " + ".join(parts) if parts else NONE


def _difference(each: Difference) -> tuple[str, ...]:
    return (
        each.first,
        each.second,
        points(each.mean),
        interval(each),
        probability(each.p_value),
        f"{each.only_first_right:,}",
        f"{each.only_second_right:,}",
        f"{round(100 * each.showable)} points" if each.showable else NONE,
    )


def _how_many(material: Material) -> str:
    """`8 approaches`; `3 of 10 approaches so far` while some are not measured yet."""
    all_of_them = counted(len(material.suitable), "approach", "approaches")
    measured = sum(status.state is not State.OPEN for status in material.suitable)
    return all_of_them if measured == len(material.suitable) else f"{measured} of {all_of_them} so far,"


def _heldout(benchmark: Benchmark) -> str:
    cases = counted(len(benchmark.heldout), "held-out case")
    return f"{cases}, each asked until it was decided" if benchmark.sequential else cases


_CORRECTED: Mapping[Procedure, str] = {
    "cheapest first": " over all approaches",
    "holm": " corrected for the number of approaches",
    "max-t": " corrected for the number of approaches",
}


def _main_note(material: Material) -> str:
    target, margin = material.benchmark.target, material.benchmark.margin
    if margin is not None:
        bounds = (
            f"Margin {plain_points(margin)}. In brackets by how many points it is below the best, at 95 % confidence over "
            "all approaches: <= at most, >= at least, a range where nothing is decided."
        )
    elif target is None:
        bounds = "In brackets: the 95 % interval of each figure; no target was given, so nothing is decided."
    else:
        corrected = _CORRECTED.get(material.recommendation.procedure, "")
        bounds = (
            f"Target {plain_percent(target)}. In brackets the bound that decided, at 95 % confidence{corrected}: >= at "
            "least, <= at most, a range where nothing is decided."
        )
        out = any(each.state is State.RULED_OUT for each in material.suitable)
        bounds += " Of those ruled out it is the 95 % interval of the figure." if out else ""
    ahead = (material.costs[status.candidate].monthly for status in material.statuses)
    units = [cost.unit for cost in ahead if cost.value is not None]
    counted_in = f" Costs are {' or '.join(dict.fromkeys(of_what(unit) for unit in units))}" if units else ""
    month = f"; a month is {material.benchmark.volume:,} requests." if units else ""
    return (
        f"{bounds} Same: share of answers that stay the same under harmless edits.{counted_in}{month} "
        "Spent: what choosing and training took. Wait: half of the requests took no longer than the first number, 95 % no longer "
        f"than the second, one at a time.{_stated_waits(material)}{_too_slow(material)}"
    )


def _stated_waits(material: Material) -> str:
    """Whose wait was not measured here; with a space before it."""
    found = [material.evaluations[status.candidate] for status in material.suitable]
    names = [each.candidate for each in found if each.family == "recorded" and each.latency is not None]
    return f" The wait of {listed(names)} is as the file of recorded answers states." if names else ""


def _too_slow(material: Material) -> str:
    """Whose seconds were taken while other programs ran; with a space before it."""
    beside = material.extras.taken.beside
    shares = [
        f"{each.candidate} ({percent(beside[each.candidate])})"
        for each in material.suitable
        if each.candidate in beside
    ]
    if not shares:
        return ""
    return (
        " While these answered, other programs took a share of the cores, so that their seconds and what follows from them may "
        f"be too high: {listed(shares)}."
    )


def _picture_unit(material: Material) -> str | None:
    for status in material.suitable:
        ahead = material.costs[status.candidate].ahead
        if ahead.value is not None:
            return ahead.unit
    return None


def _cost_in(cost: Amount, unit: str | None) -> float | None:
    return cost.value if cost.unit == unit and cost.value is not None and math.isfinite(cost.value) else None
