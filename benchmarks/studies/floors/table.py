"""The document of the study, made from committed rows: each floor, and what was reached."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.contract import Verdict
from advisor.experiments.stored import reopen
from benchmarks.contract import Evaluation
from benchmarks.statistics.confidence import paired_difference, shown_interval
from benchmarks.storage.packed import unpack
from benchmarks.studies.afternoon_rows import FILE, Record
from benchmarks.studies.floors import searching
from benchmarks.studies.floors.goals import AHEAD, GOALS, SEARCHES, TASKS, Ahead, Goal, Search

HEAD = (
    "# Floors",
    "",
    "What each approach is to reach on held-out cases that no language model was asked while it was built: those of each file",
    "that are left when the 300 of the other studies are taken away. Approaches without a language model were asked many of them",
    "for other studies (decisions, faults, trust), so that what these reach are development figures here too. 600 examples, the",
    "default model, standard effort. Made by",
    "`python -m benchmarks.studies.floors table` from `rows/floors/`. In brackets the two-sided 95 % interval.",
    "",
    "| task | who | measure | at least | reached | cases | |",
    "| --- | --- | --- | ---: | ---: | ---: | --- |",
)


AHEAD_HEAD = (
    "",
    "Ahead, case by case? Of ours the approach that its selection cases name, of the others the highest on these cases.",
    "",
    "| task | ours | figure | beside | figure | difference in points | |",
    "| --- | --- | ---: | --- | ---: | ---: | --- |",
)
SEARCH_HEAD = (
    "",
    "Does the search find the document? The share of questions for which one that holds the answer is among the first.",
    "",
    "| documents | among the first | at least | reached | cases | |",
    "| --- | ---: | ---: | ---: | ---: | --- |",
)


def document(folder: Path) -> str:
    """The whole text of floors.md."""
    found = {task: opened(folder, task) for task in TASKS}
    lines = [*HEAD, *(_row(goal, found[goal.task]) for goal in GOALS)]
    lines += [*AHEAD_HEAD, *(_ahead_row(goal, found[goal.task], folder) for goal in AHEAD)]
    lines += [*SEARCH_HEAD, *(_search_row(goal, folder) for goal in SEARCHES)]
    missing = [task for task, each in found.items() if each is None]
    if missing:
        lines += ["", f"Not run yet: {', '.join(missing)}."]
    made = [f"{task} {each[1]['made'].get('commit', '')}" for task, each in found.items() if each is not None]
    return "\n".join([*lines, "", f"Commits: {', '.join(made) or 'none'}."]) + "\n"


Opened = tuple[Verdict, Mapping[str, Any]]


def opened(folder: Path, task: str) -> Opened | None:
    """The stored run of the task, and how it was made; None where there is none yet."""
    file = folder / f"{task}.jsonl.gz"
    if not file.is_file():
        return None
    with tempfile.TemporaryDirectory() as place:
        about = unpack(file, Path(place))
        return reopen(Path(place)), about


def _row(goal: Goal, found: Opened | None) -> str:
    start = f"| {goal.task} | {goal.says} | {goal.metric} | {goal.least:.2f} |"
    best = None if found is None else reached(goal, found[0])
    if best is None:
        return f"{start} - | - | not run |"
    verdict = "reached" if best.counted >= goal.least - 1e-9 else "not reached"
    return f"{start} {best.told} | {best.cases} | {verdict} |"


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The figure that is held against the floor, as it is told with its interval, and the number of cases."""

    counted: float
    told: str
    cases: int


def reached(goal: Goal, verdict: Verdict) -> Reached | None:
    """Of the best of the goal's approaches; of the worst where every one is to reach it. None where none has scores."""
    found = [_measured(goal, each) for each in verdict.evaluations if each.candidate in goal.approaches and each.scores]
    usable = [each for each in found if math.isfinite(each.counted)]
    worst = goal.every and usable
    return min(usable, key=_counted) if worst else max(usable, key=_counted, default=None)


def _counted(each: Reached) -> float:
    return each.counted


def _measured(goal: Goal, each: Evaluation) -> Reached:
    if goal.without_leaks and each.leaks is not None:
        leaks = each.leaks
        figures, cases = (leaks.without, leaks.lower, leaks.upper), leaks.others
    elif goal.metric in each.shown:
        return Reached(counted=each.shown[goal.metric], told=f"{each.shown[goal.metric]:.3f}", cases=len(each.scores))
    else:
        figures, cases = (each.figure, each.lower, each.upper), len(each.scores)
    told = f"{figures[0]:.3f} ({figures[1]:.3f}-{figures[2]:.3f})"
    named = f"{each.candidate} {told}" if goal.every else told
    return Reached(counted=figures[2] if goal.every else figures[0], told=named, cases=cases)


def _ahead_row(goal: Ahead, found: Opened | None, folder: Path) -> str:
    ours = [] if found is None else [each for each in found[0].evaluations if each.candidate in goal.approaches]
    usable = [each for each in ours if each.scores and each.selection_score is not None]
    plain = folder / FILE.format(goal.task)
    if found is None or not usable or (goal.plain and not plain.is_file()):
        beside = " or ".join(goal.plain or goal.others)
        return f"| {goal.task} | {' or '.join(goal.approaches)} | - | {beside} | - | - | not run |"
    best = max(usable, key=lambda each: each.selection_score or 0.0)
    name, others = max(_rivals(goal, found[0], plain, best.keys), key=lambda each: sum(each[1]))
    gap = paired_difference(best.scores, others, list(best.groups) or None)
    verdict = "ahead" if gap.lower > 0 else "not shown" if gap.upper > 0 else "behind"
    return (
        f"| {goal.task} | {best.candidate} | {best.figure:.3f} | {name} | {sum(others) / len(others):.3f} | "
        f"{100 * gap.mean:+.1f} ({100 * gap.lower:+.1f} to {100 * gap.upper:+.1f}) | {verdict} |"
    )


def _rivals(goal: Ahead, verdict: Verdict, plain: Path, keys: Sequence[str]) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Name and scores of those that are to be beaten, on the same cases in the same order."""
    for each in verdict.evaluations:
        if each.candidate in goal.others and each.keys == tuple(keys):
            yield each.candidate, each.scores
    if goal.plain:
        record = Record.read(plain)
        for arm in goal.plain:
            score = {row.id: row.score for row in record.rows[arm]}
            yield f"plain script, {arm}", tuple(score[key] for key in keys)


def _search_row(goal: Search, folder: Path) -> str:
    hits = searching.recall(goal, folder)
    start = f"| {searching.told(goal)} | {goal.depth} | {goal.least:.2f} |"
    if hits is None:
        return f"{start} - | - | not run |"
    share, (low, high) = sum(hits) / len(hits), shown_interval(hits, None)
    verdict = "reached" if share >= goal.least - 1e-9 else "not reached"
    return f"{start} {share:.3f} ({low:.3f}-{high:.3f}) | {len(hits)} | {verdict} |"
