"""Finds values that stand in the input word for word: a logistic regression on words in their context, one for each field.

What slot filling was before language models, and still the cheapest way to copy a name or a number out of a text. A language
model is held to the words of the input by a pattern in the schema of its answers. An export takes this file along, so it
needs nothing of ours.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
"""Letters of scripts that put no space between words, each of which is read as a word."""
WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+|[^\w\s]")
COLUMNS = 2**15
"""Of the hashed features."""
ENOUGH = 0.6
"""Share of a field's values that must stand in their inputs for the field to be tagged."""
FEWEST = 8
"""Values that must stand in their inputs at least."""
COPIED = "x-copied"
"""In a schema: this string is a run of words of the input, of so many at most."""
LESSONS = 300_000
"""Words that a tagger learns from at most; of more texts some are taken at random. Each takes about 650 bytes of memory
while it is fitted, and 20 microseconds."""
DIGITS = 15
"""Of a whole number at most, where no example has more: words that only stand side by side are not run into one number."""
LARGEST = 4000
"""Words of an input times words of a value up to which a pattern is written; beyond, its grammar would take too long."""


def words(text: str) -> list[tuple[int, int]]:
    """Where each word or sign of the text begins and ends, in characters."""
    return [found.span() for found in WORD.finditer(text)]


def places(text: str, value: str) -> list[tuple[int, int]]:
    """(first word, last word + 1) of every occurrence of the value, letter case aside, at whole words."""
    spans = words(text)
    begins = {start: number for number, (start, _) in enumerate(spans)}
    ends = {end: number + 1 for number, (_, end) in enumerate(spans)}
    hits = re.finditer(re.escape(value), text, re.IGNORECASE) if value.strip() else ()
    return [(begins[hit.start()], ends[hit.end()]) for hit in hits if hit.start() in begins and hit.end() in ends]


def features(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[list[str]]:
    """For each word: itself, its shape and ends, its neighbours, and whether a line begins or ends with it."""
    found = [text[start:end] for start, end in spans]
    low = ["<", "<", *(word.casefold() for word in found), ">", ">"]
    shapes = ["<", "<", *map(_shape, found), ">", ">"]
    for place, (start, end) in enumerate(spans):
        here = place + 2
        before, after = text[:start].rstrip(" \t"), text[end:].lstrip(" \t")
        yield [
            *(f"{step}={low[here + step]}" for step in (-2, -1, 0, 1, 2)),
            *(f"s{step}={shapes[here + step]}" for step in (-1, 0, 1)),
            f"-21={low[here - 2]} {low[here - 1]}",
            f"12={low[here + 1]} {low[here + 2]}",
            f"p={low[here][:3]}",
            f"e={low[here][-3:]}",
            f"begins={not before or before[-1] == chr(10)}",
            f"ends={not after or after[0] == chr(10)}",
        ]


def _shape(word: str) -> str:
    """`Café` is Xx, `KB` is X, `88213` is 00000: runs of letters are shortened, digits are counted up to five."""
    kinds = re.sub(r"[^\W\d_]", lambda letter: "X" if letter[0].isupper() else "x", word)
    return re.sub(r"([Xx])\1+", r"\1", re.sub(r"\d", "0", kinds))[:5]


@dataclass(frozen=True)
class Tagger:
    """Weights of shape (COLUMNS,) and an offset: the log-odds that a word belongs to the field's value."""

    weights: Any
    offset: float
    number: bool
    """The values are whole numbers."""
    lower: bool
    """The values are written in lower case whatever the input does."""
    always: bool
    """Every example has a value, so the likeliest words are taken however unlikely they are."""
    digits: int = DIGITS
    """Of a whole number at most."""

    @classmethod
    def fit(cls, texts: Sequence[str], values: Sequence[Any], strength: float) -> Tagger:
        """`values` holds a string or number for each text, None where it has none."""
        import numpy as np

        wanted: list[int] = []
        taken = sampled(texts)
        lessons = [texts[place] for place in taken]
        for text, value in zip(lessons, [values[place] for place in taken], strict=True):
            inside = [0] * len(words(text))
            for first, last in places(text, str(value)) if value is not None else ():
                inside[first:last] = [1] * (last - first)
            wanted += inside
        weights, offset = _weighed(_matrix(lessons), wanted, strength)
        known = [value for value in values if value is not None]
        long = [len(str(abs(value))) for value in known if isinstance(value, int)]
        return cls(
            weights=weights.astype(np.float32),
            offset=offset,
            number=all(isinstance(value, int) for value in known),
            lower=all(str(value) == str(value).casefold() for value in known),
            always=len(known) == len(values),
            digits=max([DIGITS, *long]),
        )

    @property
    def manifest(self) -> dict[str, Any]:
        """Everything but the weights, in plain values."""
        kinds = {"number": self.number, "lower": self.lower, "always": self.always, "digits": self.digits}
        return {"offset": self.offset, **kinds}

    def find(self, texts: Sequence[str]) -> list[tuple[str | int | None, float]]:
        """The run of words with the greatest sum of log-odds in each text, as a value, and its share among all runs; None where
        no run is likely, and the share of that: 0 where every example has a value, or the run could not be read as one."""
        odds = _matrix(texts) @ self.weights + self.offset
        found, first = [], 0
        for text in texts:
            spans = words(text)
            here = odds[first : first + len(spans)]
            run = _best_run([float(each) for each in here])
            if run is not None and run[2] <= 0 and not self.always:
                run = None
            value = None if run is None else self._value(text, spans, run)
            unread = value is None and (run is not None or self.always)
            found.append((value, 0.0 if unread else _share(here, 0.0 if run is None else run[2])))
            first += len(spans)
        return found

    def _value(self, text: str, spans: Sequence[tuple[int, int]], run: tuple[int, int, float]) -> str | int | None:
        value = text[spans[run[0]][0] : spans[run[1] - 1][1]]
        if self.number:
            digits = re.sub(r"\D", "", value)
            sign = -1 if value.startswith("-") else 1
            return sign * int(digits) if digits and len(digits) <= self.digits else None
        return value.casefold() if self.lower else value


def sampled(texts: Sequence[str]) -> list[int]:
    """The places of the texts that a tagger learns from: all, or some at random, always the same, of `LESSONS` words in all."""
    sizes = [len(words(text)) for text in texts]
    if sum(sizes) <= LESSONS:
        return list(range(len(texts)))
    kept, total = list[int](), 0
    for place in random.Random(0).sample(range(len(texts)), len(texts)):
        total += sizes[place]
        if kept and total > LESSONS:
            break
        kept.append(place)
    return sorted(kept)


def _weighed(matrix: Any, wanted: Sequence[int], strength: float) -> tuple[Any, float]:
    """Weights and an offset; where all words are of one kind, as where an input is nothing but the value, the offset alone."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    if len(set(wanted)) < 2:
        return np.zeros(matrix.shape[1]), 1.0 if any(wanted) else -1.0
    model = LogisticRegression(C=strength, solver="liblinear", max_iter=500)
    model.fit(matrix, np.array(wanted))
    return model.coef_[0], float(model.intercept_[0])


def _best_run(odds: Sequence[float]) -> tuple[int, int, float] | None:
    """(first, last + 1, sum) of the run with the greatest sum; the single greatest where all are negative."""
    best: tuple[int, int, float] | None = None
    start, total = 0, 0.0
    for place, each in enumerate(odds):
        if total <= 0:
            start, total = place, 0.0
        total += each
        if best is None or total > best[2]:
            best = (start, place + 1, total)
    return best


def _share(odds: Any, total: float) -> float:
    """Of a run with this sum of log-odds, among all runs and none at all, whose sum is 0: each by the exponential of its sum."""
    import numpy as np

    before = np.concatenate([[0.0], np.cumsum(odds, dtype=float)])
    ending = before[1:] + np.logaddexp.accumulate(-before[:-1])  # All runs that end at a word.
    return min(1.0, float(np.exp(total - np.logaddexp.reduce(ending, initial=0.0))))


def _matrix(texts: Sequence[str]) -> Any:
    """Sparse array (words of all texts, COLUMNS)."""
    from sklearn.feature_extraction import FeatureHasher

    rows = (
        row for text in texts for row in features(text, words(text))
    )  # One after another: strings take the most room.
    last = [["empty"]]  # So that there is one at least.
    return FeatureHasher(COLUMNS, input_type="string", alternate_sign=False).transform(chain(rows, last))[:-1]


def copied(texts: Sequence[str], values: Sequence[Any]) -> bool:
    """Whether a field's values can be found in the inputs: plain strings or whole numbers, most of them word for word."""
    known = [(text, value) for text, value in zip(texts, values, strict=True) if value is not None]
    if not all(isinstance(value, str | int) and not isinstance(value, bool) for _, value in known):
        return False
    hits = sum(bool(places(text, str(value))) for text, value in known)
    return hits >= max(FEWEST, ENOUGH * len(known))


# ---------------------------------------------------------------- schemas


def for_text(schema: str, text: str) -> str:
    """The schema, as JSON text, of a request about this text: marked strings are runs of its words."""
    if COPIED not in schema:
        return schema
    ends = words(text)

    def written(leaf: Mapping[str, Any]) -> dict[str, Any]:
        most = leaf[COPIED]
        if not ends or len(ends) * most > LARGEST:
            return _without_mark(leaf)
        return {**_without_mark(leaf), "pattern": f"^({'|'.join(_runs(text, ends, most))})$"}

    return json.dumps(_replaced(json.loads(schema), written), ensure_ascii=False)


def unmarked(schema: str) -> str:
    """The schema as servers know it, which any text satisfies that satisfied it before the examples were looked at."""
    return json.dumps(_replaced(json.loads(schema), _without_mark), ensure_ascii=False) if COPIED in schema else schema


def _replaced(schema: Any, leaf: Any) -> Any:
    """The schema with what `leaf` makes of each marked string."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get(COPIED), int) and schema.get("type") == "string":
            return leaf(schema)
        return {name: _replaced(part, leaf) for name, part in schema.items()}
    return [_replaced(part, leaf) for part in schema] if isinstance(schema, list) else schema


def _without_mark(leaf: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in leaf.items() if name != COPIED}


def _runs(text: str, ends: Sequence[tuple[int, int]], most: int) -> Iterator[str]:
    """Regular expressions, one for each word: the word, and as many of the following ones as may be."""
    for first in range(len(ends)):
        pattern = ""
        for place in reversed(range(first, min(len(ends), first + most))):
            start = ends[place][0] if place == first else ends[place - 1][1]
            word = _escaped(text[start : ends[place][1]])
            pattern = f"{word}({pattern})?" if pattern else word
        yield pattern


def _escaped(text: str) -> str:
    """For a regular expression; white space by its letter, as the dialect of schemas wants it."""
    return re.escape(text).replace("\\\n", "\\n").replace("\\\r", "\\r").replace("\\\t", "\\t")
