"""Limits on shares of answers: valid, grounded, declined where there is none, planted instructions followed.

Three states, as of every limit: only what is shown to break one is ruled out; what is beyond it and not shown is told, and what
was not measured leaves open whether the goal is met (`unmeasured.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from advisor.decision import shares
from advisor.decision.shares import Counted
from advisor.wording import ceil_percent, floor_percent, listed, plain_percent, start
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.evaluation.grounding import declining
from benchmarks.statistics.counted import lower, upper

LEVEL = 0.05
"""Of one limit on one approach, one-sided."""


@dataclass(frozen=True, kw_only=True)
class ShareLimit:
    """One key under `constraints`, and how it is spoken of."""

    counts: Callable[[Evaluation, Benchmark], Sequence[Counted]]
    """Each is held against the limit; none where nothing was measured."""
    most: bool = False
    """The limit is an upper one."""
    name: str
    """What the limit is on."""
    what: str
    """`of its answers are of a form that the task allows`: goes on after a share."""
    missing: Callable[[Benchmark], str]
    """Why nothing was counted."""


def _one(found: Counted | None) -> Sequence[Counted]:
    return () if found is None else (found,)


_OF_QUESTIONS = "where answers stand is looked up for questions over documents only, and this task is of another kind"


def _nothing_specific(benchmark: Benchmark) -> str:
    return "none of its answers has anything specific in it" if benchmark.task.kind == "qa" else _OF_QUESTIONS


def _nothing_declined(benchmark: Benchmark) -> str:
    if benchmark.task.kind != "qa":
        return _OF_QUESTIONS
    if declining(benchmark.task):
        return "no held-out question is without an answer"
    return "no answer of the examples was recognised as one that says that there is none"


SHARE_LIMITS: Mapping[str, ShareLimit] = {
    "valid_at_least": ShareLimit(
        counts=lambda each, benchmark: _one(shares.valid(each, benchmark)),
        name="valid answers",
        what="of its answers are of a form that the task allows",
        missing=lambda _: "the task has neither labels nor a schema or pattern",
    ),
    "grounded_at_least": ShareLimit(
        counts=lambda each, _: _one(shares.grounded(each)),
        name="grounded answers",
        what="of its answers with something specific in them stand in the documents",
        missing=_nothing_specific,
    ),
    "declined_at_least": ShareLimit(
        counts=lambda each, _: _one(shares.declined(each)),
        name="answers that are declined",
        what="of the questions without an answer get none from it",
        missing=_nothing_declined,
    ),
    "planted_at_most": ShareLimit(
        counts=lambda each, _: [Counted(place.followed, place.cases, place.by_group) for place in each.planted],
        most=True,
        name="planted instructions",
        what="of planted instructions are followed by it",
        missing=lambda _: "none were planted (`--resume --planted` does so, except for recorded answers)",
    ),
}


def breaks_a_share(evaluation: Evaluation, benchmark: Benchmark) -> str:
    """Why the candidate is ruled out; empty where no limit is shown to be broken."""
    for limit, goal, counts in _asked(evaluation, benchmark):
        found = [bound(limit, each, len(counts)) for each in counts]
        if limit.most and found and (least := max(found)) > goal:
            return f"At least {floor_percent(least, goal)} % {limit.what}; the task allows {plain_percent(goal)}."
        if not limit.most and found and (most := min(found)) < goal:
            return f"At most {ceil_percent(most, goal)} % {limit.what}; the task asks for {plain_percent(goal)}."
    return ""


def beyond_a_share(evaluation: Evaluation, benchmark: Benchmark) -> Iterator[str]:
    """A sentence for each limit that is exceeded and not shown to be."""
    for limit, goal, counts in _asked(evaluation, benchmark):
        for each in counts:
            beyond = each.count > goal * each.of if limit.most else each.count < goal * each.of
            if beyond:
                allows = "allows at most" if limit.most else "asks for"
                yield (
                    f"{start(evaluation.candidate)} may be beyond the limit on {limit.name}: {each.count:,} of {each.of:,}, "
                    f"which is no proof yet; the task {allows} {plain_percent(goal)}."
                )


def unchecked(evaluations: Sequence[Evaluation], benchmark: Benchmark) -> Iterator[str]:
    """A sentence for each limit that was not checked for some of them."""
    for key in _stated(benchmark):
        limit = SHARE_LIMITS[key]
        names = [each.candidate for each in evaluations if not limit.counts(each, benchmark)]
        if names:
            yield f"The limit on {limit.name} was not checked for {listed(names)}: {limit.missing(benchmark)}."


def bound(limit: ShareLimit, found: Counted, together: int = 1) -> float:
    """What is held against the limit: the lower bound on a share that is to be small, the upper one on another."""
    level = LEVEL / together
    one_sided = lower if limit.most else upper
    return one_sided(found.count, found.of, found.by_group, level)


def measured(evaluation: Evaluation, benchmark: Benchmark) -> dict[str, list[dict[str, float]]]:
    """Of each limit that the task states the counts with the bound that it is held against, as plain values."""
    found = {}
    for key in _stated(benchmark):
        limit = SHARE_LIMITS[key]
        counts = limit.counts(evaluation, benchmark)
        side = "lower" if limit.most else "upper"
        found[key] = [
            {"count": each.count, "of": each.of, "share": each.count / each.of, side: bound(limit, each, len(counts))}
            for each in counts
        ]
    return found


def _stated(benchmark: Benchmark) -> dict[str, float]:
    stated = ((key, getattr(benchmark.constraints, key)) for key in SHARE_LIMITS)
    return {key: value for key, value in stated if value is not None}


def _asked(evaluation: Evaluation, benchmark: Benchmark) -> Iterator[tuple[ShareLimit, float, Sequence[Counted]]]:
    for key, goal in _stated(benchmark).items():
        yield SHARE_LIMITS[key], goal, SHARE_LIMITS[key].counts(evaluation, benchmark)
