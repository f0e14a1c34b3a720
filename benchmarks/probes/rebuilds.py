"""Rebuilds: the whole fit done again, each time on other examples and with another seed, and how far the answers move.

A rebuild gets a random four fifths of the examples, without replacement. A bootstrap would hold examples twice: they would
stand on both sides of a fold, and every choice would be made on cases that were learnt. Groups of near-duplicates go in or
stay out as a whole, since a case that is left out would live on in its twin, and the folds are cut anew, as for any other
set of examples. Two rebuilds share about four fifths of their examples: as if a fifth had been exchanged in between.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.checked import Rebuilds
from benchmarks.contract import Row
from benchmarks.data.split import cut_folds
from benchmarks.statistics.grouping import Floats, group_codes
from benchmarks.storage.outcomes import text_of
from strategies.answers import is_lost
from strategies.contract import Case, Task

SHARE = 0.8
"""Of the examples that a rebuild gets."""
FEWEST = 10
"""Examples below which nothing is rebuilt."""
RIGHT = 0.999


def size(examples: int) -> int:
    """How many of them a rebuild gets; 0 where there are too few."""
    return round(SHARE * examples) if examples >= FEWEST else 0


def resampled(task: Task, seed: int) -> Task:
    """The task with a seeded sample of its examples in whole groups, and with folds cut anew."""
    cases = _sampled(task.examples, random.Random(f"rebuild {seed}"))
    return replace(task, folds=cut_folds(cases, task.kind, seed))


def _sampled(cases: Sequence[Case], dice: random.Random) -> list[Case]:
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.group or f"\0{case.id}"].append(case)
    chosen: set[str] = set()
    for members in dice.sample(list(groups.values()), len(groups)):
        if len(chosen) + len(members) <= size(len(cases)):
            chosen |= {case.id for case in members}
    if len(chosen) < size(len(cases)) // 2:  # One group is larger than the sample: single cases are all there is.
        chosen = {case.id for case in dice.sample(list(cases), size(len(cases)))}
    return [case for case in cases if case.id in chosen]


# ---------------------------------------------------------------- what came out


def rebuilds(rows: Sequence[Row], finished: int, waiting: int = 0) -> Rebuilds | None:
    """From the answers of one candidate and how many of its rebuilds are done, and how many a fault outside of them ended; None
    where nothing was rebuilt."""
    answers: dict[int, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        answers[int(row.variant)][row.key] = row
    if not finished + waiting:
        return None
    draws = sorted(answers)
    lost = {row.key for row in rows if is_lost(row.outcome)}
    keys = tuple(key for key in answers[draws[0]] if key not in lost) if draws else ()
    return Rebuilds(
        keys=keys,
        draws=tuple(draws),
        scores=tuple(tuple(answers[draw][key].score for key in keys) for draw in draws),
        same=tuple(
            tuple(_same(answers[one][key], answers[other][key]) for key in keys)
            for one, other in combinations(draws, 2)
        ),
        failed=finished - len(draws),
        waiting=waiting,
    )


def _same(one: Row, other: Row) -> bool:
    """Right twice counts as the same, as in every check of consistency."""
    if _right(one.score) and _right(other.score):
        return True
    return _right(one.score) == _right(other.score) and text_of(one.outcome).strip() == text_of(other.outcome).strip()


def _right(score: float) -> bool:
    return score >= RIGHT


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share, or a difference of two, over pairs of rebuilds; the 95 % interval is for other cases and other rebuilds."""

    mean: float
    lower: float | None
    """None with fewer than three rebuilds: how far they differ cannot be told from a single pair."""
    upper: float | None


def kept(found: Rebuilds, groups: Mapping[str, str]) -> Share:
    """The share of answers that are the same in two rebuilds. `groups`: case -> its group."""
    return _within(over_pairs(np.array(found.same, dtype=np.float64), found.draws, _codes(found.keys, groups)), 0.0)


def turns(found: Rebuilds) -> tuple[float, float, float]:
    """Shares of (right twice, wrong twice, right once) over all pairs of rebuilds and cases."""
    right = np.array(found.scores) >= RIGHT
    pairs = [(right[one], right[other]) for one, other in combinations(range(len(right)), 2)]
    twice = float(np.mean([one & other for one, other in pairs]))
    never = float(np.mean([~one & ~other for one, other in pairs]))
    return twice, never, float(np.mean([one ^ other for one, other in pairs]))


def spread(found: Rebuilds) -> tuple[float, float, float]:
    """Standard deviation of the figure between rebuilds, on the cases that were asked, with its 95 % interval.

    By the chi-square distribution: for figures that vary as a normal distribution does. (0, 0, 0) where none moved.
    """
    deviation, free = round(float(np.std(found.figures, ddof=1)), 12), len(found.figures) - 1
    low, high = (math.sqrt(free / float(special.chdtri(free, 1 - level))) for level in (0.975, 0.025))
    return deviation, low * deviation, high * deviation


def steadier(tuned: Rebuilds, prompted: Rebuilds, groups: Mapping[str, str]) -> Share | None:
    """By how much more of its answers the tuned one keeps than the other, on the same cases and the same samples.

    The two are to differ in nothing but that one is tuned: with retrieval an approach keeps more of its answers, tuned or not.
    None with fewer than three samples that both were built from.
    """
    draws = sorted(set(tuned.draws) & set(prompted.draws))
    shared = set(prompted.keys)
    keys = tuple(key for key in tuned.keys if key in shared)
    if len(draws) < 3 or not keys:
        return None
    one, other = (_pairs(each, draws, keys) for each in (tuned, prompted))
    return _within(over_pairs(one - other, draws, _codes(keys, groups)), -1.0)


def _within(share: Share, least: float) -> Share:
    """With an interval that does not leave what is possible; Student's t knows of no bounds."""
    if share.lower is None or share.upper is None:
        return share
    return replace(share, lower=max(least, share.lower), upper=min(1.0, share.upper))


def _pairs(found: Rebuilds, draws: Sequence[int], keys: Sequence[str]) -> Floats:
    """(pairs of the draws, cases)."""
    places = {key: place for place, key in enumerate(found.keys)}
    rows = dict(zip(combinations(found.draws, 2), found.same, strict=True))
    return np.array([[rows[pair][places[key]] for key in keys] for pair in combinations(draws, 2)], dtype=np.float64)


def over_pairs(values: Floats, draws: Sequence[int], codes: NDArray[np.intp]) -> Share:
    """The mean of `values` (pairs of rebuilds, cases), with an interval by Student's t.

    The variance is that between groups of cases plus that of leaving out one rebuild at a time (a jackknife, which is rather
    too wide for so few); degrees of freedom after Welch and Satterthwaite. `codes`: the group of each case.
    """
    mean = float(values.mean())
    if len(draws) < 3:
        return Share(mean=mean, lower=None, upper=None)
    pairs = list(combinations(range(len(draws)), 2))
    without = [values[[draw not in pair for pair in pairs]].mean() for draw in range(len(draws))]
    between = (len(draws) - 1) / len(draws) * float(np.square(np.array(without) - np.mean(without)).sum())
    away = np.bincount(codes, weights=values.mean(axis=0) - mean)
    several = max(2, len(away))
    among = several / (several - 1) * float(np.square(away).sum()) / values.shape[1] ** 2
    if between + among == 0:
        return Share(mean=mean, lower=mean, upper=mean)
    free = (between + among) ** 2 / (between**2 / (len(draws) - 1) + among**2 / (several - 1))
    half = float(special.stdtrit(free, 0.975)) * math.sqrt(between + among)
    return Share(mean=mean, lower=mean - half, upper=mean + half)


def _codes(keys: Sequence[str], groups: Mapping[str, str]) -> NDArray[np.intp]:
    return group_codes([groups.get(key, "") for key in keys], len(keys))
