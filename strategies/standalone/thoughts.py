"""What a model thought before it answered, taken out of what it wrote. It goes along with exports that ask a server."""

from __future__ import annotations

BEGINS, ENDS = "<think>", "</think>"
"""As open models mark it (Qwen, DeepSeek, and others after them) where their server leaves it in the answer."""

THINKING = ("thinking", "reasoning")
"""How parts of an answer are called that are none of it (Mistral)."""


def in_words(content: object) -> str | None:
    """The text of an answer: as it stands, or of a list of parts those that are text, none where all are thoughts. None: it has
    another form."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return None
    texts = [part.get("text") for part in content if part.get("type") not in THINKING]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None


def thought_apart(content: object) -> bool:
    """Whether thoughts are parts of their own."""
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in THINKING for part in content
    )


def without_thoughts(text: str, cut_off: bool = False) -> str:
    """The answer alone; empty where the thoughts were cut off before it. Some chat templates open the thoughts themselves, so
    that only their end is written. `cut_off`: without that end, all of it was thought."""
    _, ended, answer = text.rpartition(ENDS)
    if ended:
        return answer.lstrip()
    return "" if cut_off or text.lstrip().startswith(BEGINS) else text
