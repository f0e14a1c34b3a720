"""What every report format does to text before it is shown: invisible and steering characters go, the words stay."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from advisor.contract import Story

RECORDED = "Recorded run: these results were stored earlier and are shown again. Nothing was measured just now."
"""What every format says of a story that is `recorded`."""

_STEERING = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # terminal control sequences: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b\x9c\n]{0,2000}(?:\x07|\x1b\\|\x9c)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]"  # the other escapes
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # control codes, line feed and tab excepted
    r"|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2060-\u2064\u3164\ufeff\uffa0]"
    r"|[\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]"  # direction and annotation
    r"|[\ufdd0-\ufdef\ufffe\uffff]"  # no characters, and no XML may hold the last two
    r"|[\U000e0000-\U000e0fff]"  # tags and the variation selectors that can carry hidden text
)
"""Sequences that begin with ESC go as a whole. The same in one code (C1) are more often UTF-8 that was read as Latin-1, with
words between them, so only the code goes."""
_JOINERS = re.compile("([^\x00-\x7f\u200c\u200d]?)([\u200c\u200d])[\u200c\u200d]*")
"""Joiners with what stands before them: one is kept inside the scripts and emoji that need it, none elsewhere."""
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without terminal escapes, control, zero-width, direction and tag characters.

    Line ends become line feeds; tabs stay. Half a character (a lone surrogate) becomes U+FFFD. Escaping for a format
    is the format's own work and comes afterwards. Cleaning twice changes nothing more.
    """
    if text.isascii() and text.isprintable():
        return text  # As most are; nothing below would find anything in it.
    words = _STEERING.sub("", _HALF_CHARACTERS.sub("\ufffd", _LINE_ENDS.sub("\n", text)))
    return _JOINERS.sub(lambda found: found[0][:2] if found[1] else "", words)


def one_line(text: str) -> str:
    """The cleaned text on one line: every run of white space is one space."""
    return " ".join(clean(text).split())


def shortened(text: str, characters: int) -> str:
    """The text, cut after `characters` with an ellipsis where it is longer."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "\u2026"


def cleaned(story: Story) -> Story:
    """The story with every text in it cleaned, keys and facts included."""
    safe: Story = _cleaned(story)
    return safe


def _cleaned(value: Any) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return clean(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {field.name: _cleaned(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **named)
    if isinstance(value, Mapping):
        return _cleaned_mapping(value)
    if isinstance(value, tuple | list):
        return type(value)(_cleaned(item) for item in value)
    return value


def _cleaned_mapping(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Two keys that look the same once cleaned are told apart by a number, so that no entry is lost."""
    kept: dict[Any, Any] = {}
    for key, value in mapping.items():
        name = safe = _cleaned(key)
        count = 2
        while name in kept:
            name, count = f"{safe} ({count})", count + 1
        kept[name] = _cleaned(value)
    return kept
