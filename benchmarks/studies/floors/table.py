"""The document of the study, made from committed rows: each floor, and what was reached."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.contract import Verdict
from advisor.experiments.stored import reopen
from advisor.wording import listed
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.data.frozen import thaw
from benchmarks.evaluation.scoring import scored
from benchmarks.statistics.confidence import paired_difference, shown_interval
from benchmarks.storage.packed import unpack
from benchmarks.storage.store import Store
from benchmarks.studies.afternoon_rows import FILE, Record
from benchmarks.studies.floors import reading, searching
from benchmarks.studies.floors.goals import (
    AHEAD,
    ALIKE,
    EXAMPLES,
    GOALS,
    MOST,
    SEARCHES,
    TASKS,
    TWICE,
    Ahead,
    Goal,
    Search,
)
from benchmarks.studies.markdown import table as markdown
from benchmarks.studies.sessions import commits

HEAD = (
    "# Floors",
    "",
    "What each approach is to reach on held-out cases that no language model was asked while it was built: a seeded sample,",
    f"at most {MOST}, of those of each file that are left when the 300 of the other studies, and on banking77 the other samples",
    f"of the peers, are taken away. Of a group of near-duplicates at most {ALIKE} are asked. Only cases of equal input are taken",
    "away: some that are left are nearly one that was developed on (245 of 330 on e2e_nlg), and once a task was run a table",
    "says how many of those that were asked. Approaches without a language model were asked many of them for other studies",
    "(decisions, faults, trust), so that what these reach are development figures here too. At most",
    f"{EXAMPLES} examples, the default model, standard effort. Made by `python -m benchmarks.studies.floors table` from",
    "`rows/floors/`. In brackets the two-sided 95 % interval.",
    "",
    "Of several approaches the one counts that its selection cases name; one without a selection score counts only where none",
    "of them has one, and then the one that the study names first.",
)
GOAL_HEAD = (
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
SECOND = "second"
"""The folder of a second check, beneath those of the first one's tasks and rows."""
SECOND_HEAD = (
    "",
    "## Checked again",
    "",
    "Where a floor was missed for a cause that its selection cases showed, and the cause was repaired: once more, on further",
    "cases that no language model was asked before.",
)
SEARCH_HEAD = (
    "",
    "Does the search find the document? The share of questions for which one that holds the answer is among the first.",
    "",
    "| documents | among the first | at least | reached | cases | |",
    "| --- | ---: | ---: | ---: | ---: | --- |",
)
NOT_MISSED = ("| reached |", "| ahead |", "| not run |")
"""How the lines of goals end that leave nothing to explain."""
SIZES = ("task", "examples", "cases left", "of them asked", "nearly a developed one")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A stored run, how it was made, and how many examples it had."""

    verdict: Verdict
    made: Mapping[str, Any]
    examples: int
    cases: int
    intervals: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """Of metrics that goals name beside the task's own, by approach and metric: two-sided, 95 %."""


def document(folder: Path) -> str:
    """The whole text of floors.md."""
    found = {task: opened(folder, task) for task in TASKS}
    there = {task: each for task, each in found.items() if each is not None}
    rows = _rows(found, folder)
    lines = [*HEAD, *_figures(rows), *SEARCH_HEAD, *(_search_row(goal, folder) for goal in SEARCHES)]
    lines += [*_asked(there), *reading.told(_missed(rows), reading.READ)]
    if len(there) < len(TASKS):
        lines += ["", f"Not run yet: {', '.join(task for task in TASKS if task not in there)}."]
    lines += ["", _commits(there)]
    again = {task: each for task in TWICE if (each := opened(folder / SECOND, task)) is not None}
    if again:
        rows = _rows(again, folder / SECOND)
        lines += [*SECOND_HEAD, *_figures(rows), *_asked(again), *reading.told(_missed(rows), {}), "", _commits(again)]
    return "\n".join(lines) + "\n"


def _rows(found: Mapping[str, Opened | None], folder: Path) -> dict[Goal | Ahead, str]:
    """The goals of these tasks, each with its line of a table."""
    rows: dict[Goal | Ahead, str] = {goal: _row(goal, found[goal.task]) for goal in GOALS if goal.task in found}
    return rows | {goal: _ahead_row(goal, found[goal.task], folder) for goal in AHEAD if goal.task in found}


def _figures(rows: Mapping[Goal | Ahead, str]) -> list[str]:
    """The tables of the goals."""
    goals = [row for goal, row in rows.items() if isinstance(goal, Goal)]
    ahead = [row for goal, row in rows.items() if isinstance(goal, Ahead)]
    return [*(GOAL_HEAD if goals else ()), *goals, *(AHEAD_HEAD if ahead else ()), *ahead]


def _missed(rows: Mapping[Goal | Ahead, str]) -> list[reading.Missed]:
    return [(goal.task, goal.says) for goal, row in rows.items() if not row.endswith(NOT_MISSED)]


def _asked(there: Mapping[str, Opened]) -> list[str]:
    """The table of how many cases were asked."""
    rows = [_sizes(task, each) for task, each in there.items()]
    return ["", markdown(SIZES, rows, range(1, len(SIZES)))] if rows else []


def _commits(there: Mapping[str, Opened]) -> str:
    made = [f"{task} {commits(each.made['sessions'])}" for task, each in there.items()]
    return f"Commits: {', '.join(made) or 'none'}."


def opened(folder: Path, task: str) -> Opened | None:
    """The stored run of the task; None where there is none yet."""
    file = folder / f"{task}.jsonl.gz"
    if not file.is_file():
        return None
    with tempfile.TemporaryDirectory() as place:
        made = unpack(file, Path(place))["made"]
        run = json.loads((Path(place) / "run.json").read_text(encoding="utf-8"))
        benchmark = thaw(run["benchmark"])
        sizes = {"examples": len(benchmark.task.examples), "cases": len(benchmark.heldout)}
        intervals = _intervals(task, benchmark, Path(place))
        return Opened(verdict=reopen(Path(place)), made=made, intervals=intervals, **sizes)


def _intervals(task: str, benchmark: Benchmark, run: Path) -> dict[tuple[str, str], tuple[float, float]]:
    """Of the stored answers, scored by the metrics that goals of the task name beside its own."""
    metrics, found = {metric.name: metric for metric in benchmark.shown_metrics}, {}
    with closing(Store(run / "run.sqlite")) as store:
        for goal in (goal for goal in GOALS if goal.task == task and goal.metric in metrics):
            for name in goal.approaches:
                outcomes = {row.key: row.outcome for row in store.rows(name, "heldout")}
                cases = [case for case in benchmark.heldout if case.id in outcomes]
                answered = scored(metrics[goal.metric], cases, [outcomes[case.id] for case in cases])
                groups = [case.group or case.id for case in cases]
                if cases:
                    found[name, goal.metric] = shown_interval([each.score for each in answered], groups)
    return found


def _sizes(task: str, found: Opened) -> tuple[str, ...]:
    return (task, *(f"{each:,}" for each in (found.examples, found.made["left"], found.cases, found.made["near"])))


def _row(goal: Goal, found: Opened | None) -> str:
    start = f"| {goal.task} | {goal.says} | {goal.metric} | {goal.least:.2f} |"
    if found is None:
        return f"{start} - | - | not run |"
    lacking = _lacking(goal.approaches, found.verdict)
    counted = reached(goal, found)
    if counted is None:
        return f"{start} - | - | not reached ({listed(lacking)} {'have' if len(lacking) > 1 else 'has'} no scores) |"
    verdict = "reached" if counted.counted >= goal.least - 1e-9 else "not reached"
    return f"{start} {counted.told} | {counted.cases} | {verdict} |"


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The figure that is held against the floor, as it is told with its interval, and the number of cases."""

    counted: float
    told: str
    cases: int


def usable(names: Sequence[str], verdict: Verdict) -> list[Evaluation]:
    """Those of these names with scores that count, in this order."""
    there = {
        each.candidate: each
        for each in verdict.evaluations
        if each.scores and each.state is None and math.isfinite(each.figure)
    }
    return [there[name] for name in names if name in there]


def _lacking(names: Sequence[str], verdict: Verdict) -> list[str]:
    there = {each.candidate for each in usable(names, verdict)}
    return [name for name in names if name not in there]


def named(found: Sequence[Evaluation]) -> Evaluation:
    """The one of the highest selection score, the first of equals; where none has one, the first."""
    return max(found, key=lambda each: -math.inf if each.selection_score is None else each.selection_score)


def reached(goal: Goal, run: Opened) -> Reached | None:
    """Of that of the goal's approaches which its selection cases name; of the worst where every one is to reach it. None where
    none has scores, or not every one of those that are to reach it."""
    found = usable(goal.approaches, run.verdict)
    if not found or (goal.every and len(found) < len(goal.approaches)):
        return None
    if goal.every:
        return min((_measured(goal, each, run) for each in found), key=lambda each: each.counted)
    return _measured(goal, named(found), run)


def _measured(goal: Goal, each: Evaluation, run: Opened) -> Reached:
    if goal.without_leaks and each.leaks is not None:
        leaks = each.leaks
        figures, cases = (leaks.without, leaks.lower, leaks.upper), leaks.others
    elif goal.metric in each.shown:
        interval = run.intervals[each.candidate, goal.metric]
        figures, cases = (each.shown[goal.metric], *interval), len(each.scores)
    else:
        figures, cases = (each.figure, each.lower, each.upper), len(each.scores)
    told = f"{figures[0]:.3f} ({figures[1]:.3f}-{figures[2]:.3f})"
    return Reached(counted=figures[2] if goal.every else figures[0], told=_told(goal, each, told), cases=cases)


def _told(goal: Goal, each: Evaluation, figure: str) -> str:
    """With whose it is, where there are several."""
    return f"{each.candidate} {figure}" if len(goal.approaches) > 1 else figure


def _ahead_row(goal: Ahead, found: Opened | None, folder: Path) -> str:
    plain = folder / FILE.format(goal.task)
    beside = " or ".join(goal.plain or goal.others)
    start = f"| {goal.task} | {goal.says} | - | {beside} | - | - |"
    if found is None or (goal.plain and not (plain.is_file() and set(goal.plain) <= set(Record.read(plain).arms))):
        return f"{start} not run |"
    ours = usable(goal.approaches, found.verdict)
    if not ours:
        return f"{start} not shown ({listed(goal.approaches)} without scores) |"
    best = named(ours)
    rivals = list(_rivals(goal, found.verdict, plain, best.keys))
    if not rivals:
        return f"{start} not shown ({listed(goal.plain or goal.others)} without scores on these cases) |"
    name, others = max(rivals, key=lambda each: sum(each[1]))
    gap = paired_difference(best.scores, others, list(best.groups) or None)
    verdict = "ahead" if gap.lower > 0 else "not shown" if gap.upper > 0 else "behind"
    if verdict != "ahead" and found.verdict.story.facts["unbeaten"]:
        verdict += ", and its verdict says that nothing is shown to beat one answer to all"
    return (
        f"| {goal.task} | {best.candidate} | {best.figure:.3f} | {name} | {sum(others) / len(others):.3f} | "
        f"{100 * gap.mean:+.1f} ({100 * gap.lower:+.1f} to {100 * gap.upper:+.1f}) | {verdict} |"
    )


def _rivals(goal: Ahead, verdict: Verdict, plain: Path, keys: Sequence[str]) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Name and scores of those that are to be beaten, on the same cases in the same order."""
    for each in usable(goal.others, verdict):
        if each.keys == tuple(keys):
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
