"""What the sentences of the page on trust count, from the rows of the study and of the bake-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.wording import listed
from benchmarks.checked import Altered, Forgetting, GeneralTask, Guard, Held
from benchmarks.evaluation.guard import AT_MOST
from benchmarks.probes.rebuilds import Share, kept, spread
from benchmarks.studies.trust import tables
from benchmarks.studies.trust.parts import OVER_ROWS, SPEAKING
from benchmarks.studies.trust.tables import TUNED, Rows

READING = ("retrieval", "lora + retrieval")
"""Approaches with documents before the model."""
UNSTEADY = 2 / 3
"""Share of the answers that is told of rebuilds: fewer than that stay."""


def by_task(found: Sequence[tuple[str, str]]) -> str:
    """(approach, task) -> `retrieval on banking77; lora and lora + retrieval on support-intents and sms_spam`."""
    approaches: dict[str, list[str]] = {}
    for name, task in found:
        approaches.setdefault(task, []).append(name)
    tasks: dict[tuple[str, ...], list[str]] = {}
    for task, names in approaches.items():
        tasks.setdefault(tuple(names), []).append(task)
    return "; ".join(f"{listed(names)} on {listed(on)}" for names, on in tasks.items())


@dataclass(frozen=True, kw_only=True)
class Again:
    """What approaches with a language model kept when they were built again."""

    steady: list[tuple[str, str]]
    """(approach, task) of those that kept more than `UNSTEADY`."""
    unsteady: int
    still: int
    """Whose figure moved by less than five points, of `figures`: those whose figure is a mean of scores."""
    figures: int

    @property
    def builds(self) -> int:
        return len(self.steady) + self.unsteady


def again(rows: Rows) -> Again:
    found = [
        (task, each.candidate, kept(built, each.grouped).mean, spread(built)[0])
        for task, each, built in tables.each_with(rows, lambda each: each.rebuilds)
        if len(built.draws) > 1 and each.candidate in SPEAKING
    ]
    figures = [far for task, _, _, far in found if task not in OVER_ROWS]
    return Again(
        steady=[(name, task) for task, name, share, _ in found if share > UNSTEADY],
        unsteady=sum(share <= UNSTEADY for _, _, share, _ in found),
        still=sum(far < 0.05 for far in figures),
        figures=len(figures),
    )


def is_apart(share: Share) -> bool:
    return share.lower is not None and share.upper is not None and not share.lower <= 0 <= share.upper


@dataclass(frozen=True)
class Adapter:
    """What tuning moved, of one or several approaches that have the same adapter."""

    approaches: Sequence[str]
    task: str
    found: Forgetting

    @property
    def name(self) -> str:
        return f"{listed(self.approaches)} on {self.task}"


def adapters(rows: Rows) -> list[Adapter]:
    """One for each adapter: where lora + retrieval learnt prompts without anything looked up it is that of lora."""
    by_what: dict[tuple[str, str], list[tuple[str, Forgetting]]] = {}
    for task, each, found in tables.each_with(rows, lambda each: each.forgetting):
        by_what.setdefault((task, f"{found.ratio:.3f}"), []).append((each.candidate, found))
    return [Adapter([name for name, _ in several], task, several[0][1]) for (task, _), several in by_what.items()]


def on_general_tasks(rows: Rows) -> list[tuple[Adapter, GeneralTask]]:
    return [(each, task) for each in adapters(rows) if each.found.general for task in each.found.general.tasks]


@dataclass(frozen=True)
class Nowhere:
    """How many of the answers that an approach gave stand in no document."""

    name: str
    count: int
    given: int

    def __str__(self) -> str:
        return f"{self.count:,} of {self.given:,} ({self.name})"

    @property
    def share(self) -> float:
        return self.count / self.given if self.given else 0.0


def nowhere(rows: Rows) -> dict[bool, list[Nowhere]]:
    """Of approaches with a language model, without documents before it (False) and with."""
    told: dict[bool, list[Nowhere]] = {False: [], True: []}
    for task, each, found in tables.each_with(rows, lambda each: each.grounding):
        if each.candidate in SPEAKING:
            given = found.answers - found.declined
            told[each.candidate in READING].append(Nowhere(f"{each.candidate} on {task}", found.nowhere, given))
    return told


def facts_followed(rows: Rows) -> tuple[tuple[int, int], tuple[int, int]]:
    """(new answers, questions whose old fact had been answered) of approaches that read documents, and of the others."""
    found = [each for _, _, each in tables.each_with(rows, lambda each: each.changed) if each.known]
    sides = [[each for each in found if (each.seconds is not None) is reads] for reads in (True, False)]
    reads, others = ((sum(each.new for each in side), sum(each.known for each in side)) for side in sides)
    return reads, others


def formats_followed(rows: Rows) -> tuple[list[tuple[str, Altered]], list[Altered]]:
    """(task, what was counted) of each tuned model, and those that mostly did not follow at once."""
    found = [
        (task, each)
        for task, approach, each in tables.each_with(rows, lambda each: each.altered)
        if approach.candidate in TUNED and each.takes and each.again is not None
    ]
    return found, [each for _, each in found if each.at_once * 2 < each.cases]


def twentieth(guard: Guard) -> Held | None:
    """The threshold by which a twentieth of the right answers may be lost; None where they are too few to tell it."""
    return next((held for held in guard.held[1:] if held.at_most == AT_MOST[0]), None)
