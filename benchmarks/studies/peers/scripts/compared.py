"""How the scripts score answers while they choose: by what the study counts afterwards, in a few lines of their own."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Score = Callable[[str, Sequence[str]], float]
MOST_WORDS = 40
"""An answer with more is not looked for what it contains."""


def score_of(metric: str) -> Score:
    """(answer, accepted answers) -> a share: F1 of the fields, whether one of them stands in it, or whether it is one of them."""
    return {"field_f1": fields, "answer_contained": contained}.get(metric, same)


def same(answer: str, accepted: Sequence[str]) -> float:
    """Whether it is an accepted answer but for case, spaces, quotes and the full stop, or the same JSON in this sense."""
    return float(any(_equal(answer, one) for one in accepted))


def fields(answer: str, accepted: Sequence[str]) -> float:
    """F1 over paths and values of the JSON, of the accepted answer that is nearest."""
    given = leaves_of(answer) or {}
    shared = [(one, len(given.items() & one.items())) for one in map(leaves_of, accepted) if one]
    return max((2 * both / (len(one) + len(given)) for one, both in shared), default=0.0)


def contained(answer: str, accepted: Sequence[str]) -> float:
    """Whether one of them is a run of words of an answer that is not long, without punctuation and articles."""
    given = words(answer)
    if len(answer.split()) > MOST_WORDS:
        return 0.0
    return float(any(f" {' '.join(words(one))} " in f" {' '.join(given)} " for one in accepted if words(one)))


def words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(letter for letter in folded if not unicodedata.category(letter).startswith(("P", "S")))
    return [word for word in kept.split() if word not in ("a", "an", "the")]


def leaves_of(text: str) -> Mapping[str, str] | None:
    """Path -> value of a JSON object or array; None for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return dict(_leaves(value, ())) if isinstance(value, dict | list) else None


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, key))
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        yield repr(path), f"text {plain(value)}" if isinstance(value, str) else repr(float(value) if number else value)


def _equal(answer: str, accepted: str) -> bool:
    wanted = leaves_of(accepted)
    return plain(answer) == plain(accepted) if wanted is None else leaves_of(answer) == wanted


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).strip("\"'`").rstrip(".").casefold()
