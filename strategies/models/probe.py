"""What a tokenizer and its chat template make of one conversation: kept with a fit, and compared before the fit answers.

What was measured was measured on prompts in one form. Under another template the same fit answers otherwise, and nothing else
would show it. A change that this conversation does not touch is not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strategies.contract import Message, Prompt
from strategies.models.chat import Chat
from strategies.models.wheels import ModelUnavailable

if TYPE_CHECKING:
    from strategies.models.local import LocalModel

PROBE: Prompt = (
    Message("system", "Answer with one word. Say nothing else."),
    Message("user", "Input: Where is order 40312-B? It's 12,5 % too late…\nOutput:"),
    Message("assistant", "delivery"),
    Message("user", 'Input: {"größe": [1, 20, 300], "naïve": "日本 & co."}\n\n\tTwo   lines, <b>bold</b>\nOutput:'),
)
"""Every role, digits, signs, white space and letters of several scripts, so that most changes show."""


ANSWER = "delivery"
"""Other tokens behind a prompt than by itself count, too: answers were scored and learnt as those."""

DATE = "strftime_now"
"""By this name a template asks for today's date."""


def probed(here: LocalModel | None) -> dict[str, Any] | None:
    """What the model makes of `PROBE`, in plain values; None where there is none in this process (`served.at_hand`)."""
    return None if here is None else _of(here.chat, PROBE)


def must_render_alike(kept: Mapping[str, Any] | None, here: LocalModel | None) -> None:
    """Raises `ModelUnavailable` where the model makes something else of the conversation than when `kept` was written."""
    if kept is None or here is None:
        return
    now = _of(here.chat, tuple(Message(turn["role"], turn["content"]) for turn in kept["messages"]))
    if now["digest"] != kept["digest"]:
        raise ModelUnavailable(
            f"The chat template or the tokenizer of {here.name} is not the one that this was fitted with: a test conversation "
            f"{_told(now['tokens'], kept['tokens'])}. Put the former one back, or fit again."
        )


def must_count_alike(here: LocalModel, stated: int | None) -> None:
    """Raises `ModelUnavailable` where a server states another number of tokens for `PROBE` than there are in it here; a server
    that states none, or another form of the same length, is not seen through."""
    tokens = here.count(PROBE)
    if stated is not None and stated != tokens and not _dated(here.chat):
        raise ModelUnavailable(
            f"The server writes prompts for {here.name} in another form than they are trained on here: it counts {stated} tokens "
            f"in a test conversation of {tokens}. Start it with the chat template and the tokenizer of the model's own folder."
        )


def _dated(chat: Chat) -> bool:
    """Whether the template writes today's date, so that the same conversation becomes other tokens tomorrow."""
    return DATE in str(chat.tokenizer.chat_template)


def _told(now: int, before: int) -> str:
    return "becomes other tokens now" if now == before else f"has {now} tokens now and had {before}"


def _of(chat: Chat, probe: Prompt) -> dict[str, Any]:
    """`strategies/standalone/alone.py` makes the same digest: of the tokens up to where the answer begins, of the one that ends
    it, and of an answer where it goes on from prompts in a way of its own; of a template with a date in it those of its own
    text and of what is said."""
    dated = _dated(chat)
    texts = [str(chat.tokenizer.chat_template), *(turn.content for turn in probe)]
    ids = chat.encode_text("\n".join(texts)) if dated else chat.encode(probe)
    answer = chat.encode_label(ANSWER)
    said = [chat.end_id, *(answer if answer != chat.encode_text(ANSWER) else ())]
    return {
        "messages": [{"role": turn.role, "content": turn.content} for turn in probe],
        "closed": list(chat.closed),
        **({"template": chat.served_template} if chat.served_template else {}),
        "tokens": len(ids),
        "digest": hashlib.sha256(" ".join(map(str, [*ids, *said])).encode()).hexdigest(),
    }
