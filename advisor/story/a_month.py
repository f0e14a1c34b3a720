"""What the approach that a verdict is about costs a month, and what it saves against those a reader would think of next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from advisor.contract import Amount
from advisor.costs.amounts import range_of
from advisor.costs.economics import saving
from advisor.material import Material
from advisor.wording import SECONDS, TOKENS, amount, counted, listed, percent, start
from benchmarks.contract import State
from strategies.contract import TUNED


def a_month(material: Material) -> tuple[str, ...]:
    """Sentences; none where nothing could be measured."""
    named = material.named
    if named is None:
        return ()
    bill, benchmark = material.costs[named], material.benchmark
    if bill.monthly.value is None:
        return (f"What {named} costs a month is not known. {material.ranking.note}".strip(),)
    horizon = counted(benchmark.horizon_months, "month")
    ahead = f", {amount(bill.ahead)} over {horizon}" if benchmark.horizon_months > 1 else ""
    spent = f" Finding and fitting it took {amount(bill.spent)}." if bill.spent.value else ""
    costs = "takes" if bill.monthly.unit == SECONDS else "costs"
    told = [
        f"{start(named)} {costs} {_said(bill.monthly)} a month at {benchmark.volume:,} requests{ahead}.{spent}",
        *_compared(material, named),
    ]
    if bill.monthly.unit == SECONDS:
        told.append("Not in money: no price of a machine hour was given (machine_hour under prices in the task).")
    return tuple(told)


def _said(cost: Amount) -> str:
    return f"{amount(cost)} of machine time" if cost.unit == SECONDS else amount(cost)


def _compared(material: Material, named: str) -> Iterator[str]:
    """One sentence for all that it saves, one for all that it costs more, one for ties; each with what is got instead."""
    less, more, unlike = [], [], []
    same: dict[str, str] = {}
    months = material.benchmark.horizon_months
    for other, what in _others(material, named).items():
        if (saved := saving(material.ranking, other, named, months)) is not None:
            less.append(f"{amount(saved)} less than {other} ({what})")
        elif (further := saving(material.ranking, named, other, months)) is not None:
            more.append(f"{amount(further)} more than {other} ({what})")
        elif material.ranking.tie(named, other):
            same[other] = f"{other} ({what})"
        else:
            unlike.append(f"{other} ({what})")
    if less:
        yield f"Each month that is {listed(less)}."
    if more:
        yield f"Each month that is {listed(more)}."
    if same:
        yield from _alike(material, named, same)
    if unlike:
        yield f"It cannot be compared with the cost of {listed(unlike)}, which is not known or in another unit."


def _alike(material: Material, named: str, same: Mapping[str, str]) -> Iterator[str]:
    """Those that tie with it, one sentence for each reason why the two costs are not told apart."""
    ahead, found = material.ranking.ahead, dict[str, list[str]]()
    for other, said in same.items():
        found.setdefault(_why_alike(ahead[named], ahead[other]), []).append(said)
    for why, those in found.items():
        yield f"It costs {'about ' * bool(why)}as much as {listed(those)}{why}."


def _why_alike(one: Amount, other: Amount) -> str:
    """Empty where the two are equal."""
    if one.unit.startswith(TOKENS):
        equal = (one.value, *range_of(one)) == (other.value, *range_of(other))
        return "" if equal else "; which of the two is the lower depends on the price of the tokens, which is not known"
    return (
        "; timings do not tell the costs apart" if any(low < high for low, high in map(range_of, (one, other))) else ""
    )


def _others(material: Material, named: str) -> dict[str, str]:
    """The best other approach, the best one that was tuned, and the best plain prompt, with what each is right in."""
    figures = {
        status.candidate: material.evaluations[status.candidate].figure
        for status in material.statuses
        if status.candidate != named
        and status.state not in (State.SKIPPED, State.INVALID, State.CANNOT_RUN)
        and math.isfinite(material.evaluations[status.candidate].figure)
    }
    found: dict[str, str] = {}
    for families in ((), TUNED, ("prompting",)):
        kin = [name for name in figures if not families or material.evaluations[name].family in families]
        if families and material.evaluations[named].family in families:
            continue
        if kin:
            best = max(kin, key=lambda name: figures[name])
            found[best] = percent(figures[best])
    return found
