"""A recommendation: what was decided, in words, with its reasons, what would change it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.contract import Costs, Recommendation, Status
from advisor.decision.bounds import paired
from advisor.decision.decide import decide
from advisor.decision.decided import Before
from advisor.decision.expected import suggested
from advisor.story.outlook import next_steps, otherwise, turn_of, would_change
from advisor.story.reasons import reasons
from benchmarks.contract import Benchmark, Evaluation, State
from benchmarks.costs.prices import MachinePrices


def recommend(
    evaluations: Sequence[Evaluation],
    costs: Sequence[Costs],
    benchmark: Benchmark,
    prices: MachinePrices,
    before: Before | None = None,
) -> Recommendation:
    """What `decide` decided, and what it raises, told."""
    decided = decide(evaluations, costs, benchmark, prices, before)
    order, statuses = decided.ranking.order, decided.statuses
    other, expected = otherwise(decided), suggested(decided)
    return Recommendation(
        verdict=decided.verdict,
        procedure=decided.procedure,
        choice=decided.safe if decided.verdict == "choose" else None,
        safe=decided.safe,
        cheaper_undecided=decided.unsettled if decided.safe else (),
        best=decided.best,
        statuses=tuple(statuses[name] for name in order),
        differences=paired(
            decided.named,
            [decided.evaluations[name] for name in order if has_scores(statuses[name])],
            stops_with=benchmark.stops_with,
        ),
        reasons=reasons(decided),
        would_change=would_change(decided, other),
        next_steps=next_steps(decided),
        at_targets=decided.at_targets,
        turns=tuple(turn_of(flip) for flip in other.near[0]),
        every_target=other.proven,
        in_documents=decided.expectation.in_documents,
        suggested=None if expected is None else expected.candidate,
    )


def has_scores(status: Status) -> bool:
    """True where the figures of the candidate may be used."""
    return status.state not in (State.INVALID, State.CANNOT_RUN, State.SKIPPED, State.OPEN)
