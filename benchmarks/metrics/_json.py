"""Reading JSON out of an answer, and comparing what was read."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.metrics._words import plain

MAX_CHARACTERS = 200_000
MAX_DEPTH = 100
_FENCE = re.compile(r"\A```[a-zA-Z]*[ \t]*\r?\n(.*)\n?```\Z", re.DOTALL)


@dataclass(frozen=True)
class Parsed:
    """A JSON object or array that was read from a text."""

    value: Any


def read(text: str, fenced: bool = True) -> Parsed | None:
    """The object or array that the whole text is, inside one code fence if `fenced`; None for anything else.

    Letters with marks are read in one form (NFC), keys too. NaN, Infinity, numbers beyond a float, more than 100 levels and more
    than 200,000 characters are not read.
    """
    text = text.strip()
    if len(text) > MAX_CHARACTERS:
        return None
    text = unicodedata.normalize("NFC", text)
    fence = _FENCE.match(text) if fenced else None
    try:
        value = json.loads(fence.group(1) if fence else text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return Parsed(value) if isinstance(value, dict | list) and _shallow(value) else None


def same(first: Any, second: Any, case_sensitive: bool = False) -> bool:
    """Whether two parsed values are equal: numbers by value, strings by their normal form, keys as they are in any order."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key], case_sensitive) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same(one, other, case_sensitive) for one, other in pairs)
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        return False
    return leaf(first, case_sensitive) == leaf(second, case_sensitive)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], tuple[str, Any]]]:
    """(path, value) of every leaf; an empty object or array is a leaf, and list items are named by position."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for position, inner in enumerate(value):
            yield from leaves(inner, (*path, position))
    else:
        yield path, leaf(value)


def leaf(value: Any, case_sensitive: bool = False) -> tuple[str, Any]:
    """A leaf in a form that can be compared: true is not 1, "12" is not 12, and 12.0 is 12."""
    if isinstance(value, bool):
        return "switch", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, str):
        return "text", plain(value, case_sensitive)
    return "other", repr(value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is beyond a float")
    return value


def _shallow(value: Any) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return False
        level = [inner for item in level if isinstance(item, dict | list) for inner in _inside(item)]
    return True


def _inside(item: Any) -> Iterator[Any]:
    yield from item.values() if isinstance(item, dict) else item
