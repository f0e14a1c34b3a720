"""What a search that always finds the right document would bring: of all cases, or of those alone that name their document."""

from __future__ import annotations

from advisor.goal import Goal
from advisor.wording import percent
from benchmarks.checked import OfNamed
from benchmarks.contract import Benchmark, Evaluation


def with_right_documents(evaluation: Evaluation) -> str:
    """A clause that goes on after what was looked up; empty where nobody asked with the right documents."""
    if evaluation.oracle is None:
        return ""
    handed, some = "; with the right documents handed over,", evaluation.oracle_named
    if some is None:
        return f"{handed} {percent(evaluation.oracle)} would be reached"
    return f"{handed} {percent(some.given)} would be reached in {_named(some)}, and {percent(some.own)} without"


def would_bring(evaluation: Evaluation, benchmark: Benchmark) -> str:
    """A sentence; empty where it would bring nothing, or where that was not measured.

    Where cases that have an answer name no document, nobody knows what theirs would bring: whether it would be enough is not
    said then.
    """
    if evaluation.oracle is None:
        return ""
    some = evaluation.oracle_named
    own, given = (evaluation.figure, evaluation.oracle) if some is None else (some.own, some.given)
    if given - own < 0.01:
        return ""
    brings = (
        f"A search that always finds the right document would bring {evaluation.candidate} from {percent(own)} to "
        f"{percent(given)}"
    )
    if some is not None:
        return f"{brings} in {_named(some)}; what it would bring to the others is not known."
    enough = benchmark.target is not None and given >= benchmark.target
    be_enough = f"would {'' if enough else 'not '}be enough to {Goal.of(benchmark).meet_plainly}"
    return f"{brings}, which {be_enough} if these figures hold."


def _named(some: OfNamed) -> str:
    return "the one case that names its document" if some.cases == 1 else f"the {some.cases:,} cases that name theirs"
