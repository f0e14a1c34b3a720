"""The part of faults.md about few clean examples beside many messy ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from advisor.wording import counted, listed, percent, start
from benchmarks.studies.faults import grid
from benchmarks.studies.markdown import table

Rows = Sequence[Mapping[str, Any]]
CLEAR = 0.05
"""A difference of two shares that one draw tells from chance: about twice its standard error on cases that both answer."""


def sections(rows: Rows) -> list[str]:
    """Text and tables; of approaches that lack rows it is said how many they have."""
    mine = [row for row in rows if row["part"] == "grid"]
    title = "## A few hundred clean examples, or many messy ones"
    if not mine:
        return [title, "Not run yet."]
    told = [
        _answer(mine),
        _once(mine),
        f"Approaches were built from {grid.CLEAN} examples as they are, and from "
        f"{' and '.join(f'{of:,}' for of in grid.NOISY)} (or all that a task has, where these are fewer) of which a share got a "
        "wrong label: any other one, or that of the nearest example with another (confusable). A larger sample holds the smaller "
        f"one. The tables give the share of right answers to {grid.HELDOUT} held-out cases of each task, by the labels that the "
        "data has, as means of the draws; a dash stands for what was not built.",
    ]
    tables = [_table(task, mine) for task in grid.TASKS if any(row["task"] == task for row in mine)]
    return [title, *filter(None, told), *tables, *_lacking(mine)]


def _lacking(rows: Rows) -> list[str]:
    cells, ran = len(list(grid.slow_cells())), [row["approach"] for row in rows]
    missing = [f"{each.name} ({ran.count(each.name)})" for each in grid.slow() if ran.count(each.name) < cells]
    return [f"Rows so far, of {cells} each: {listed(missing)}; `run --part grid` goes on."] if missing else []


def _table(task: str, rows: Rows) -> str:
    columns = [(grid.CLEAN, 0.0, "clean"), *((of, 0.0, "clean") for of in grid.NOISY)]
    columns += [(of, share, how) for share in grid.NOISE for how in grid.TASKS[task] for of in grid.NOISY]
    names = dict.fromkeys(row["approach"] for row in rows if row["task"] == task)
    lines = []
    for name in names:
        found = grid.means(rows, name, task)
        lines.append([name, *(_cell(found.get(column, ())) for column in columns)])
    head = [f"{of:,}, {'clean' if not share else f'{percent(share)} {how}'}" for of, share, how in columns]
    return f"**{task}**\n\n" + table((task, *head), lines, numeric=range(1, 1 + len(columns)))


def _cell(figures: Sequence[float]) -> str:
    return percent(sum(figures) / len(figures)) if figures else "-"


def _answer(rows: Rows) -> str:
    """In how many settings the few clean ones are ahead in every draw, and in how many the many messy ones."""
    clean, messy, settings = 0, 0, 0
    draws = {row["draw"] for row in rows}
    for few, found in _beside_clean(rows):
        for key, many in found.items():
            if key[1] and len(few) == len(many) == len(draws):
                settings += 1
                clean += min(few) > max(many)
                messy += min(many) > max(few)
    return (
        f"Of {counted(settings, 'setting')} (approach, task, number, share and kind of wrong labels) {grid.CLEAN} clean examples "
        f"are ahead in every draw in {clean:,}, the messy ones in {messy:,}; in the others the draws overlap or the figures are "
        f"equal. {len(draws):,} of {counted(grid.DRAWS, 'draw')} {'is' if len(draws) == 1 else 'are'} done, of approaches "
        "without a language model."
    )


def _once(rows: Rows) -> str:
    """The same of the approaches that were built once in each cell that they have; empty where none was."""
    slow = [each.name for each in grid.slow()]
    gaps: dict[int, list[float]] = {}
    for few, found in _beside_clean([row for row in rows if row["approach"] in slow]):
        for (of, share, _), many in found.items():
            if share:
                gaps.setdefault(of, []).append(few[0] - many[0])
    if not gaps:
        return ""
    told = [
        f"ahead of {of:,} messy ones by more than {100 * CLEAR:.0f} points in {sum(gap > CLEAR for gap in each)} of "
        f"{counted(len(each), 'setting')} and as far behind in {sum(gap < -CLEAR for gap in each)}"
        for of, each in sorted(gaps.items())
    ]
    return (
        f"{start(listed(slow))} take minutes to an hour a row, and were built from one draw, with {percent(grid.NOISE[0])} "
        f"of the labels wrong: {grid.CLEAN} clean examples are {'; '.join(told)}. Less than that is not told from chance by "
        f"{grid.HELDOUT} cases."
    )


def _beside_clean(rows: Rows) -> Iterator[tuple[Sequence[float], Mapping[tuple[int, float, str], Sequence[float]]]]:
    """Of each task and approach the figures with the few clean examples, and those of every cell."""
    for task, name in dict.fromkeys((row["task"], row["approach"]) for row in rows):
        found = grid.means(rows, name, task)
        if few := found.get((grid.CLEAN, 0.0, "clean"), ()):
            yield few, found
