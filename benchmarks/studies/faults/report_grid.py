"""The part of faults.md about few clean examples beside many messy ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.wording import counted, listed, percent
from benchmarks.studies.faults import grid
from benchmarks.studies.markdown import table

Rows = Sequence[Mapping[str, Any]]


def sections(rows: Rows) -> list[str]:
    """Text and tables; of approaches that lack rows it is said how many they have."""
    mine = [row for row in rows if row["part"] == "grid"]
    title = "## A few hundred clean examples, or many messy ones"
    cells, ran = len(list(grid.cells())), [row["approach"] for row in mine]
    missing = [f"{each.name} ({ran.count(each.name)})" for each in grid.slow() if ran.count(each.name) < cells]
    slow = "a dash stands where none is. Each takes minutes to hours a row here, and `run --part grid` goes on."
    lacking = f"Rows so far, of {cells} each: {listed(missing)}; {slow}" if missing else ""
    if not mine:
        return [title, "Not run yet."]
    told = [
        _answer(mine),
        f"Approaches were built from {grid.CLEAN} examples as they are, and from "
        f"{' and '.join(f'{of:,}' for of in grid.NOISY)} (or all that a task has, where these are fewer) of which a share got a "
        "wrong label: any other one, or that of the nearest example with another (confusable). A larger sample holds the smaller "
        f"one. The tables give the share of right answers to {grid.HELDOUT} held-out cases of each task, by the labels that the "
        "data has, as means of the draws.",
    ]
    tables = [_table(task, mine) for task in grid.TASKS if any(row["task"] == task for row in mine)]
    return [title, *told, *tables, *([lacking] if lacking else [])]


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
    for task, name in dict.fromkeys((row["task"], row["approach"]) for row in rows):
        found = grid.means(rows, name, task)
        few = found.get((grid.CLEAN, 0.0, "clean"), ())
        for key, many in found.items():
            if key[1] and few and len(few) == len(many):
                settings += 1
                clean += min(few) > max(many)
                messy += min(many) > max(few)
    return (
        f"Of {counted(settings, 'setting')} (approach, task, number, share and kind of wrong labels) {grid.CLEAN} clean examples "
        f"are ahead in every draw in {clean:,}, the messy ones in {messy:,}; in the others the draws overlap or the figures are "
        f"equal. {len(draws):,} of {counted(grid.DRAWS, 'draw')} {'is' if len(draws) == 1 else 'are'} done."
    )
