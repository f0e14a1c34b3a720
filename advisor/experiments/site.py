"""A static site over all runs of a folder: an index, the page of each run, and runs of one task side by side."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from markupsafe import Markup

from advisor.contract import Amount
from advisor.experiments.compared import Comparison, compare
from advisor.experiments.listing import listed_runs
from advisor.reports.html import rendered
from advisor.reports.text import clean
from advisor.wording import NONE, amount, percent
from benchmarks.contract import BadInput

MARK = '<meta name="generator" content="finetune-advisor runs">'
SIDE_BY_SIDE, IN_ALL = 3, 60
"""The newest pairs of each task that get a page, and of all tasks, so that a thousand runs are built within a minute."""


def build(runs: Path, out: Path) -> int:
    """Writes the site into `out`, in place of one that was there, and returns how many runs are in it. Raises `BadInput`.

    Of a run without a report, or one that cannot be read, only the line in the index. Pages of runs are those beside them.
    """
    found = [{**row, "page": _page(number, row["run"])} for number, row in enumerate(listed_runs(runs), 1)]
    if out.exists() and not _ours(out):
        raise BadInput(f"{out} is there already and is no site of runs. Name a folder that is not.")
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for row in found:
        row["told"] = _copied(runs / row["run"] / "report.html", partial / row["page"])
    for row in found:
        row["compared"] = ""
    pairs, left_out = _pairs(found)
    for before, after in pairs:
        told = _side_by_side(runs, (before, after))
        if told is not None:
            after["compared"] = f"compare-{after['page']}"
            page = rendered("side_by_side.html", mark=Markup(MARK), before=_clean(before), after=_clean(after), **told)
            (partial / after["compared"]).write_text(page, encoding="utf-8")
    index = rendered("site.html", mark=Markup(MARK), rows=[_line(row) for row in reversed(found)], left_out=left_out)
    (partial / "index.html").write_text(index, encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    partial.replace(out)
    return len(found)


def _ours(out: Path) -> bool:
    """Whether the folder is a site that was made here: anything else is somebody's own."""
    index = out / "index.html"
    return index.is_file() and MARK in index.read_text(encoding="utf-8", errors="replace")


def _copied(report: Path, page: Path) -> bool:
    """False where there is no report that this user may read. A link is none: it may lead to any file of this user."""
    try:
        if report.is_symlink():
            return False
        text = report.read_bytes()
    except OSError:
        return False
    page.write_bytes(text)
    return True


def _page(number: int, run: str) -> str:
    """A file name from the name of a folder, whatever that holds; no two are alike."""
    words = re.sub(r"[^\w-]+", "-", run)[:60]
    return f"{number:04}-{words}.html"


def _pairs(found: Sequence[dict[str, Any]]) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], int]:
    """Neighbours in time of each task, the newest few, and of all of these the newest; and how many others there are."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(found):
        if row["task"]:
            places[row["task"]].append(place)
    every = [pair for rows in places.values() for pair in pairwise(rows)]
    newest = [pair for rows in places.values() for pair in list(pairwise(rows))[-SIDE_BY_SIDE:]]
    taken = sorted(newest, key=lambda pair: pair[1])[-IN_ALL:]
    return [(found[before], found[after]) for before, after in taken], len(every) - len(taken)


def _side_by_side(runs: Path, pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> dict[str, Any] | None:
    """None where the two cannot be compared: too few held-out inputs shared, a metric of one's own, a run cut off, broken or not
    to be read."""
    try:
        found = compare(*(runs / row["run"] for row in pair))
    except (BadInput, KeyError, OSError, TypeError, ValueError, sqlite3.Error):
        return None
    return {
        "what": [clean(sentence) for sentence in found.what],
        "changes": list(_changes(found)),
        "shared": found.shared,
        "fewer": found.fewer,
    }


def _changes(found: Comparison) -> Iterator[tuple[str, ...]]:
    for change in sorted(found.changes, key=lambda change: -change.difference):
        yield (clean(change.candidate), *change.cells(), "" if found.alike else f"{change.cases:,}")


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run as the index shows it."""
    monthly, figure = row["monthly"] or {}, row["figure"]
    cost = Amount(value=monthly.get("value"), unit=str(monthly.get("unit", "")))
    shown = {
        "figure": NONE if figure is None else percent(figure),
        "monthly": amount(cost) if monthly else NONE,
        "heldout_cases": row["heldout_cases"] or NONE,
    }
    return _clean({**row, **shown})


def _clean(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: clean(value) if isinstance(value, str) else value for key, value in row.items()}
