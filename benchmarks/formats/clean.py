"""Turns a value of a data file into clean text: no invisible characters, no control codes, one kind of line end, NFC."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date, datetime
from typing import Any

from benchmarks.contract import BadInput
from strategies.standalone.reading import REMOVED, SURROGATE

_CHECKED = re.compile(
    "[\x00-\x08\x0d-\x1f\x7f-\x9f\u180e\u200b-\u200d\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str, where: str) -> tuple[str, int]:
    """The text without invisible characters and control codes, and how many were removed.

    Line ends become `\\n`, and letters with marks the one form that Unicode composes of them (NFC). Raises `BadInput`, naming
    `where`, for half a character (a lone surrogate).
    """
    text = unicodedata.normalize("NFC", text)
    if not _CHECKED.search(text):
        return text, 0
    if SURROGATE.search(text):
        raise BadInput(f"{where} holds half a character (a lone surrogate), so a text was cut. Write the text anew.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = REMOVED.sub("", text)
    return unicodedata.normalize("NFC", kept), len(text) - len(kept)


def harmless(text: str) -> str:
    """The same for a text that is only shown: half a character becomes U+FFFD."""
    return clean(SURROGATE.sub("\ufffd", text), "")[0]


def composed(value: Any) -> Any:
    """A plain value, such as a schema, with each text in it and each key as those of data are (NFC)."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {composed(key): composed(inner) for key, inner in value.items()}
    return [composed(inner) for inner in value] if isinstance(value, list) else value


def text_of(value: Any, where: str, what: str) -> str | None:
    """A value as text, None where there is none: numbers as written, lists and objects as JSON.

    Raises `BadInput`, naming `where` and `what`, for NaN, infinity and bytes.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadInput(f"{where}: {what} is {value}, which is not a value. Leave the row out, or write a text.")
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        raise BadInput(f"{where}: {what} is bytes, not a text. Store the column as text.")
    if isinstance(value, dict | list | tuple):
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
        except ValueError:
            raise BadInput(f"{where}: {what} holds NaN or infinity. Leave the row out, or write a number.") from None
    return str(value)
