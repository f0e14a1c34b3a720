"""What a model thought before it answered, taken out of what it wrote. It goes along with exports that ask a server."""

from __future__ import annotations

BEGINS, ENDS = "<think>", "</think>"
"""As open models mark it (Qwen, DeepSeek, and others after them) where their server leaves it in the answer."""


def without_thoughts(text: str, cut_off: bool = False) -> str:
    """The answer alone; empty where the thoughts were cut off before it. Some chat templates open the thoughts themselves, so
    that only their end is written. `cut_off`: without that end, all of it was thought."""
    _, ended, answer = text.rpartition(ENDS)
    if ended:
        return answer.lstrip()
    return "" if cut_off or text.lstrip().startswith(BEGINS) else text
