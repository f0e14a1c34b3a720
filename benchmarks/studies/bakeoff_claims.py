"""What the product claims of its bake-offs, and whether the rows bear it out."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.wording import counted, listed, percent, points, probability
from benchmarks.statistics.confidence import PairedDifference, paired_difference
from benchmarks.studies.bakeoff_rows import BakeOff, below, turned
from benchmarks.studies.settings import NOT_RUN, SETTINGS


def claims(found: Mapping[str, BakeOff]) -> list[str]:
    """What the product claims of the eight, and whether it holds; a claim whose rows are not there says so."""
    compared = [(task, row) for task, bakeoff in found.items() for row in bakeoff.compared if row.difference]
    lower = [f"{row.ours} below {row.arm} on {task}" for task, row in compared if below(row.difference)]
    if not compared:
        first = f"No approach significantly below the plain script: {NOT_RUN}."
    elif lower:
        first = f"Below the plain script: {listed(lower)}, of {len(compared)} comparisons."
    else:
        first = f"No approach is significantly below the plain script, in {counted(len(compared), 'comparison')}."
    lines = [first]
    failed = [
        f"{row.ours} beside {row.arm} on {task}"
        for task, bakeoff in found.items()
        for row in bakeoff.compared
        if row.difference is None
    ]
    if failed:
        lines.append(f"Not compared, since ours has no usable scores: {listed(failed)}.")
    for each in SETTINGS:
        bakeoff = found.get(each.task)
        if bakeoff is not None and bakeoff.benchmark.task.labels:
            lines.append(f"{each.task}: {_against(bakeoff, 'prompting', 'majority')}")
    if "nq_open_oracle" in found:
        lines += [
            f"nq_open_oracle: {_against(found['nq_open_oracle'], 'lora + retrieval', part)}"
            for part in ("lora", "retrieval")
        ]
    else:
        lines.append(f"nq_open_oracle, lora + retrieval against both of its parts: {NOT_RUN}.")
    return lines


def _against(bakeoff: BakeOff, one: str, other: str) -> str:
    first, second = bakeoff.evaluation(one), bakeoff.evaluation(other)
    if first is None or second is None:
        lacking = [_lacking(bakeoff, name) for name in (one, other) if bakeoff.evaluation(name) is None]
        return f"{one} against {other}: {listed(lacking)}."
    found = paired_difference(first.scores, second.scores, first.groups or None)
    way = "above" if below(turned(found)) else "below" if below(found) else "not distinguishable from"
    return f"{one} ({percent(first.figure)}) is {way} {other} ({percent(second.figure)}), {told(found)}."


def _lacking(bakeoff: BakeOff, name: str) -> str:
    found = next((each for each in bakeoff.verdict.evaluations if each.candidate == name), None)
    if found is None:
        return f"{name} was not in the run"
    return f"{name} has no usable scores ({found.state}: {found.problem.rstrip('.')})"


def interval(difference: PairedDifference) -> str:
    """`-6 to +2`, in points."""
    return f"{difference.lower * 100:+.0f} to {difference.upper * 100:+.0f}"


def told(difference: PairedDifference) -> str:
    """`-2 points (-6 to +2), p 0.23`."""
    return f"{points(difference.mean)} ({interval(difference)}), p {probability(difference.p_value)}"
