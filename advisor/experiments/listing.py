"""Which runs lie in a folder, and what the report of each said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor.contract import settled
from benchmarks.contract import BadInput

NOT_TOLD, UNREADABLE = "not told yet", "cannot be read"
LARGEST = 1e15
"""No figure, cost or count of a report reaches it; JSON of others may hold more, or what is no number."""


def listed_runs(folder: Path) -> list[dict[str, Any]]:
    """One plain mapping for each run, the oldest first; of one without a report only that it is there, and of a folder that this
    user may not read, as a run is its owner's alone, or whose report is none of ours, that it cannot be read."""
    return sorted(_runs(folder), key=lambda row: str(row["started"]))


def to_see(folder: Path, found: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The run of the listing to look at: the newest that was told, else one that is not told yet, of those that a report can be
    made of. None where there is none."""
    told = [row for row in found if row["verdict"] not in (NOT_TOLD, UNREADABLE)]
    untold = [row for row in found if row["verdict"] == NOT_TOLD]
    newest = sorted(told, key=lambda row: row["started"] or "")[::-1]
    return next((row for row in (*newest, *untold) if _opens(folder / row["run"])), None)


def _opens(run: Path) -> bool:
    """Whether what a report is made of can be read, as a report reads it."""
    from advisor.experiments.stored import about_run
    from benchmarks.storage.store import Store

    try:
        about_run(run)
        Store(run / "run.sqlite").close()
    except (BadInput, OSError, sqlite3.Error):
        return False
    return True


def _runs(folder: Path) -> Iterator[dict[str, Any]]:
    for place in sorted(folder.iterdir()):
        try:
            (place / "run.json").stat()
            told, silent = _told(place / "report.json"), NOT_TOLD
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            told, silent = {}, UNREADABLE
        row = {"run": place.name, **_row(told, silent)}
        yield row if _as_written(row) else {"run": place.name, **_row({}, UNREADABLE)}


def _row(told: Mapping[str, Any], silent: str) -> dict[str, Any]:
    facts = _mapping(told.get("facts"))
    said, development = facts.get("verdict", silent), told.get("development") is True
    verdict, named = settled(said, development), facts.get("choice") or facts.get("safe")
    measured = _of(facts, named or facts.get("best"))
    return {
        "task": facts.get("task"),
        "verdict": verdict,
        "recommended": named if verdict == said else None,
        "title": told.get("title"),
        "headline": told.get("headline"),
        "figure": measured.get("figure"),
        "monthly": measured.get("monthly"),
        "heldout_cases": facts.get("heldout_cases"),
        "started": _mapping(facts.get("provenance")).get("started"),
    }


def _as_written(row: Mapping[str, Any]) -> bool:
    """Whether each value is of the type that a report has: this one may be a stranger's."""
    monthly = row["monthly"] if row["monthly"] is not None else {}
    if not isinstance(monthly, Mapping):
        return False
    numbers = (row["figure"], row["heldout_cases"], monthly.get("value"))
    texts = (row[name] for name in ("task", "recommended", "title", "headline", "started"))
    always = (row["verdict"], monthly.get("unit", ""))
    known = (*always, *(text for text in texts if text is not None))
    return all(isinstance(text, str) for text in known) and all(number is None or _number(number) for number in numbers)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _told(path: Path) -> dict[str, Any]:
    """Empty where there is no report, or one that was cut off. Raises `OSError` where it cannot be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, RecursionError, ValueError):
        return {}
    return values if isinstance(values, dict) and isinstance(values.get("facts"), dict) else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    """Empty where something else stands in its place."""
    return value if isinstance(value, Mapping) else {}


def _of(facts: Mapping[str, Any], name: Any) -> Mapping[str, Any]:
    """What the report says of one candidate."""
    listed = facts.get("candidates")
    rows = map(_mapping, listed if isinstance(listed, list) else ())
    return next((each for each in rows if each.get("name") == name), {})
