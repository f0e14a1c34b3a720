"""Which examples a request shows, in what order, and with which passages."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from strategies.contract import Case, Evidence, Task
from strategies.retrieval.named import Named, in_words, stand_in

SPARE = 4
"""Times as many examples are looked at as are shown, where each is to come with a passage that holds its answer."""
ALIKE = 8
"""Times as many, where each is to have a label of its own: the nearest are often all of one."""

T = TypeVar("T")


class Shown(NamedTuple):
    """An example with the passages that are shown above its question."""

    case: Case
    evidence: tuple[Evidence, ...] = ()


def drawn(cases: Sequence[Case], seed: int) -> list[Case]:
    """The cases in an order drawn with the seed, whatever order they came in."""
    order = sorted(cases, key=lambda case: case.id)
    random.Random(seed).shuffle(order)
    return order


def balanced(cases: Sequence[Case], labelled: bool) -> list[Case]:
    """One of each label after the other; without labels, of each length of the answers."""
    kinds: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        kinds[case.output if labelled else str(len(case.output) // 20)].append(case)
    longest = max(map(len, kinds.values()), default=0)
    return [row[turn] for turn in range(longest) for row in kinds.values() if turn < len(row)]


def parted(cases: Sequence[Case], names: Sequence[str]) -> tuple[list[Case], list[Case]]:
    """Those of these ids, in the order of the ids, and the others in their own."""
    known = {case.id: case for case in cases}
    return [known[name] for name in names if name in known], [case for case in cases if case.id not in names]


def varied(cases: Sequence[Case]) -> list[Case]:
    """The first of each label first, then the others, each in their order."""
    first = {case.output: case for case in reversed(cases)}
    return sorted(cases, key=lambda case: case is not first[case.output])


def reordered(shown: Sequence[T], order: int) -> list[T]:
    """As they stand (0), the other way round (-1), or shuffled with the seed `order`."""
    if order > 0:
        return random.Random(order).sample(shown, len(shown))
    return list(shown)[:: order or 1]


Founded = Callable[[Shown], bool]
"""Whether the passages of a case are those that its answer rests on."""


def founded(task: Task, named: Named) -> Founded:
    """How that is told. The words of a label may stand anywhere, so there it takes a document that the case names; answers to
    questions are their own proof, in the documents that the case names where these hold them; for other texts either will do.

    A copy of a document counts as the document.
    """
    if task.labels:
        return partial(names, named)
    if task.kind == "qa":
        return partial(_bears_out, named)
    return lambda shown: names(named, shown) or holds(shown)


def well_founded(shown: Sequence[Shown], standing: Sequence[str], tell: Founded) -> list[Shown]:
    """Those whose answer rests on their passages or is a standing one first: the others teach to answer from nowhere."""
    return sorted(shown, key=lambda one: one.case.output not in standing and not tell(one))


def names(named: Named, shown: Shown) -> bool:
    """Whether a passage is of a document that the case names."""
    return any(named.is_of(shown.case, item.document_id) for item in shown.evidence)


def holds(shown: Shown) -> bool:
    """Whether a passage has an accepted answer of the case among its words, whatever the punctuation."""
    return stand_in(shown.case.accepted, [in_words(item.text) for item in shown.evidence])


def _bears_out(named: Named, shown: Shown) -> bool:
    """Whether a passage holds the answer; one of a document that the case names where these hold it, since many hold a "5"."""
    if not holds(shown) or not named.hold(shown.case):
        return holds(shown)
    own = tuple(item for item in shown.evidence if named.is_of(shown.case, item.document_id))
    return holds(shown._replace(evidence=own))
