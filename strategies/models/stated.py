"""What a server states in an answer, as far as it can be true: what was chosen, tokens, and what else was likely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strategies.contract import Place
from strategies.models.retry import Fault, broken_off, said_instead
from strategies.standalone.refusals import declined
from strategies.standalone.thoughts import in_words, thought_apart

MOST_TOKENS = 10_000_000
"""No model reads or writes as many at once; a count above that, or below 0, is none."""


def first_choice(answer: Any) -> Any:
    """What was answered, with its message. Raises `Fault` where there is none."""
    choices = getattr(answer, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    if (error := getattr(choice, "error", None)) or getattr(choice, "finish_reason", None) == "error":
        raise broken_off(error or getattr(answer, "error", None))
    if getattr(choice, "message", None) is not None:
        return choice
    if error := getattr(answer, "error", None):
        raise said_instead(error)
    raise Fault(message="the answer holds no choices", retry=True)


def written(message: Any) -> str:
    """The text of the answer. Raises `Fault` where it is none."""
    text = in_words(getattr(message, "content", None) or getattr(message, "refusal", None) or "")
    if text is None:
        raise Fault(message="the answer's content is not text", retry=False)
    return text


def declines(choice: Any) -> bool:
    """Whether it is a refusal, or was filtered."""
    content, refusal = (getattr(choice.message, name, None) for name in ("content", "refusal"))
    return declined(getattr(choice, "finish_reason", None), content, refusal)


def counted(stated: Any, name: str, most: int = MOST_TOKENS) -> int | None:
    """Tokens by that name; None where none are stated, or what cannot be right."""
    count = getattr(stated, name, None)
    return count if type(count) is int and 0 <= count <= most else None


def tokens(stated: Any, asked: int, answered: int) -> dict[str, int]:
    """Of prompt and answer as `Usage` has them; the estimates where the server states none, or what cannot be.

    What stands in the total and in neither part was thought: not every server counts it to the answer, and all are paid for it
    as if they did.
    """
    whole, prompt, written = (counted(stated, f"{name}_tokens") for name in ("total", "prompt", "completion"))
    details = getattr(stated, "completion_tokens_details", None)
    thought = counted(details, "reasoning_tokens")
    if whole is not None and prompt is not None and written is not None:
        apart = max(0, whole - prompt - written)
        written += apart if thought is None else min(apart, thought)
    asked = asked if prompt is None else prompt
    cached = counted(getattr(stated, "prompt_tokens_details", None), "cached_tokens", most=asked)
    return {
        "prompt_tokens": asked,
        "cached_tokens": cached or 0,
        "answer_tokens": answered if written is None else written,
    }


def thinks_apart(message: Any, stated: Any) -> bool:
    """Whether the server keeps what was thought out of the answer's text: it hands it over beside that, or counts it."""
    beside = any(getattr(message, name, None) for name in ("reasoning_content", "reasoning"))
    return (
        beside
        or thought_apart(getattr(message, "content", None))
        or bool(counted(getattr(stated, "completion_tokens_details", None), "reasoning_tokens"))
    )


def places(choice: Any, cleaned: Callable[[str], str]) -> tuple[Place, ...]:
    """What the server states of each token; nothing where a part of it is not what the interface says."""
    stated = getattr(getattr(choice, "logprobs", None), "content", None)
    try:
        return tuple(
            Place(
                chosen=cleaned(str(token.token)),
                likely={cleaned(str(each.token)): _log(each.logprob) for each in (*(token.top_logprobs or ()), token)},
            )
            for token in stated or ()
        )
    except (AttributeError, TypeError, ValueError):
        return ()


def _log(stated: Any) -> float:
    """A log-probability, rounding above 0 taken back. Raises `ValueError` for what cannot be one."""
    if not (value := float(stated)) < 0.01:
        raise ValueError(f"{value} is no log-probability")
    return min(0.0, value)
