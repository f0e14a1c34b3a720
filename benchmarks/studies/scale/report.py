"""scale.md from the rows that the study left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.studies.markdown import table
from benchmarks.studies.scale import goals, shared_runs

Rows = Sequence[Mapping[str, Any]]
WITHIN = 0.10
"""Simulated times are to lie so near measured ones, as a share."""


def document(rows: Rows) -> str:
    """The whole file."""
    made = sorted({f"- {row['machine']}, commit {row['commit']}" for row in rows})
    parts = [
        "# A run on more workers",
        "Written by `python -m benchmarks.studies.scale table` from committed rows; `run` makes them.",
        *goals.section(rows),
        *shared_runs.sections(rows),
        *_waiting([row for row in rows if row["part"] == "waiting"]),
        *_curve([row for row in rows if row["part"] == "curve"]),
        *shared_runs.passages([row for row in rows if row["part"] == "passages"]),
    ]
    return "\n\n".join([*parts, *(["\n".join(made)] if made else [])]) + "\n"


def _waiting(rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = [
        (
            str(row["workers"]),
            f"{row['measured_s']:.1f} s",
            f"{row['simulated_s']:.1f} s",
            f"{100 * (row['simulated_s'] / row['measured_s'] - 1):+.1f} %",
            f"{rows[0]['measured_s'] / row['measured_s']:.2f}",
        )
        for row in rows
    ]
    worst = max(abs(row["simulated_s"] / row["measured_s"] - 1) for row in rows)
    verdict = "within" if worst <= WITHIN else "not within"
    return [
        "## Simulated and measured",
        f"Real runs on processes of this machine, {rows[0]['cases']:,} held-out cases, of approaches that only wait, so that "
        "workers do not take each other's processor. The simulation hands imagined units out by the very pool of real runs; it "
        "knows the times of units, of a start and of a write from the run on one worker, and nothing of the others. It is "
        f"{verdict} {100 * WITHIN:.0f} %.",
        table(("workers", "measured", "simulated", "apart", "times as quick"), lines, numeric=range(5)),
    ]


def _curve(rows: Rows) -> list[str]:
    if not rows:
        return []
    alone = {row["cases"]: row["seconds"] for row in rows if row["workers"] == 1 and row["weather"] == "calm"}
    lines = []
    for row in rows:
        if row["weather"] == "calm":
            rough = next((each for each in rows if _same(each, row) and each["weather"] == "rough"), None)
            quicker = alone[row["cases"]] / row["seconds"]
            lines.append(
                (
                    f"{row['cases']:,}",
                    f"{row['workers']:,}",
                    f"{row['performed']:,}",
                    _time(row["seconds"]),
                    f"{100 * quicker / row['workers']:.0f} %",
                    "-" if rough is None else _time(rough["seconds"]),
                    "-" if rough is None else f"{rough['lost']:,}",
                )
            )
    columns = ("held-out cases", "workers", "units", "took", "of the ideal", "in rough weather", "workers lost")
    return [
        "## Beyond this machine, simulated",
        "The bake-off of banking77 with its times as measured on 29 November 2026, every worker as quick as the machine "
        "that it ran on, on clusters of all sizes. A worker takes 15 seconds to start, and single units vary (a fifth, as "
        "standard deviation of the logarithm). "
        "In rough weather one worker in fifty takes three times as long, and one is lost in fifty hours of its work, which is "
        "noticed after a minute. What limits many workers is the longest search and training, and then the one that writes.",
        table(columns, lines, numeric=range(7)),
    ]


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["cases"], one["workers"]) == (other["cases"], other["workers"])


def _time(seconds: float) -> str:
    if seconds < 3 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 72 * 3600 else f"{seconds / 86400:.0f} days"
