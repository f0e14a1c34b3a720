"""ShareGPT chats: every answer of the assistant is an example, with the talk before it as its input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats import json_file
from benchmarks.formats.record import Record

ASSISTANT = ("gpt", "assistant", "model", "chatgpt", "bing", "bard")


def records(path: Path) -> Iterator[Record]:
    """Yields one record an answer; answers of one conversation are a group, so that they stay on one side of every cut."""
    for place, values in json_file.records(path):
        said: list[str] = []
        for number, (who, text) in enumerate(_turns(values, f"{path.name}, {place}"), start=1):
            if who in ASSISTANT and said:
                group = str(values.get("id", place))
                yield Record(f"{place}, turn {number}", {"input": "\n".join(said), "output": text, "group": group})
            if who != "system":
                said.append(f"{'Assistant' if who in ASSISTANT else 'User'}: {text}")


def _turns(values: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    conversation = values.get("conversations")
    if not isinstance(conversation, list):
        raise BadInput(f"{where} has no list of conversations. Write the turns under `conversations`.")
    for turn in conversation:
        if not (isinstance(turn, dict) and isinstance(turn.get("from"), str) and isinstance(turn.get("value"), str)):
            raise BadInput(f"{where}: a turn is no object with `from` and `value`. Correct it.")
        yield turn["from"].lower(), turn["value"]
