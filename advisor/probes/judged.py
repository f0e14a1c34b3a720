"""What a judge of one's own says of each approach, beside how far people agree with it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, ceil_percent, counted, floor_percent, listed, metric_name, percent
from benchmarks.evaluation.judging import Judge
from benchmarks.statistics.counted import interval


def judge_table(material: Material) -> Table:
    """No rows where no judge was asked."""
    judge, metric = material.extras.judge, metric_name(material.benchmark.metric.name)
    rows = []
    for status in material.suitable:
        found = judge.by.get(status.candidate) if judge is not None else None
        if found is not None:
            figure = material.evaluations[status.candidate].figure
            agreed = f"{found.agreed:,} of {found.read:,}" if found.read else NONE
            grade = NONE if found.right is None else percent(found.right)
            rows.append((status.candidate, percent(figure), grade, agreed))
    return Table(
        title="What a judge says",
        columns=("approach", metric, "the judge", "people agree with it"),
        rows=tuple(rows),
        note=judge_note(judge, metric) if judge is not None and rows else "",
        numeric=(1, 2, 3),
        emphasis=tuple(index for index, row in enumerate(rows) if row[0] == material.named),
    )


def judge_note(judge: Judge, metric: str) -> str:
    """How far it can be trusted, by what people read, and that it decides nothing."""
    asked = f"The judge {judge.name} gave a grade to {counted(judge.answers, 'different answer')}. {_left(judge)}"
    alone = f"It decides nothing here: the verdict rests on {metric}."
    if not judge.read:
        return f"{asked}Nobody has read any of them yet, so nothing is known of how far it is right. {alone}"
    agreed = judge.both + judge.neither
    low, high = interval(agreed, judge.read, judge.by_case)
    return (
        f"{asked}People read {judge.read:,} of them and agree with it in {agreed:,} ({floor_percent(low)} to "
        f"{ceil_percent(high)} %){_beyond_chance(judge)}. Right for the judge alone: {judge.too_kind:,}; right for people alone: "
        f"{judge.too_strict:,}. Where they agree less often about one approach than about another, the judge may favour one. "
        f"{alone}"
    )


def _left(judge: Judge) -> str:
    """Which approaches have answers that came after the judge was asked, and what to do."""
    left = [f"{counted(each.ungraded, 'answer')} of {name}" for name, each in judge.by.items() if each.ungraded]
    if not left:
        return ""
    return f"It has not seen {listed(left)}: give the command advisor judge again to have all graded. "


def _beyond_chance(judge: Judge) -> str:
    if judge.kappa is None:
        return "; one side is always of the same opinion, so that says little"
    return f"; beyond chance that is {judge.kappa:.2f} of what is possible (Cohen's kappa)"


def judge_facts(judge: Judge | None) -> dict[str, Any] | None:
    """The same numbers for machines."""
    return None if judge is None else asdict(judge) | {"read": judge.read, "kappa": judge.kappa}
