"""How the rows of a part lie in a file: which cases, by whom and how, and every answer with its score."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput, Benchmark
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.afternoon_rows import examples_hash
from benchmarks.studies.peers.arms import CONTAINED, Part
from benchmarks.studies.peers.performed import Found
from benchmarks.studies.settings import ROWS

FOLDER = ROWS / "peers"
DEPTHS = (1, 3, 5, 10)
"""Of recall@k: whether one of the first k documents is one that holds the answer."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A part that is finished: what it is about, and scores by measure in the order of the held-out cases."""

    about: Mapping[str, Any]
    scores: Mapping[str, tuple[float, ...]]
    cases: tuple[str, ...]
    """Their ids, in this order."""


def file_of(part: Part, folder: Path) -> Path:
    return folder / f"{part.name}.jsonl.gz"


def keep(part: Part, benchmark: Benchmark, found: Found, folder: Path, made: Mapping[str, Any]) -> Path:
    """Writes the part's file, whole; `made` says by which commit it was begun, when, and how busy others kept the machine."""
    about = {
        "study": "peers",
        "part": part.name,
        "fingerprint": benchmark.fingerprint,
        "examples": examples_hash(benchmark),
        "metric": benchmark.metric.name if found.answers else "recall",
        "finished": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        **made,
        **{name: value for name, value in asdict(found).items() if name in ("seconds", "settings", "versions")},
    }
    file = file_of(part, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_lines(file, [about, *_rows(benchmark, found)])
    return file


def _rows(benchmark: Benchmark, found: Found) -> list[dict[str, Any]]:
    given = found.answers or found.found
    if len(given) != len(benchmark.heldout):
        raise BadInput(f"{len(given)} answers were given to {len(benchmark.heldout)} held-out cases.")
    if found.answers:
        metrics = [benchmark.metric, *(each for each in benchmark.shown_metrics if each.name == CONTAINED)]
        texts = {"": found.answers, **found.also}
        return [
            {
                "id": case.id,
                "text": found.answers[place],
                "scores": {
                    _measure(metric.name, way): metric.score(case, answers[place])
                    for metric in metrics
                    for way, answers in texts.items()
                },
            }
            for place, case in enumerate(benchmark.heldout)
        ]
    return [
        {"id": case.id, "found": list(names)[: max(DEPTHS)], "wanted": list(case.document_ids)}
        for case, names in zip(benchmark.heldout, found.found, strict=True)
        if case.document_ids
    ]


def _measure(metric: str, way: str) -> str:
    return f"{metric}, {way}" if way else metric


def read(part: Part, folder: Path) -> Kept | None:
    """None where the part was not run. Raises `BadInput` where the file is another part's."""
    file = file_of(part, folder)
    if not file.is_file():
        return None
    about, *rows = list(read_lines(file))
    if about.get("study") != "peers" or about.get("part") != part.name:
        raise BadInput(f"{file.name} holds no rows of {part.name}. Remove it and run the part again.")
    if about["metric"] == "recall":
        scores = [{f"recall@{depth}": _hit(row, depth) for depth in DEPTHS} for row in rows]
    else:
        # Rows from before several ways were kept have the score by the metric alone.
        scores = [row.get("scores") or {about["metric"]: row["score"]} for row in rows]
    measures = scores[0] if scores else ()
    return Kept(
        about=about,
        scores={measure: tuple(each[measure] for each in scores) for measure in measures},
        cases=tuple(row["id"] for row in rows),
    )


def _hit(row: Mapping[str, Any], depth: int) -> float:
    return float(bool(set(row["found"][:depth]) & set(row["wanted"])))
