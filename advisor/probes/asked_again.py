"""Whether the same artifact gives the same answer when it is asked again: a table, and how often answers flip."""

from __future__ import annotations

import math
from dataclasses import dataclass

from advisor.decision import shares
from advisor.decision.shares import Counted
from advisor.drawn import Table
from advisor.figures.consistency import of_parts_alone, same
from advisor.material import Material
from advisor.wording import NONE, counted, listed, percent
from benchmarks.checked import Agreement
from benchmarks.statistics.counted import shown


def consistency_table(material: Material) -> Table:
    """Whether the same artifact gives the same answer twice, together with right and wrong."""
    rows = []
    explained: dict[str, str] = {}
    for status in material.suitable:
        for check in material.evaluations[status.candidate].agreements:
            if check.pairs == 0:
                continue
            explained.setdefault(check.name, check.says)
            wrong = check.wrong_twice_same + check.wrong_twice_different
            counts = (check.pairs, check.right_twice, wrong, check.right_then_wrong, check.wrong_then_right)
            alpha = NONE if check.alpha is None else f"{check.alpha:.2f}"
            rows.append(
                (status.candidate, check.name, same(check), _flips(check), alpha, *(f"{count:,}" for count in counts))
            )
    columns = (
        "approach",
        "check",
        "same",
        "flips",
        "alpha",
        "pairs",
        "right twice",
        "wrong twice",
        "right, wrong",
        "wrong, right",
    )
    sentences = [f"{name.capitalize()}: {says.rstrip('.')}." for name, says in explained.items()]
    if rows:
        sentences += [_GRADED if material.benchmark.metric.graded else _FLIPS, _SAME_NOTE]
    note = " ".join([*sentences, *of_parts_alone(material), *_passes(material)])
    return Table(
        title="Consistency: the same asked again",
        columns=columns,
        rows=tuple(rows),
        note=note or "No consistency check was run.",
        numeric=tuple(range(2, 10)),
    )


_FLIPS = "Flips: pairs that turn from right to wrong or back."
_GRADED = (
    "Flips: pairs whose score moves by more than half a point, which is more than rounding; only what has the full score is "
    "called right."
)
_SAME_NOTE = (
    "In brackets the 95 % interval. Alpha: Krippendorff's, 1 for always the same answer and 0 for no more than chance; it falls "
    "where one answer is frequent."
)


def _passes(material: Material) -> list[str]:
    """How often as many draws are right as every approach has that was drawn from at all: a run may have ended before others."""
    found = {name: each.passes for name, each in material.evaluations.items() if len(each.passes) > 1}
    if not found:
        return []
    draws = min(map(len, found.values()))
    told = listed([f"{name} {percent(each[draws - 1])}" for name, each in found.items()])
    return [f"Right in each of {draws} draws at the task's temperature (pass^{draws}): {told}."]


def _flips(check: Agreement) -> str:
    """The share of pairs that flip, with its 95 % interval: `9 % (5-16)`."""
    low, high = shown(check.flips, check.pairs, check.flips_by_group)
    return f"{percent(check.flips / check.pairs)} ({percent(low).split()[0]}-{percent(high).split()[0]})"


# ---------------------------------------------------------------- how far a share of flips can be trusted


@dataclass(frozen=True, kw_only=True)
class Reach:
    """On how many pairs the flips of all approaches rest, and how far the truth may lie from them."""

    fewest: int
    most: int
    within: float
    """The furthest that an end of a 95 % interval lies from its share, rounded up to whole points; as a share."""


def reach(material: Material) -> Reach | None:
    """None where no edits were asked."""
    found = [flips for each in material.suitable if (flips := shares.flipped(material.evaluations[each.candidate]))]
    if not found:
        return None
    asked = [each.of for each in found]
    return Reach(fewest=min(asked), most=max(asked), within=math.ceil(100 * max(map(_furthest, found))) / 100)


def _furthest(found: Counted) -> float:
    share, (low, high) = found.count / found.of, shown(found.count, found.of, found.by_group)
    return max(share - low, high - share)


def of_so_many(material: Material) -> str:
    """A sentence on that for a note, with a space before it; empty where no edits were asked."""
    found = reach(material)
    if found is None:
        return ""
    pairs = counted(found.most, "pair")
    several = pairs if found.fewest == found.most else f"{found.fewest:,} to {pairs}"
    points = round(100 * found.within)
    return f" Flips are shares of {several}, whose 95 % intervals reach {points} points to either side at most."
