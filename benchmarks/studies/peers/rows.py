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
from benchmarks.studies.peers.arms import Part
from benchmarks.studies.peers.performed import Found
from benchmarks.studies.settings import ROWS, commit

FOLDER = ROWS / "peers"
DEPTHS = (1, 3, 5, 10)
"""Of recall@k: whether one of the first k documents is one that holds the answer."""


SAME_WAY = "score_decoded_as_ours"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A part that is finished: what it is about, and scores by measure in the order of the held-out cases."""

    about: Mapping[str, Any]
    scores: Mapping[str, tuple[float, ...]]


def file_of(part: Part, folder: Path) -> Path:
    return folder / f"{part.name}.jsonl.gz"


def keep(part: Part, benchmark: Benchmark, found: Found, folder: Path, others: float | None) -> Path:
    """Writes the part's file, whole; `others` is how many cores other programs kept busy meanwhile."""
    about = {
        "study": "peers",
        "part": part.name,
        "fingerprint": benchmark.fingerprint,
        "examples": examples_hash(benchmark),
        "metric": benchmark.metric.name if found.answers else "recall",
        "commit": commit(),
        "finished": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "others": others,
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
        rows = [
            {"id": case.id, "text": text, "score": benchmark.metric.score(case, text)}
            for case, text in zip(benchmark.heldout, found.answers, strict=True)
        ]
        for case, row, text in zip(benchmark.heldout, rows, found.same_way, strict=False):
            row[SAME_WAY] = benchmark.metric.score(case, text)
        return rows
    return [
        {"id": case.id, "found": list(names)[: max(DEPTHS)], "wanted": list(case.document_ids)}
        for case, names in zip(benchmark.heldout, found.found, strict=True)
        if case.document_ids
    ]


def read(part: Part, folder: Path) -> Kept | None:
    """None where the part was not run. Raises `BadInput` where the file is another part's."""
    file = file_of(part, folder)
    if not file.is_file():
        return None
    about, *rows = list(read_lines(file))
    if about.get("study") != "peers" or about.get("part") != part.name:
        raise BadInput(f"{file.name} holds no rows of {part.name}. Remove it and run the part again.")
    if about["metric"] != "recall":
        scores = {about["metric"]: tuple(row["score"] for row in rows)}
        if rows and SAME_WAY in rows[0]:
            scores[f"{about['metric']}, decoded as ours"] = tuple(row[SAME_WAY] for row in rows)
        return Kept(about=about, scores=scores)
    return Kept(
        about=about,
        scores={
            f"recall@{depth}": tuple(float(bool(set(row["found"][:depth]) & set(row["wanted"]))) for row in rows)
            for depth in DEPTHS
        },
    )
