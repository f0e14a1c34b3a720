"""Reads a list that stands in one cell of a table as text: in JSON, or as pandas and numpy write it."""

from __future__ import annotations

import ast
import re
from typing import Any

from benchmarks.contract import BadInput
from benchmarks.formats.json_lines import DECODER

_SQUAD = frozenset(("text", "answer_start"))
"""Keys of the answers in SQuAD and in what is made like it."""
_ESCAPE = r"\\(?:['\"\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_TEXT = rf"""'[^'\\\n]*(?:{_ESCAPE}[^'\\\n]*)*'|"[^"\\\n]*(?:{_ESCAPE}[^"\\\n]*)*\""""
"""A text as `repr` writes it."""
_LIST = rf"(?P<list>\[\s*(?:(?:{_TEXT})(?:(?:\s*,\s*(?:{_TEXT}))*|(?:\s+(?:{_TEXT}))*))?\s*\])"
"""With commas, as Python writes it, or without any, as numpy does."""
_STARTS = r"['\"]answer_start['\"]\s*:\s*[^'\"{}]*"
_READ = (
    re.compile(_LIST),
    re.compile(
        rf"\{{\s*(?:{_STARTS},\s*)?['\"]text['\"]\s*:\s*(?:array\(\s*)?{_LIST}(?:\s*,\s*dtype=object\))?\s*"
        rf"(?:,\s*{_STARTS})?\}}"
    ),
)
_LIKE = re.compile(
    r"\[\s*['\"][^\]]*\]"
    r"|\{\s*['\"](?:text|answer_start)['\"]\s*:[^'\"\[]*\[.*\}",
    re.DOTALL,
)
"""What nobody writes as one answer, unlike "[1] see above"."""


def listed(text: str, where: str, what: str) -> Any:
    """The list in a text, the one in `{"text": [...]}` too; the text itself where it is another.

    A list is JSON, `['a', 'b']` or `['a' 'b']`. Raises `BadInput`, naming `where` and `what`, for what looks like one and cannot
    be read, such as `['a', nan]`.
    """
    cell = text.strip()
    try:
        found = DECODER.decode(cell)
    except (ValueError, RecursionError):
        return _written(cell, text, f"{where}: the {what}")
    if isinstance(found, dict) and found.keys() <= _SQUAD:
        found = found.get("text")
    return found if isinstance(found, list) else text


def _written(cell: str, text: str, whose: str) -> Any:
    """Text by text, so that nothing nests: `ast.literal_eval` of the whole would join `'a' 'b'` to one."""
    read = next(filter(None, (each.fullmatch(cell) for each in _READ)), None)
    if read is not None:
        try:
            return [ast.literal_eval(each) for each in re.findall(_TEXT, read["list"])]
        except (ValueError, SyntaxError):  # A control code, or an escape beyond the last character.
            pass
    if read is None and not _LIKE.fullmatch(cell):
        return text
    shown = cell if len(cell) <= 60 else f"{cell[:57]}..."
    raise BadInput(
        f'{whose} {shown} look like a list and cannot be read as one. Write JSON, such as ["first", "second"].'
    )
