"""Answers that are none: refused, declined, in no form that can be read, outside the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from advisor.wording import counted, listed
from benchmarks.contract import Evaluation
from benchmarks.evaluation.misfits import OUTSIDE

_MANY_UNREADABLE = 0.05
_NO_ANSWER = {"unparsable": "in no form that can be read", "abstained": "without an answer"}
"""How kinds of `no_answers` are told where their name does not say it."""


def no_answers(evaluation: Evaluation) -> dict[str, int]:
    """How many of its answers were none, and count as not right, by kind."""
    kinds = ("refused", "unparsable", "abstained", OUTSIDE)
    return {kind: rows for kind in kinds if (rows := evaluation.failures.get(kind, 0))}


def of_answers(evaluations: Mapping[str, Evaluation], order: Sequence[str], named: str | None) -> list[str]:
    """Answers that were none, and inputs that were cut, where they are many or concern the named candidate."""
    found = []
    for name in order:
        evaluation = evaluations[name]
        total = len(evaluation.scores)
        lost = no_answers(evaluation)
        rows = sum(lost.values())
        if total and (rows > _MANY_UNREADABLE * total or (rows and name == named)):
            kinds = listed([f"{count:,} {_NO_ANSWER.get(kind, kind)}" for kind, count in lost.items()])
            found.append(f"{rows:,} of {counted(total, 'answer')} by {name} count as not right: {kinds}.")
        cut = evaluation.failures.get("truncated", 0)
        if total and (cut > _MANY_UNREADABLE * total or (cut and name == named)):
            found.append(f"For {name}, {cut:,} of {total:,} inputs or answers were cut at the length limit.")
    return found
