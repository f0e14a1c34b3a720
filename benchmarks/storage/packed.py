"""A finished run as one small plain file: all that telling it again needs, without what was fitted.

The file is gzipped JSON, one object a line: first the run (`run.json`, with the examples once and the folds by their
ids), then every row of the store's tables. What is not needed to tell or score the run again is left out and named in
the first line: fits, the journal of fitting, probabilities of labels but the highest, how sure answers to most checks are,
the text of evidence, and the text of the documents where they are long (what the task alone suggests cannot be said without
it; everything measured can).
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.storage.store import Store

VERSION = 1
LONG_DOCUMENTS = 300_000
"""Characters of all documents together above which their text is left out."""
_TABLES = ("meta", "units", "rows", "usage", "trials")
_JSON = frozenset({"value", "note", "outcome", "usage", "trial"})
"""Columns that hold JSON; in the file they are plain values."""
_SURE = frozenset({"heldout", "planted", "rebuild", "changed", "added", "altered"})
"""Purposes of the answers that are held against a threshold by how sure they are: that is kept to the last digit, since a
threshold is the sureness of another answer, and may be as large. Of others it is not told."""


def pack(folder: Path, file: Path, *, recorded: bool = False, made: Mapping[str, Any] | None = None) -> None:
    """Writes the finished run in `folder` into `file`, the same bytes for the same run.

    `recorded` marks it as a stored example in every report; `made` is kept in the first line (who made it, and how).
    Raises `BadInput` where there is no run, or one that is not finished.
    """
    path = folder / "run.sqlite"
    if not path.is_file() or not (folder / "run.json").is_file():
        raise BadInput(f"{folder} holds no run to pack. Give the folder that `advisor run --out` wrote.")
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        open_units = db.execute("SELECT COUNT(*) FROM units WHERE finished IS NULL").fetchone()[0]
        begun = {row[0] for row in db.execute("SELECT DISTINCT candidate FROM units")}
        missing = [row["name"] for row in about["candidates"] if row["name"] not in begun]
        if open_units or missing:
            raise BadInput(f"The run in {folder} is not finished. Go on with it by `advisor run ... --resume` first.")
        left_out = [
            "fits",
            "journal",
            "label probabilities but the highest",
            "sureness in most checks",
            "text of evidence",
        ]
        run = _slim_run(about, left_out)
        if recorded:
            run["recorded"] = True
        first = {"packed": VERSION, "left_out": left_out, "made": dict(made or {}), "run": run}
        write_lines(file, [first, *(_slim_row(row) for name in _TABLES for row in _table(db, name))])


def unpack(file: Path, folder: Path) -> Mapping[str, Any]:
    """Writes `run.json` and `run.sqlite` into `folder`, ready for `advisor.experiments.stored.reopen`.

    Returns the first line without the run: `left_out` and `made`. Raises `BadInput` where the file is none of ours.
    """
    lines = read_lines(file)
    first = next(lines, {})
    if first.get("packed") != VERSION:
        raise BadInput(f"{file.name} is no packed run of version {VERSION}. Pack the run again with this program.")
    folder.mkdir(parents=True, exist_ok=True)
    run = _whole_run(first.pop("run"))
    (folder / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    Store(folder / "run.sqlite").close()
    with closing(sqlite3.connect(folder / "run.sqlite")) as db:
        columns = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name in _TABLES}
        batches: dict[str, list[list[Any]]] = {name: [] for name in _TABLES}
        for line in lines:
            name = line["table"]
            batches[name].append([_cell(column, line[column]) for column in columns[name]])
        for name, rows in batches.items():
            marks = ", ".join("?" * len(columns[name]))
            db.executemany(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", rows)
        db.commit()
    return first


# ---------------------------------------------------------------- gzipped lines of JSON


def write_lines(file: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """The objects as gzipped JSON lines, without a time stamp in it; whole or not at all."""
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))
    os.replace(partial, file)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file that `write_lines` wrote. Raises `BadInput` where it is none."""
    try:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)
    except (OSError, EOFError, ValueError) as error:
        raise BadInput(f"{file.name} cannot be read as gzipped JSON lines ({error}). Make it again.") from None


# ---------------------------------------------------------------- smaller and back


def _slim_run(about: Mapping[str, Any], left_out: list[str]) -> dict[str, Any]:
    task = dict(about["benchmark"]["task"])
    examples = {case["id"]: case for fold in task["folds"] for part in fold.values() for case in part}
    task["folds"] = [{name: [case["id"] for case in part] for name, part in fold.items()} for fold in task["folds"]]
    if sum(len(document["text"]) for document in task["documents"]) > LONG_DOCUMENTS:
        task["documents"] = [document | {"text": ""} for document in task["documents"]]
        left_out.append("text of the documents")
    return {**about, "benchmark": {**about["benchmark"], "task": task, "examples": list(examples.values())}}


def _whole_run(run: Mapping[str, Any]) -> dict[str, Any]:
    benchmark = dict(run["benchmark"])
    cases = {case["id"]: case for case in benchmark.pop("examples")}
    task = dict(benchmark["task"])
    task["folds"] = [{name: [cases[key] for key in part] for name, part in fold.items()} for fold in task["folds"]]
    return {**run, "benchmark": {**benchmark, "task": task}}


def _table(db: sqlite3.Connection, name: str) -> Iterator[dict[str, Any]]:
    found = db.execute(f"SELECT * FROM {name} ORDER BY rowid")
    columns = [column[0] for column in found.description]
    for values in found:
        row = dict(zip(columns, values, strict=True))
        yield {"table": name} | {key: json.loads(row[key]) if key in _JSON else row[key] for key in columns}


def _slim_row(row: dict[str, Any]) -> dict[str, Any]:
    if row["table"] != "rows":
        return row
    outcome = dict(row["outcome"])
    odds, likely = outcome.pop("probabilities", None), outcome.pop("certainty", None)
    sure = row["purpose"] in _SURE
    if odds and sure:
        label = max(odds, key=odds.__getitem__)
        outcome["probabilities"] = {label: odds[label]}
    if likely is not None and sure:
        outcome["certainty"] = likely
    if evidence := outcome.get("evidence"):
        best = max(found["score"] for found in evidence) if sure else float("inf")
        outcome["evidence"] = [found | {"text": "", "score": _slim(found["score"], best)} for found in evidence]
    return row | {"outcome": outcome}


def _slim(score: float, best: float) -> float:
    """Rounded, but for the best one, by which it may be told how sure the answer is; no other is above that."""
    return best if score == best else min(best, round(score, 4))


def _cell(column: str, value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if column in _JSON else value
