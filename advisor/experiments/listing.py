"""Which runs lie in a folder, and what the report of each said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advisor.contract import settled

NOT_TOLD, UNREADABLE = "not told yet", "cannot be read"


def listed_runs(folder: Path) -> list[dict[str, Any]]:
    """One plain mapping for each run, the oldest first; of one without a report only that it is there, and of a folder that this
    user may not read, as a run is its owner's alone, that it cannot be read."""
    return sorted(_runs(folder), key=lambda row: str(row["started"]))


def _runs(folder: Path) -> Iterator[dict[str, Any]]:
    for place in sorted(folder.iterdir()):
        try:
            (place / "run.json").stat()
            told, silent = _told(place / "report.json"), NOT_TOLD
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            told, silent = {}, UNREADABLE
        facts = _mapping(told.get("facts"))
        said, development = str(facts.get("verdict", silent)), told.get("development") is True
        verdict, named = settled(said, development), facts.get("choice") or facts.get("safe")
        measured = _of(facts, named or facts.get("best"))
        yield {
            "run": place.name,
            "task": facts.get("task"),
            "verdict": verdict,
            "recommended": named if verdict == said else None,
            "title": told.get("title"),
            "headline": told.get("headline"),
            "figure": figure if isinstance(figure := measured.get("figure"), int | float) else None,
            "monthly": _mapping(measured.get("monthly")) or None,
            "heldout_cases": facts.get("heldout_cases"),
            "started": _mapping(facts.get("provenance")).get("started"),
        }


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
