"""Whether two sets of texts are drawn from the same place: how well a classifier tells them apart."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from benchmarks.contract import BadInput, Benchmark
from benchmarks.data.split import grouped
from benchmarks.specs.spec import Spec
from benchmarks.statistics.grouping import Floats
from benchmarks.statistics.sample_size import share_above
from strategies.contract import Case, Embedder

POPULATION, EXAMPLES, TIME = "population", "population: examples", "population: time"
"""Keys of the store under which comparisons stand: of the held-out cases with real requests and with the examples, and of
the older ones with the newer ones."""
Sets = tuple[tuple[str, str], tuple[Sequence[str], Sequence[str]]]
"""What two sets of texts are called, and the texts, of those that say the same one each."""
MOST = 1_000
"""Texts of each set that are looked at."""
SEARCHED = 10_000
"""Real requests, at most, among which those that say the same are looked for."""
FEWEST = 40
"""With fewer nothing can be told."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """How a classifier did on texts that it was not shown, half of them of each set."""

    one: str
    other: str
    """What the sets are called in a sentence."""
    texts: int
    """That it was asked about."""
    share: float
    """That it put on the right side; half of them is chance."""
    p_value: float
    """Exact, one-sided, of its being no better than chance."""

    @property
    def differ(self) -> bool:
        return self.p_value <= 0.01


def sets_to_compare(benchmark: Benchmark, traffic: Sequence[str], spec: Spec) -> Mapping[str, Sets]:
    """What there is to compare, by the key of the store. Examples only where the held-out cases have a file of their own:
    else they were cut off at random. Raises `BadInput` for a time that is neither a date nor a number."""
    heldout, time = benchmark.heldout, spec.columns.time
    asked = _one_of_each(heldout)
    found: dict[str, Sets] = {}
    if traffic:
        requests = _one_of_each(_as_cases(traffic))
        found[POPULATION] = (("these cases", f"{len(traffic):,} real requests"), (asked, requests))
    if spec.heldout is not None:
        examples = _one_of_each(benchmark.task.examples)
        found[EXAMPLES] = (("the examples", "the held-out cases"), (examples, asked))
    if time is not None:
        ordered = _one_of_each(in_time(heldout, time))
        half = len(ordered) // 2
        names = ("the older half of the held-out cases", "the newer half")
        found[TIME] = (names, (ordered[:half], ordered[half:]))
    return found


def _one_of_each(cases: Sequence[Case]) -> list[str]:
    """The first text of each group: a group stands in one set whole, so that its other texts would give the set away."""
    first: dict[str, str] = {}
    for place, case in enumerate(cases):
        first.setdefault(case.group or f"\0{place}", case.input)
    return list(first.values())


def _as_cases(requests: Sequence[str]) -> Sequence[Case]:
    """The requests, a sample where there are very many, with a group for those that say nearly the same."""
    drawn = random.Random("population").sample(list(requests), min(SEARCHED, len(requests)))
    return grouped([Case(id=f"{place}", input=text, output="") for place, text in enumerate(drawn)])


def in_time(cases: Sequence[Case], column: str) -> list[Case]:
    """Those that have a time, the oldest first. Raises `BadInput` for a time that is neither a date nor a number, and for dates
    beside numbers, which have no order."""
    known = [(case, text) for case in cases if (text := case.slices.get(column))]
    numbers = {case.id: value for case, text in known if (value := _number(text)) is not None}
    dates = {case.id: _date(text, column) for case, text in known if case.id not in numbers}
    if numbers and dates:
        date, number = (next(text for case, text in known if case.id in found)[:40] for found in (dates, numbers))
        raise BadInput(
            f'columns.time names the column "{column}", which holds dates and numbers, such as "{date}" and "{number}". Write '
            "all of them as dates, or all as numbers."
        )
    return sorted((case for case, _ in known), key=lambda case: (numbers or dates)[case.id])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str, column: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            f'columns.time names the column "{column}", which holds "{text[:40]}". Write a date such as 2026-11-27, with a time '
            "of day if you like, or a number."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def apart(
    names: tuple[str, str], texts: tuple[Sequence[str], Sequence[str]], embedder: Embedder, seed: int
) -> Apart | None:
    """Fits a logistic regression on the embeddings of one half of the texts and asks it about the other half.

    The same number of each set, distinct texts only; of those that say the same the caller keeps one. None where a set has too
    few. Source: Lopez-Paz and Oquab, arXiv 1610.06545.
    """
    rng = np.random.default_rng(seed)
    sets = [list(dict.fromkeys(each)) for each in texts]
    size = min(MOST, *map(len, sets)) // 2 * 2
    if size < FEWEST:
        return None
    drawn = [[each[place] for place in rng.permutation(len(each))[:size]] for each in sets]
    vectors: list[Floats] = [np.asarray(embedder.embed(each), dtype=np.float64) for each in drawn]
    right = _right([each[: size // 2] for each in vectors], [each[size // 2 :] for each in vectors])
    return Apart(one=names[0], other=names[1], texts=size, share=right / size, p_value=share_above(right, size, 0.5))


def _right(shown: Sequence[Floats], asked: Sequence[Floats]) -> int:
    from sklearn.linear_model import LogisticRegression

    sides = np.repeat([0, 1], [len(shown[0]), len(shown[1])])
    model = LogisticRegression(C=3.0, max_iter=2000).fit(np.vstack(list(shown)), sides)
    return sum(int(np.sum(model.predict(part) == side)) for side, part in enumerate(asked))
