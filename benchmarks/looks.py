"""Looking again at held-out cases costs: which looks at them there were, and which level is left for the next.

Who labels more cases and runs again until something passes is fooled in one case of ten by bounds that know nothing of
it. So every finished run of a person's task is written down beside the task, with the cases that it was measured on, and
each look uses a share of the level that the ones before it have left.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contract import Benchmark, Look
from strategies.contract import Case

ALPHA = 0.05
"""The chance of any wrong "meets", and of any wrong "misses", over all looks at the same cases."""
SHARE = 0.75
"""Of the level that is left, what a look uses: it takes little from the first and leaves something for the next (LOG.md)."""
FILE = "looks.jsonl"
_DIGITS = 12


def level_of(look: int, alpha: float = ALPHA, share: float = SHARE) -> float:
    """The level of the first, second, ... look; all of them together spend less than `alpha`, however many there are."""
    return alpha * share * (1 - share) ** (look - 1)


def look_at(heldout: Sequence[Case], folder: Path, experiment: str = "") -> Look:
    """Which look at these cases a run would be, by what is written down in the folder of the task.

    A look counts that shared a case with this one. `experiment` names what is run: the same again is the same look.
    """
    mine = set(_names(heldout))
    shared = [
        (row, set(row["cases"]) & mine)
        for row in _read(folder / FILE)
        if row["experiment"] != experiment and not mine.isdisjoint(row["cases"])
    ]
    others = {row["experiment"] for row, _ in shared}
    seen = set().union(*(cases for _, cases in shared))
    return Look(number=len(others) + 1, seen=len(seen), last=max((row["day"] for row, _ in shared), default=""))


def write_down(benchmark: Benchmark, folder: Path, experiment: str) -> None:
    """Adds this look to those of the task, once. Where the folder cannot be written to, a warning says so."""
    file = folder / FILE
    if any(row["experiment"] == experiment for row in _read(file)):
        return
    row = {
        "experiment": experiment,
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "look": benchmark.look.number,
        "target": benchmark.target,
        "cases": _names(benchmark.heldout),
    }
    try:
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
    except OSError as error:
        logging.getLogger(__name__).warning(
            "this look at the held-out cases could not be written down beside the task (%s), so the next one will count "
            "as if it had not been",
            error.strerror,
        )


def _names(cases: Sequence[Case]) -> list[str]:
    """Cases by hashes of their inputs: the file says which were looked at, and not what stands in them."""
    return [hashlib.sha256(case.input.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS] for case in cases]


def _read(file: Path) -> list[Mapping[str, Any]]:
    """Whole lines of the expected form; none where there is no file. A line that was cut off in writing is no look."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [row for line in lines if (row := _row(line)) is not None]


def _row(line: str) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or not isinstance(row.get("cases"), list):
        return None
    texts = [row.get("experiment"), row.get("day"), *row["cases"]]
    return row if all(isinstance(text, str) for text in texts) else None
