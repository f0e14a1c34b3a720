"""What a server says where it gives no answer, in whatever shape it says it. It goes along with exports that ask a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

READ, MOST, DEEPEST = 4_000, 8, 5
"""Characters of one text, texts of one list, and objects within each other that are looked at."""
WORDS = ("message", "error", "detail", "msg")
"""Where servers put what went wrong, as a text, an object or a list: OpenAI's object `error`, xAI's text of that name,
Gemini's list, FastAPI's `detail`, Mistral's `message` around that."""
UNSUPPORTED = ("unsupported_parameter", "unsupported_value")
"""Codes of a refusal that names a parameter: as such, or with any value but its default."""
NO_SUCH_PLACE = "unexpected endpoint"
"""LM Studio says so with status 200, where the address lacks its version."""
_OF_WHAT_IT_HOLDS = re.compile(
    r"moderation|flagged|violat|usage guidelines|safety|content[ _](?:policy|filter|management)", re.IGNORECASE
)
_OF_ITS_LENGTH = re.compile("context", re.IGNORECASE)
"""Refusals of one request: for what stands in it, and for its length."""
_OF_WHO_ASKS = re.compile(
    r"account|organi[sz]ation|suspended|deactivated|your (?:resource|access|subscription|project)", re.IGNORECASE
)
_MONEY_CODES = re.compile("insufficient_(?:quota|balance|funds)|credit|billing|budget|spend_limit|usage_limit")
_MONEY = re.compile(
    r"credit balance|available credits|insufficient (?:credit|balance|funds|quota)|(?:usage|spend|spending|key|credit) limit"
    r"|plans? (?:&|and) billing|billing (?:details|hard limit|account|to be enabled|is)|budget.{0,40}exceed|exceed.{0,40}budget",
    re.IGNORECASE | re.DOTALL,
)
"""Of longer words than `billing` alone, which may be one of a task's labels. Gemini says some of them with status 429, of a limit
for a minute."""
_KEY = re.compile(
    r"(?:invalid|incorrect|wrong|expired) api.?key|api.?key (?:is )?(?:not valid|invalid|expired|not found)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_CUT_OFF = ("length", "model_length", "max_tokens", "abort")
_FILTERED = (
    *("content_filter", "safety", "refusal", "sensitive", "guardrail_intervened"),
    *("prohibited_content", "blocklist", "recitation", "spii"),
)
"""Why an answer ended, as servers say it: OpenAI, Mistral, Anthropic, vLLM; Z.ai, Bedrock; Gemini in capitals."""
_FILTER_CODES = {
    *(*_FILTERED, "content_policy_violation", "moderation_blocked", "responsibleaipolicyviolation"),
    "data_inspection_failed",
}
"""Of a refusal by a provider's filter with status 400: Azure, OpenAI, Alibaba."""
DECLINED = "the model declined to answer, or its provider kept the answer back"


class Refusal(NamedTuple):
    """`status` is the answer's, or the one that stands in an answer of status 200; `codes` are what the body calls its code, type
    and status, in small letters; `parameter` is the one that is refused, where a code says that one is."""

    said: str
    status: int
    codes: tuple[str, ...] = ()
    parameter: str = ""

    @property
    def sentence(self) -> str:
        """Without its full stop."""
        return f"status {self.status}, {self.said}" if self.said else f"status {self.status}"


def cut_off(reason: object) -> bool:
    """Whether the answer goes on behind its end, by the reason that is given for that."""
    return str(reason).lower() in _CUT_OFF


def declined(reason: object, content: object, refusal: object) -> bool:
    """Whether what was answered is none: it was filtered, or the model refuses in place of it."""
    return str(reason).lower() in _FILTERED or bool(refusal and not content)


def read(status: int, body: object) -> Refusal:
    """The refusal in the body of an answer: parsed JSON, or a text that is none."""
    levels, said = list(_levels(body)), _said(body)[:READ]
    codes = tuple(
        str(value)[:READ].lower()
        for level in levels
        for name in ("code", "type", "status")
        if isinstance(value := level.get(name), str | int)
    )
    if status == 200:
        status = next((int(code) for code in reversed(codes) if re.fullmatch("[45][0-9][0-9]", code)), status)
        status = 404 if status == 200 and NO_SUCH_PLACE in said.lower() else status
    refused = next((level for level in levels if level.get("code") in UNSUPPORTED), {})
    return Refusal(said, status, codes, str(refused.get("param") or ""))


def broken_off(error: object) -> str:
    """In words that a server began an answer and did not end it, with the error that it gives for that, if any."""
    refusal = read(200, {"error": error})
    return (
        f"the server broke the answer off ({refusal.sentence})" if refusal.said else "the server broke the answer off"
    )


def ends_all(refusal: Refusal, answered: bool) -> bool:
    """Whether every other request will be refused alike: for the key, for money that is used up, or for the address.
    `answered`: the server has answered one before.

    Status 403 is said of a key, and by some filters of a single message; 400 of both and of money.
    """
    status = refusal.status
    if status in (401, 402, 404) or _MONEY_CODES.search(" ".join(refusal.codes)):
        return True
    if status in (400, 403) and (_MONEY.search(refusal.said) or _KEY.search(refusal.said)):
        return True
    return status == 403 and (bool(_OF_WHO_ASKS.search(refusal.said)) or not (answered or _is_of_one(refusal)))


def is_of_one(refusal: Refusal) -> bool:
    """Whether this very request is refused for what it holds, so that asking again is of no use. A 403 that gives no reason may
    pass."""
    if ends_all(refusal, answered=True):
        return False
    return refusal.status in (400, 413, 422) or (refusal.status == 403 and _is_of_one(refusal))


def is_filtered(refusal: Refusal) -> bool:
    """Whether a provider's filter keeps this very request from the model, which is as good as an answer that is refused."""
    named = not _FILTER_CODES.isdisjoint(refusal.codes)
    return is_of_one(refusal) and (named or (refusal.status == 403 and _is_of_content(refusal)))


def blames_key(refusal: Refusal) -> bool:
    """Whether it is the key that is refused, of requests that are all refused alike."""
    if refusal.status in (401, 403):
        return not _MONEY.search(refusal.said)
    return refusal.status == 400 and bool(_KEY.search(refusal.said))


def _is_of_one(refusal: Refusal) -> bool:
    return _is_of_content(refusal) or _names(_OF_ITS_LENGTH, refusal)


def _is_of_content(refusal: Refusal) -> bool:
    return _names(_OF_WHAT_IT_HOLDS, refusal)


def _names(words: re.Pattern[str], refusal: Refusal) -> bool:
    return bool(words.search(" ".join((refusal.said, *refusal.codes))))


def parsed(text: str) -> object:
    """JSON where it is some, else the text."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError):
        return text


def _levels(body: Any) -> Iterator[Mapping[str, Any]]:
    """The object that was sent, and those in it that say more of what went wrong."""
    for _ in range(DEEPEST):
        body = body[0] if isinstance(body, list) and body else body
        if not isinstance(body, Mapping):
            return
        yield body
        body = next((body[name] for name in WORDS if isinstance(body.get(name), Mapping | list)), None)


def _said(part: object, deep: int = DEEPEST) -> str:
    """In words; empty where there are none. Of a page of HTML its text."""
    if isinstance(part, str):
        return _TAG.sub(" ", part[:READ]) if part[:READ].lstrip().startswith("<") else part[:READ]
    if isinstance(part, list) and deep:
        return "; ".join(filter(None, (_said(each, deep - 1) for each in part[:MOST])))
    if not isinstance(part, Mapping) or not deep:
        return ""
    said = next(filter(None, (_said(part.get(name), deep - 1) for name in WORDS)), "")
    where, more = part.get("loc"), part.get("metadata")
    if isinstance(where, list):  # FastAPI's: the way to a field of the request.
        said += f" ({'.'.join(str(step) for step in where[:MOST] if isinstance(step, str | int))})"
    raw = more.get("raw") if isinstance(more, Mapping) else None
    if isinstance(raw, str):  # OpenRouter's: what the provider behind it said.
        said += f" ({raw[:READ]})"
    return said
