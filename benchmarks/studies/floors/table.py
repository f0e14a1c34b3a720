"""The document of the study, made from committed rows: each floor, and what was reached."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.contract import Verdict
from advisor.stored import reopen
from benchmarks.contract import Evaluation
from benchmarks.packed import unpack
from benchmarks.studies.floors.goals import GOALS, TASKS, Goal

HEAD = (
    "# Floors",
    "",
    "What each approach is to reach on held-out cases that nobody looked at while it was built: those of each file that are left",
    "when the 300 of the other studies are taken away. 600 examples, the default model, standard effort. Made by",
    "`python -m benchmarks.studies.floors table` from `rows/floors/`. In brackets the two-sided 95 % interval.",
    "",
    "| task | who | measure | at least | reached | cases | |",
    "| --- | --- | --- | ---: | ---: | ---: | --- |",
)


def document(folder: Path) -> str:
    """The whole text of floors.md."""
    found = {task: opened(folder, task) for task in TASKS}
    lines = [*HEAD, *(_row(goal, found[goal.task]) for goal in GOALS)]
    missing = [task for task, each in found.items() if each is None]
    if missing:
        lines += ["", f"Not run yet: {', '.join(missing)}."]
    made = [f"{task} {each[1]['made'].get('commit', '')}" for task, each in found.items() if each is not None]
    return "\n".join([*lines, "", f"Commits: {', '.join(made) or 'none'}."]) + "\n"


def opened(folder: Path, task: str) -> tuple[Verdict, Mapping[str, Any]] | None:
    """The stored run of the task, and how it was made; None where there is none yet."""
    file = folder / f"{task}.jsonl.gz"
    if not file.is_file():
        return None
    with tempfile.TemporaryDirectory() as place:
        about = unpack(file, Path(place))
        return reopen(Path(place)), about


def _row(goal: Goal, found: tuple[Verdict, Mapping[str, Any]] | None) -> str:
    start = f"| {goal.task} | {goal.says} | {goal.metric} | {goal.least:.2f} |"
    best = None if found is None else reached(goal, found[0])
    if best is None:
        return f"{start} - | - | not run |"
    figure, told, cases = best
    verdict = "reached" if figure >= goal.least - 1e-9 else "not reached"
    return f"{start} {told} | {cases} | {verdict} |"


def reached(goal: Goal, verdict: Verdict) -> tuple[float, str, int] | None:
    """Figure, as it is told with its interval, and number of cases, of the best of the goal's approaches."""
    found = [_measured(goal, each) for each in verdict.evaluations if each.candidate in goal.approaches and each.scores]
    usable = [each for each in found if math.isfinite(each[0])]
    return max(usable, default=None)


def _measured(goal: Goal, each: Evaluation) -> tuple[float, str, int]:
    if goal.without_leaks and each.leaks is not None:
        leaks = each.leaks
        return leaks.without, f"{leaks.without:.3f} ({leaks.lower:.3f}-{leaks.upper:.3f})", leaks.others
    if goal.metric in each.shown:
        return each.shown[goal.metric], f"{each.shown[goal.metric]:.3f}", len(each.scores)
    return each.figure, f"{each.figure:.3f} ({each.lower:.3f}-{each.upper:.3f})", len(each.scores)
