"""So many of so many cases, where cases of one group depend on each other: counts by group, and bounds on the share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.checked import ByGroup
from benchmarks.statistics.confidence import (
    clopper_pearson_lower,
    clopper_pearson_upper,
    lower_bound,
    shown_interval,
    upper_bound,
    wilson,
)
from benchmarks.statistics.grouping import Floats, group_codes, totals
from strategies.contract import Case


def by_group(cases: Sequence[Case], counts: Iterable[bool]) -> ByGroup:
    """`counts`: of each case, whether it is counted; not looked at where no two of the cases share a group."""
    codes = group_codes([case.group for case in cases], len(cases))
    if len(set(codes.tolist())) == len(cases):
        return ()
    found, sizes = totals(np.array([*counts], dtype=np.float64), codes)
    return tuple((int(count), int(of)) for count, of in zip(found, sizes, strict=True))


def lower(count: int, of: int, groups: ByGroup, level: float) -> float:
    """One-sided lower bound on the share that `count` of `of` cases have: exact where every case stands alone."""
    return lower_bound(*_cases(groups), level) if groups else clopper_pearson_lower(count, of, level)


def upper(count: int, of: int, groups: ByGroup, level: float) -> float:
    """One-sided upper bound on the share, made like `lower`."""
    return upper_bound(*_cases(groups), level) if groups else clopper_pearson_upper(count, of, level)


def interval(count: int, of: int, groups: ByGroup) -> tuple[float, float]:
    """The two-sided 95 % interval of the share, of these two bounds."""
    return lower(count, of, groups, 0.025), upper(count, of, groups, 0.025)


def shown(count: int, of: int, groups: ByGroup) -> tuple[float, float]:
    """The two-sided 95 % interval that is drawn: Wilson's, and with groups that of `statistics.shown_interval`."""
    return shown_interval(*_cases(groups)) if groups else wilson(count, of)


def _cases(groups: ByGroup) -> tuple[Floats, list[int]]:
    """(1 for each case that is counted and 0 for the others, number of its group)."""
    marks = [mark for count, of in groups for mark in [1.0] * count + [0.0] * (of - count)]
    return np.array(marks), [place for place, (_, of) in enumerate(groups) for _ in range(of)]
