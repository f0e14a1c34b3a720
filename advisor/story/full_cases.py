"""The cases that were asked for, in full: every one of them, with every answer and its evidence, for a file beside the page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advisor.story.cases import CaseChoice, CaseResults, asked_for, usable_names
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.evaluation.mistakes import Answers
from benchmarks.formats.clean import harmless
from benchmarks.storage.store import Store
from strategies.contract import Abstention, Failure, Outcome

FILE, HELDOUT = "report-cases.jsonl", "held-out"


def full_cases(
    benchmark: Benchmark,
    evaluations: Sequence[Evaluation],
    sources: tuple[Answers, Store],
    choice: CaseChoice,
    named: str,
) -> tuple[Mapping[str, Any], ...]:
    """Those that `cases.shown_cases` has at most 500 of, in the order of the data, in plain values."""
    _, wanted = asked_for(benchmark, evaluations, sources, choice, named)
    usable = usable_names(evaluations)
    return tuple(_row(each, usable) for each in wanted)


def write(cases: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """Writes them into the folder, one JSON object a line, and returns the name of the file. Without any an earlier file is
    taken away: a report that shows no cases leaves no texts beside it."""
    path = folder / FILE
    if not cases:
        path.unlink(missing_ok=True)
        return ""
    partial = path.with_name(f"{FILE}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        file.writelines(json.dumps(_harmless(case), ensure_ascii=False) + "\n" for case in cases)
    partial.replace(path)
    return FILE


def _harmless(value: Any) -> Any:
    """Without invisible and control characters, as in every report."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {harmless(str(name)): _harmless(part) for name, part in value.items()}
    return [_harmless(part) for part in value] if isinstance(value, list | tuple) else value


def _row(results: CaseResults, usable: Sequence[str]) -> dict[str, Any]:
    case = results.case
    return {
        "id": case.id,
        "part": HELDOUT if results.heldout else "selection",
        "input": case.input,
        "wanted": case.output,
        "also_right": list(case.accepted[1:]),
        "documents": list(case.document_ids),
        "answers": {name: _answer(*results.given[name]) for name in usable if name in results.given},
    }


def _answer(outcome: Outcome, score: float) -> dict[str, Any]:
    if isinstance(outcome, Abstention):
        return {"outcome": "abstained", "answer": outcome.reason, "score": score}
    if isinstance(outcome, Failure):
        said = {"outcome": outcome.kind, "answer": outcome.raw, "message": outcome.message}
        return {**said, "score": score}
    evidence = [
        {"document": found.document_id, "start": found.start, "end": found.end, "text": found.text}
        for found in outcome.evidence
    ]
    cut = {"cut_off": True} if outcome.truncated else {}
    return {"outcome": "answered", "answer": outcome.text, "score": score, **cut, "evidence": evidence}
