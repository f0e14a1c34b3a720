"""What it costs, and what it saves, that an approach says that it does not know where it is unsure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from advisor.material import Material
from advisor.wording import NONE, counted, percent
from benchmarks.checked import Guard, Held
from benchmarks.contract import Evaluation, Metric
from benchmarks.evaluation.guard import SAYS

WORTH = 0.25
"""Share of what is wrong from which on it is proposed to hold it back."""
COLUMNS = {
    False: ("wrong ones held back", "right ones lost"),
    True: ("lacking points held back", "scored points lost"),
}
"""Of answers, and of points where answers may be partly right."""


def chosen(found: Guard) -> Held:
    """The one that is shown where one is: it loses the fewest right answers."""
    return found.held[1]


def as_fact(found: Guard) -> dict[str, Any]:
    """In plain values; what stands in place of an answer is None where it is the answer of some examples."""
    return asdict(found) | ({} if found.says == SAYS else {"says": None})


def guard_columns(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    """Beside how right the surest answers are; none where there is no threshold."""
    guards = [each.guard for each in evaluations if each.guard is not None]
    asked = (
        ("says that there is no answer, rightly", "and wrongly") if any(each.unanswerable for each in guards) else ()
    )
    return (*COLUMNS[any(each.graded for each in guards)], *asked) if guards else ()


def guard_cells(found: Guard | None, columns: Sequence[str]) -> tuple[str, ...]:
    """As many as there are columns."""
    if found is None:
        return (NONE,) * len(columns)
    cells = (share(chosen(found).stopped), share(chosen(found).lost), *refusals(found, chosen(found)))
    return cells[: len(columns)]


def share(held: float | None) -> str:
    """Of what was wrong or right; a dash where nothing was."""
    return NONE if held is None else percent(held)


def refusals(found: Guard, held: Held) -> tuple[str, ...]:
    """Of the questions without an answer and of the others how many get none."""
    others = found.cases - found.unanswerable
    return f"{held.refused:,} of {found.unanswerable:,}", f"{held.wrongly_refused:,} of {others:,}"


def rather_silent(material: Material) -> Iterator[str]:
    """One next step for the approach that the story is about, where holding back is worth it."""
    found = material.evaluations[material.named].guard if material.named is not None else None
    if found is None or (chosen(found).stopped or 0.0) < WORTH:
        return
    held, told = chosen(found), material.recommendation
    whom = "" if told.choice or told.safe else f" --candidate {shlex.quote(str(material.named))}"
    yield (
        f"If giving no answer is better than giving a wrong one, let {material.named} say that it does not know when it is "
        f"unsure (`advisor predict RUN new.csv{whom} --guard {held.at_most:g}`): of {counted(found.cases, 'held-out case')} it "
        f"then answers {held.answered:,}, {right(held, material.benchmark.metric)}; {held_back(found, held)}."
    )


def held_back(found: Guard, held: Held, are: str = "are") -> str:
    """What is stopped and what is lost, as a clause."""
    if held.stopped is None or held.lost is None:
        return f"none of its answers {'is' if are == 'are' else 'was'} {'right' if held.lost is None else 'wrong'} without that"
    stopped, lost = percent(held.stopped), percent(held.lost)
    if found.graded:
        return f"{stopped} of the points that answers lack of a full score {are} held back, and {lost} of those that they score"
    return f"{stopped} of the wrong answers {are} held back, and {lost} of the right ones"


def right(held: Held, metric: Metric) -> str:
    """How right what is still answered is, as a clause."""
    good = "scoring {} on average" if metric.graded else "{} of them right"
    return f"{good.format(percent(held.figure))} ({held.lower * 100:.0f} to {held.upper * 100:.0f} %)"
