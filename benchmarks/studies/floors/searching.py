"""How well the search finds, alone and with the documents of other tasks mixed in; no language model answers."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from advisor.experiments.comparison import Prepared, Wishes, prepare
from benchmarks.running.workbench import bare
from benchmarks.storage.packed import read_lines, write_lines
from benchmarks.studies.floors.goals import Search
from benchmarks.studies.settings import commit
from strategies.contract import Document
from strategies.finding import way
from strategies.selection import PipelineBuilder

SPARE = 4
"""Passages looked at for each document that is wanted, since several may be of the same one."""


def told(goal: Search) -> str:
    return (
        f"{goal.task} with the documents of {' and '.join(goal.beside)}"
        if goal.beside
        else f"{goal.task}, its own documents"
    )


def file_of(goal: Search, rows: Path) -> Path:
    return rows / f"search-{'-'.join((goal.task, *goal.beside))}.jsonl.gz"


def keep(goal: Search, prepared: Prepared, rows: Path) -> None:
    """Writes which documents were found for each held-out case that names one."""
    begun_by = commit()
    benchmark = prepared.assembly.benchmark
    task = replace(benchmark.task, documents=(*benchmark.task.documents, *_others(goal)))
    with tempfile.TemporaryDirectory() as folder:
        builder = PipelineBuilder(task, bare(prepared.models, "", Path(folder)))
        setup = way(builder)
        index = builder.indexes.searched(setup, task.examples)
        cases = [case for case in benchmark.heldout if case.document_ids]
        texts = [case.input for case in cases]
        found = index.search(texts, SPARE * goal.depth, setup.mode) if index is not None else []
    about = {
        "study": "floors",
        "goal": asdict(goal),
        "way": setup.mode,
        "adapted": setup.adapted,
        "documents": len(task.documents),
        "commit": begun_by,
        "finished": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    lines = [
        {
            "id": case.id,
            "wanted": list(case.document_ids),
            "found": _first([each.document_id for each in row], goal.depth),
        }
        for case, row in zip(cases, found, strict=True)
    ]
    rows.mkdir(parents=True, exist_ok=True)
    write_lines(file_of(goal, rows), [about, *lines])


def recall(goal: Search, rows: Path) -> list[float] | None:
    """For each case whether a wanted document is among the first; None where the search was not run."""
    file = file_of(goal, rows)
    if not file.is_file():
        return None
    _, *lines = list(read_lines(file))
    return [float(bool(set(row["found"][: goal.depth]) & set(row["wanted"]))) for row in lines]


def _others(goal: Search) -> list[Document]:
    """Under ids of their own, so that none is taken for one of the task."""
    return [
        replace(document, id=f"{name}/{document.id}")
        for name in goal.beside
        for document in prepare(name, Wishes()).assembly.benchmark.task.documents
    ]


def _first(documents: list[str], depth: int) -> list[str]:
    return list(dict.fromkeys(documents))[:depth]
