"""How many rewordings `advisor check --deep` finds: where several people said the same, one of their texts is held out."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from advisor.experiments.found import find
from benchmarks.audit.by_meaning import compared_by_meaning
from benchmarks.data.assemble import Limits
from benchmarks.data.split import overlapping
from benchmarks.studies.faults.detecting import Row
from strategies.contract import Case, Embedder

TEXTS: Mapping[str, Callable[[Case], tuple[str, str]]] = {
    "e2e_nlg": lambda case: (case.input, case.output),
    "nl2regex": lambda case: (case.output, case.input),
}
"""What a text says, and the text: descriptions of the same place, and of the same lines."""
PLANTED = {"e2e_nlg": (0.05, 0.10, 0.20), "nl2regex": (0.01,)}
"""Few lines are described twice."""
HELDOUT = 200


def reworded(task: str, share: float, draw: int, embedder: Embedder) -> Row:
    """Other people's words for held-out texts among the examples, `share` of these; and what else is named, which is of texts
    that say something else. Counted by held-out case."""
    dice = random.Random(f"{task} {share} {draw} reworded")
    texts = _texts(task)
    meanings = sorted(dice.sample(sorted(texts), len(texts)), key=lambda meaning: len(texts[meaning]) < 2)
    heldout = [_case(meaning, texts[meaning][0]) for meaning in meanings[:HELDOUT]]
    examples = [_case(f"example|{meaning}", texts[meaning][0]) for meaning in meanings[HELDOUT:]]
    several = [meaning for meaning in meanings[:HELDOUT] if len(texts[meaning]) > 1]
    chosen = several[: round(share * len(examples))]
    planted = [_case(f"planted|{meaning}", dice.choice(texts[meaning][1:])) for meaning in chosen]
    before = _by_meaning(examples, heldout, embedder)
    flagged = _by_meaning([*examples, *planted], heldout, embedder) - before
    asked = set(chosen) - before
    return {
        "planted": len(asked),
        "letters": len(asked & overlapping([*examples, *planted], heldout).heldout),
        "found": len(asked & flagged),
        "false": len(flagged - asked),
        "before": len(before),
    }


@cache
def _texts(task: str) -> dict[str, list[str]]:
    """What is said -> the texts that say it, no two of them alike but for case and spaces."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for case in find(task).assembled(Limits()).benchmark.task.examples:
        meaning, text = TEXTS[task](case)
        found[meaning].setdefault(" ".join(text.casefold().split()), text)
    return {meaning: list(texts.values()) for meaning, texts in found.items()}


def _case(name: str, text: str) -> Case:
    return Case(id=name, input=text, output="")


def _by_meaning(examples: Sequence[Case], heldout: Sequence[Case], embedder: Embedder) -> set[str]:
    """Ids of the held-out cases of which an example is said to have the meaning."""
    held = {case.id for case in heldout}
    rows = compared_by_meaning(examples, heldout, (), (), embedder).rows
    taught = {case.id for case in examples}
    return {row.id for row in rows if row.id in held and taught & set(row.like)}
