"""Writes out the characters that JSON answers spell as escapes, as many programs write them: `Z\\u00fcrich`, `12\\/03`.

Answers that are held to a schema are written in plain characters, and models read and write these best. Whoever reads the JSON
reads the same value.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from benchmarks.metrics._json import read
from strategies.contract import Case
from strategies.standalone.reading import REMOVED

_JOINERS = "\u200c\u200d"
"""Which letters of Persian and parts of an emoji need between them."""
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|.)", re.DOTALL)
"""Any escape, so that none begins in the middle of another one; two halves of a character (surrogates) together."""
_QUOTED = {'"': '\\"', "\\": "\\\\"}


def written_out(case: Case) -> Case:
    """The case with outputs and alternatives in plain characters, where they are JSON objects or lists; else as it is."""
    output, answers = _plain(case.output), tuple(dict.fromkeys(map(_plain, case.answers)))
    return case if (output, answers) == (case.output, case.answers) else replace(case, output=output, answers=answers)


def _plain(text: str) -> str:
    """Every `\\uXXXX` and `\\/`; but control codes, invisible characters and halves of one stay escapes, and nothing else of
    the spelling changes."""
    if ("\\u" not in text and "\\/" not in text) or read(text, fenced=False) is None:
        return text
    return unicodedata.normalize("NFC", _ESCAPE.sub(_character, text))


def _character(found: re.Match[str]) -> str:
    escape, first, second = found[0], found[1], found[2]
    if first is None:
        return "/" if escape == "\\/" else escape
    if not "d800" <= first.lower() <= "dbff":
        following = "" if second is None else escape[6:]
        return _shown(escape[:6], chr(int(first, 16))) + following
    if second is None:
        return escape
    return _shown(escape, bytes.fromhex(first + second).decode("utf-16-be"))


def _shown(escape: str, character: str) -> str:
    half, control = "\ud800" <= character <= "\udfff", character < " "
    hidden = character not in _JOINERS and REMOVED.match(character)
    return escape if half or control or hidden else _QUOTED.get(character, character)
