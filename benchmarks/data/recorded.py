"""Reads the file of recorded answers: systems that already answered, with what their answers cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.clean import clean
from benchmarks.formats.record import lines
from strategies.approaches.recorded import Recorded, RecordedAnswer
from strategies.contract import Case, Query, Strategy

ALLOWED = ("input", "answer", "system", "seconds", "prompt_tokens", "answer_tokens", "cost")


def read_recorded(path: Path) -> list[Strategy]:
    """One strategy for each `system` in a JSONL file of {"input", "answer"} rows. Raises `BadInput` with the line.

    Texts are cleaned as those of cases are, so that the same text is the same in both files.
    """
    if not path.is_file():
        raise BadInput(f"`recorded` names {path.name}, which is not there. Give a JSONL file of input and answer.")
    systems: dict[str, dict[str, RecordedAnswer]] = {}
    for number, line in lines(path):
        if line.strip():
            where = f"{path.name}:{number}"
            row = _row(line, where)
            answers = systems.setdefault(str(row.get("system", "recorded")), {})
            answers[Query.of(clean(row["input"], where)[0]).key] = _answer(row, where)
    if not systems:
        raise BadInput(f"{path.name} holds no answers. Write one JSON object a line, with input and answer.")
    return [Recorded(name=name, answers=answers) for name, answers in systems.items()]


def check_matched(systems: Iterable[Strategy], heldout: Sequence[Case], file: str) -> None:
    """Raises `BadInput` for a system that answers none of the held-out cases: its file is of other inputs."""
    keys = {Query.of(case.input).key for case in heldout}
    for system in systems:
        if isinstance(system, Recorded) and keys.isdisjoint(system.answers):
            raise BadInput(
                f"{file} holds no answer of {system.name!r} to any of the {len(heldout):,} held-out cases. Answers are found by "
                "their input: write each `input` as it stands in the held-out case, letter by letter."
            )


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{where}: not JSON ({error}). Write one JSON object a line.") from None
    if not isinstance(row, dict) or not isinstance(row.get("input"), str) or not isinstance(row.get("answer"), str):
        raise BadInput(f"{where}: a recorded answer needs the texts `input` and `answer`.")
    for key in row:
        if key not in ALLOWED:
            raise BadInput(f"{where}: unknown key {key!r}; allowed are {', '.join(ALLOWED)}.")
    return row


def _answer(row: dict[str, Any], where: str) -> RecordedAnswer:
    numbers = {
        key: row[key] for key in ("seconds", "prompt_tokens", "answer_tokens", "cost") if row.get(key) is not None
    }
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise BadInput(f"{where}: {key} is {value!r}; write a number of at least 0, or leave it out.")
    return RecordedAnswer(text=clean(row["answer"], where)[0], **numbers)
