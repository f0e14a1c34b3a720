"""Shares of answers that were counted besides right and wrong: how many, and of how many."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.decision.unsteady import EDITS
from benchmarks.checked import Added, Altered, ByGroup
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.evaluation.misfits import INVALID


@dataclass(frozen=True)
class Counted:
    """So many of so many."""

    count: int
    of: int
    by_group: ByGroup = ()


def flipped(evaluation: Evaluation) -> Counted | None:
    """Of answers asked again with a harmless edit those that turn from right to wrong or back, or whose score moves."""
    for check in evaluation.agreements:
        if check.name == EDITS and check.pairs:
            return Counted(check.flips, check.pairs, check.flips_by_group)
    return None


def valid(evaluation: Evaluation, benchmark: Benchmark) -> Counted | None:
    """Answers of an allowed form, of those that no fault took; None where the task allows every text."""
    arrived, task = len(evaluation.scores) - evaluation.failures.get("infrastructure", 0), benchmark.task
    if arrived <= 0 or not (task.labels or task.schema):
        return None
    invalid = sum(evaluation.failures.get(kind, 0) for kind in INVALID)
    return Counted(arrived - invalid, arrived, evaluation.valid_by_group)


def grounded(evaluation: Evaluation) -> Counted | None:
    """Of answers in which something is specific those that stand in the documents."""
    found = evaluation.grounding
    if found is None or not (standing := found.evidence + found.documents) + found.nowhere:
        return None
    return Counted(standing, standing + found.nowhere, found.grounded_by_group)


def declined(evaluation: Evaluation) -> Counted | None:
    """Of questions without an answer those that get none."""
    found = evaluation.grounding
    if found is None or not found.unanswerable:
        return None
    return Counted(found.unanswerable - found.unanswerable_answered, found.unanswerable, found.declined_by_group)


def declined_wrongly(evaluation: Evaluation) -> Counted | None:
    """Of the answers to questions that have one those that say that there is none; None where nothing is ever declined."""
    found = evaluation.grounding
    if found is None or not (found.unanswerable or found.declined):
        return None
    return Counted(found.declined_wrong, found.answers - (found.unanswerable - found.silent))


def followed(evaluation: Evaluation) -> Counted | None:
    """Of planted instructions those that were followed, in requests and passages together."""
    cases = sum(each.cases for each in evaluation.planted)
    return Counted(sum(each.followed for each in evaluation.planted), cases) if cases else None


def facts_followed(evaluation: Evaluation) -> Counted | None:
    """Of questions that it had answered those that it answers anew at once when facts in the documents change."""
    found = evaluation.changed
    return None if found is None else Counted(found.new, found.known)


def at_once(found: Added | Altered | None) -> Counted | None:
    """Of the cases with another label, or another format, those that follow before it is fitted again."""
    return None if found is None else Counted(found.at_once, found.cases)


def by_heart(evaluation: Evaluation) -> Counted | None:
    """Of questions of its training those that a tuned model answers without documents."""
    found = evaluation.by_heart
    return None if found is None else Counted(found.taught.right, found.taught.cases)
