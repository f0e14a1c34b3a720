"""The table at the head of scale.md: what was asked for, and what the rows say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.studies.markdown import table
from benchmarks.studies.scale.shared import CASES
from benchmarks.studies.scale.shared_runs import joined

Rows = Sequence[Mapping[str, Any]]
Line = tuple[str, str, str, str]
OVERHEAD, EFFICIENCY, FLAT, WITHIN = 0.05, 0.95, 0.02, 0.10
"""Goals as shares: of one worker's time, of two processes by hand, growth of memory, and between simulated and measured."""
NOT_YET = "not measured yet"


def section(rows: Rows) -> list[str]:
    """Empty where no shared run was performed."""
    runs = joined([row for row in rows if row["part"] in CASES])
    if not runs:
        return []
    lines = [_equal(runs), _lost(runs)]
    for what, name in (("default", "the default models"), ("light", "light approaches")):
        own = {(row["on"], row["workers"]): row for row in runs if row["what"] == what and not row["lost"]}
        lines += [_overhead(own, name), _efficiency(own, name)]
    lines += [_memory(runs), _simulated([row for row in rows if row["part"] == "waiting"])]
    lines.append(_engine([row for row in rows if row["part"] == "engine"]))
    return ["## Goals", table(("figure", "goal", "measured", ""), lines)]


def _equal(runs: Rows) -> Line:
    compared = [row for row in runs if "units" in row and row["on"] != "here"]
    apart = sum(row["missing"] + row["different"] for row in compared)
    units, times = sum(row["units"] for row in compared), sum(row["rounds"] for row in compared)
    changed = sum(row.get("answers_changed", 0) for row in compared)
    told = f"{units - apart:,} of {units:,} units in {times} runs; {changed:,} answers or scores are others"
    return ("rows equal to one process", "all", told, _met(not apart))


def _lost(runs: Rows) -> Line:
    lossy = [row for row in runs if row["lost"]]
    wrong = sum(row["missing"] + row["repeated"] for row in lossy)
    return (
        "lost or stored twice after each loss",
        "0",
        f"{wrong} in {len(lossy)} runs",
        _met(not wrong) if lossy else NOT_YET,
    )


def _overhead(own: Mapping[tuple[str, int], Mapping[str, Any]], name: str) -> Line:
    figure, goal = f"overhead of processes at one worker, {name}", f"< {100 * OVERHEAD:.0f} %"
    if ("here", 1) not in own or ("processes", 1) not in own:
        return (figure, goal, NOT_YET, "")
    more = _ratio(own["processes", 1], own["here", 1]) - 1
    return (figure, goal, f"{100 * more:+.1f} %", _met(more < OVERHEAD))


def _efficiency(own: Mapping[tuple[str, int], Mapping[str, Any]], name: str) -> Line:
    figure = f"efficiency of two workers on two cores against two processes by hand, {name}"
    goal = f">= {100 * EFFICIENCY:.0f} %"
    if ("by hand", 2) not in own or ("processes", 2) not in own:
        return (figure, goal, NOT_YET, "")
    hand = own["by hand", 2]
    share = _ratio(hand, own["processes", 2])
    ray = f"; Ray {100 * _ratio(hand, own['ray', 2]):.0f} %" if ("ray", 2) in own else ""
    return (figure, goal, f"{100 * share:.0f} %{ray}", _met(share >= EFFICIENCY))


def _ratio(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Of the times of two settings: the median over the rounds, in which both stood beside each other."""
    found: float = median(mine / theirs for mine, theirs in zip(one["each"], other["each"], strict=False))
    return found


def _memory(runs: Rows) -> Line:
    """From a tenth of the answers to all of them, in the runs whose writer only writes."""
    lines = [row for row in runs if row["part"] == "light" and row["on"] not in ("here", "by hand")]
    figure = "memory of the process that writes, over the answering"
    if not lines:
        return (figure, "flat", NOT_YET, "")
    worst = max(lines, key=lambda row: row["memory_mb"][-1] / row["memory_mb"][0])
    first, last = worst["memory_mb"][0], worst["memory_mb"][-1]
    cases = f"{worst['cases']:,} cases"
    return (figure, "flat", f"at most from {first:.0f} to {last:.0f} MB, {cases}", _met(last <= (1 + FLAT) * first))


def _simulated(rows: Rows) -> Line:
    figure, goal = "simulated against measured time", f"within {100 * WITHIN:.0f} %"
    if not rows:
        return (figure, goal, NOT_YET, "")
    worst = max(abs(row["simulated_s"] / row["measured_s"] - 1) for row in rows)
    return (figure, goal, f"{100 * worst:.1f} % apart", _met(worst <= WITHIN))


def _engine(rows: Rows) -> Line:
    figure = "tokens a second of vLLM through the run, against a bare client of the same concurrency"
    goal = f">= {100 * EFFICIENCY:.0f} %"
    if not rows:
        return (figure, goal, NOT_YET, "")
    row = rows[-1]
    ours, bare = row["run_tokens"] / row["run_s"], row["bare_tokens"] / row["bare_s"]
    told = f"{100 * ours / bare:.0f} % ({ours:.0f} and {bare:.0f}, {row['cases']} cases, {row['concurrency']} at once)"
    return (figure, goal, told, _met(ours >= EFFICIENCY * bare))


def _met(true: bool) -> str:
    return "reached" if true else "not reached"
