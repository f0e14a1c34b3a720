"""Reads chat messages, as in files for fine-tuning, as one input and the answer that is wanted for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.contract import BadInput

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}


@dataclass(frozen=True)
class Exchange:
    """What was said to the model, what it should answer, and the system message, which the instruction replaces."""

    input: str
    output: str
    system: str


def exchange_of(messages: Any, where: str) -> Exchange:
    """One exchange from a list of messages that ends with the assistant's. Raises `BadInput`, naming `where`."""
    turns = _turns(messages, where)
    if not turns or turns[-1][0] != "assistant":
        raise BadInput(
            f"{where}: the chat does not end with a message of the assistant. Add the answer that is wanted."
        )
    return Exchange(_joined([turn for turn in turns[:-1] if turn[0] != "system"], where), turns[-1][1], _system(turns))


def prompt_text(value: Any, where: str) -> Any:
    """A prompt that may be a list of messages, as text; anything else as it is."""
    if not _is_messages(value):
        return value
    return _joined([turn for turn in _turns(value, where) if turn[0] != "system"], where)


def system_text(value: Any, where: str) -> str:
    """The system messages of a prompt or an output that is a list of messages, which neither takes along; else empty."""
    return _system(_turns(value, where)) if _is_messages(value) else ""


def answer_text(value: Any, where: str) -> Any:
    """An output that may be a list of messages, as in preference data: what the assistant says last; anything else as it is.

    Raises `BadInput`, naming `where`, for messages of which none is the assistant's.
    """
    if not _is_messages(value):
        return value
    said = [text for role, text in _turns(value, where) if role == "assistant"]
    if not said:
        raise BadInput(f"{where}: the output is a list of messages, and none is the assistant's. Write the answer.")
    return said[-1]


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "content" in one for one in value)


def _system(turns: list[tuple[str, str]]) -> str:
    return "\n\n".join(text for role, text in turns if role == "system")


def _turns(messages: Any, where: str) -> list[tuple[str, str]]:
    if not isinstance(messages, list):
        raise BadInput(f'{where}: messages is not a list. Write [{{"role": "user", "content": "..."}}, ...].')
    return [_turn(message, where) for message in messages]


def _turn(message: Any, where: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise BadInput(f"{where}: a message is not an object. Write a role and a content for each message.")
    role = str(message.get("role", message.get("from", "")))
    if role not in _ROLES:
        raise BadInput(f'{where}: a message has the role "{role[:30]}"; system, user and assistant are read.')
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        content = "\n".join(_part(part, where) for part in content)
    if not isinstance(content, str):
        raise BadInput(f"{where}: a message has no text as its content. Leave out chats with tool calls.")
    return _ROLES[role], content


def _part(part: Any, where: str) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise BadInput(f"{where}: a message holds something other than text. Only texts are read.")


def _joined(turns: list[tuple[str, str]], where: str) -> str:
    if not turns:
        raise BadInput(f"{where}: the chat has no message of the user. Add the input.")
    if len(turns) == 1:
        return turns[0][1]
    return "\n".join(f"{role.capitalize()}: {text}" for role, text in turns)
