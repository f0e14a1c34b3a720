"""Where approaches go wrong, and what may help against each kind of mistake."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from advisor.drawn import Table
from advisor.material import Material
from advisor.wording import NONE, counted, metric_name, percent, start
from benchmarks.evaluation.mistakes import Kind, Mistake, Mistakes

_MOST = 8
_MOST_KINDS = 3
"""Kinds that are named of each approach."""
_HELPS: Mapping[Kind, str] = {
    "disputed key": "look at these examples first, since their right answer may be wrong",
    "no answer": "an instruction that asks for an answer in every case, or a larger model",
    "no json": "a schema, to which models on this machine are held",
    "form": "fine-tuning, or a model on this machine, which is held to the form",
    "wrapped": "fine-tuning, or an instruction that asks for the answer alone",
    "rule": "fine-tuning, or this rule in the instruction",
    "lines": "fine-tuning, or an instruction that asks for one line",
    "too long": "fine-tuning, or an instruction that says how long",
    "content": "a larger model, or fine-tuning on more examples",
    "confused": "linear head or fine-tuning with more examples of the two, or one label for both",
    "field": "a sentence on it in the instruction, or fine-tuning on examples that show it",
    "knowledge": "retrieval",
    "missed": "a better search for retrieval",
    "invented": "fine-tuning on more questions without an answer",
    "withheld": "a better search for retrieval, or fine-tuning on more questions with an answer",
    "not found": "a better search for retrieval, or documents that say it",
    "misread": "fine-tuning and retrieval together, or a larger model",
    "other answer": "retrieval with a better search, or a larger model",
}
"""The approach first, where one can help."""
_TOLD: Mapping[Kind, str] = {
    "disputed key": "approaches of different kinds agree on another answer",
    "no answer": "no answer",
    "no json": "no JSON object",
    "wrapped": "the right answer, with other words around it",
    "lines": "several lines, where every example's answer is one",
    "too long": "more than twice as long as any example's answer",
    "content": "what had to stay in the text is lost",
    "knowledge": "wrong alone, right with the right passage in the prompt",
    "missed": "the right passage was not shown; with it the answer is right",
    "invented": "an answer where there is none",
    "withheld": "no answer given where there is one",
    "not found": "another answer, and no passage that it was shown holds the right one",
    "misread": "wrong even with the right passage in the prompt",
    "other answer": "another answer",
}
_SHORT: Mapping[Kind, str] = {
    "disputed key": "right answers in doubt",
    "no answer": "without answer",
    "no json": "no JSON",
    "form": "other form",
    "wrapped": "extra words",
    "rule": "rule broken",
    "lines": "several lines",
    "too long": "too long",
    "content": "content lost",
    "confused": "labels confused",
    "field": "fields wrong",
    "knowledge": "knowledge missing",
    "missed": "search missed it",
    "invented": "invented",
    "withheld": "held back",
    "not found": "not found",
    "misread": "misread",
    "other answer": "other answer",
}
"""For several kinds in one cell."""


def mistakes_table(material: Material) -> Table:
    """The most frequent kinds, on selection cases; empty where nothing is wrong or no answers were kept."""
    found = material.extras.mistakes
    if found is None or not found.wrong:
        return Table(title="What goes wrong", columns=("what",), rows=())
    several = [each for each in found.found if each.kind != "confused" or each.cases > 1]
    rows = [(_told(each), f"{each.cases:,}", _elsewhere(each), _helps(each.kind, material)) for each in several[:_MOST]]
    once = len(found.found) - len(several)
    if once:
        rows.append(("two labels confused, each pair once", f"{once:,}", NONE, "more examples of every label"))
    rest = max(0, len(several) - _MOST)
    more = f" {counted(rest, 'rarer kind')} left out." if rest else ""
    twice = " A case counts under each of its kinds." if sum(each.cases for each in found.found) > found.wrong else ""
    return Table(
        title=f"What goes wrong with {found.candidate}",
        columns=("what", "cases", "right by", "what may help"),
        rows=tuple(rows),
        note=(
            f"Of {counted(found.asked, 'selection case')}, {found.wrong:,} are {not_right(material)} "
            f"({percent(found.wrong / found.asked)}){_heldout(material, found.candidate)} Right by: the other approach that "
            f"gets most of them right.{twice}{_again(found)}{more}"
        ),
        numeric=(1,),
    )


def all_mistakes_table(material: Material) -> Table:
    """Each approach with its most frequent kinds, the one that the story is about first; empty where no answers were kept."""
    told = material.extras.all_mistakes
    order = [each.candidate for each in material.statuses if each.candidate in told]
    order.sort(key=lambda name: name != material.named)
    kinds = Counter[Kind]()
    for name in order:
        kinds.update(dict(told[name].kinds[:_MOST_KINDS]))
    helps = [f"{start(_SHORT[kind])}: {_helps(kind, material)}" for kind, _ in kinds.most_common()]
    return Table(
        title="What goes wrong, approach by approach",
        columns=("approach", "wrong", "mostly"),
        rows=tuple((name, f"{told[name].wrong:,} of {told[name].asked:,}", mostly(told[name])) for name in order),
        note=(
            "On selection cases, of which each approach was asked as many as its budget allowed"
            f"{'; what is not fully right counts as wrong' if material.benchmark.metric.graded else ''}. "
            f"What may help, kind by kind. {'. '.join(helps)}."
            if helps
            else ""
        ),
        emphasis=(0,) if order and order[0] == material.named else (),
    )


def as_fact(found: Mistakes | None) -> dict[str, Any] | None:
    """The numbers behind both tables, of one candidate."""
    if found is None:
        return None
    return {
        "asked": found.asked,
        "wrong": found.wrong,
        "asked_again_with_the_right_passage": found.handed,
        "kinds": dict(found.kinds),
        "found": [asdict(each) for each in found.found],
    }


def mostly(found: Mistakes) -> str:
    """`not found 12, misread 8, 2 other kinds`."""
    named, rest = found.kinds[:_MOST_KINDS], found.kinds[_MOST_KINDS:]
    parts = [f"{_SHORT[kind]} {cases:,}" for kind, cases in named]
    return ", ".join([*parts, *([counted(len(rest), "other kind")] if rest else [])]) or NONE


def _heldout(material: Material, name: str) -> str:
    """Why the share may be another than on the first sheet: it is of examples, from before all of them were fitted."""
    figure = material.evaluations[name].figure
    metric = material.benchmark.metric
    share = percent(figure) if not metric.over_rows else f"a {metric_name(metric.name)} of {percent(figure)}"
    reached = f", where it reaches {share}," if math.isfinite(figure) else ""
    return f", before it was fitted on all examples; held-out cases{reached} are not looked at."


def not_right(material: Material) -> str:
    return "not fully right" if material.benchmark.metric.graded else "wrong"


def _again(found: Mistakes) -> str:
    return f" {found.handed:,} of them were asked again with the right passage in the prompt." if found.handed else ""


def _told(mistake: Mistake) -> str:
    if mistake.kind == "confused":
        wanted, given = mistake.detail
        return f"{wanted} taken for {given}"
    if mistake.kind == "field":
        return f"{'.'.join(mistake.detail) or 'an item'} is wrong, missing or too much"
    if mistake.kind in ("form", "rule"):
        return f"{'broken rule: ' if mistake.kind == 'rule' else ''}{' '.join(mistake.detail)}"
    return _TOLD[mistake.kind]


def _elsewhere(mistake: Mistake) -> str:
    """`retrieval, 7 of 12`: who answers these cases."""
    if mistake.kind == "disputed key":
        return NONE
    return f"{mistake.right_by}, {mistake.right:,} of {mistake.cases:,}" if mistake.right_by else "none"


def _helps(kind: Kind, material: Material) -> str:
    if kind == "other answer" and not material.benchmark.task.documents:
        return "fine-tuning on examples like these, or a larger model"
    return _HELPS[kind]
